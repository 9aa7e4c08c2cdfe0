"""Faults of a summary's form: empty, unfinished, too short or too long."""

from __future__ import annotations

import re

from lastmile.corpus.text import words
from lastmile.judge.lexicon import DANGLING
from lastmile.records import Flag

_FINAL = re.compile(r"[.!?…。！？]['\"”’)\]\s]*$")


def is_punctuated(text: str) -> bool:
    """Whether a text ends as a sentence does.

    >>> is_punctuated('He said "no."'), is_punctuated("He said")
    (True, False)
    """
    return bool(_FINAL.search(text))


def find_empty(text: str) -> tuple[Flag, ...]:
    """Flag a summary without a single word; cost 1."""
    return () if words(text) else (Flag("empty", 0, 0, "", "no word", 1.0),)


def find_unfinished(text: str, ended: bool, punctuated_share: float) -> tuple[Flag, ...]:
    """Flag a summary that was cut at the limit or breaks off; the span is its last word, the cost 1."""
    found = words(text)
    if not found:
        return ()
    if not ended:
        reason = "cut at the length limit"
    elif found[-1].text.lower() in DANGLING and not is_punctuated(text):
        reason = f"ends on `{found[-1].text}`"
    elif punctuated_share >= 0.9 and not is_punctuated(text):
        reason = "no final punctuation"
    else:
        return ()
    return (Flag("unfinished", found[-1].start, found[-1].end, found[-1].text, reason, 1.0),)


def find_length(text: str, words_low: float, words_high: float) -> tuple[Flag, ...]:
    """Flag a length outside the band of the targets; the cost is the relative distance from the band."""
    count = len(words(text))
    if not count or words_low <= count <= words_high:
        return ()
    bound = words_low if count < words_low else words_high
    evidence = f"{count} words; targets have {words_low:g} to {words_high:g}"
    return (Flag("length", 0, 0, "", evidence, abs(count - bound) / bound),)

"""Faults of a summary's form: empty, unfinished, too short or too long."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from lastmile.corpus.text import words
from lastmile.judge.document import Text
from lastmile.judge.lexicon import DANGLING
from lastmile.records import Flag

_FINAL = re.compile(r"[.!?…。！？]['\"”’)\]\s]*$")


def is_punctuated(text: str) -> bool:
    """Whether a text ends as a sentence does.

    >>> is_punctuated('He said "no."'), is_punctuated("He said")
    (True, False)
    """
    return bool(_FINAL.search(text))


def length_agreement(targets: Sequence[str], summary: str) -> float:
    """How near the summary's length is to that of a target: −min(1, |w − w*| / w*), w in words, for the nearest target.

    ROUGE's F1 and every flag are easier to please with few words; this holds the length where people put it. NaN
    without a target that has words.

    >>> length_agreement(["one two three four"], "one two three")
    -0.25

    Source: our choice; a length penalty relative to the target, cut at 1.
    """
    lengths = [length for length in (len(words(target)) for target in targets) if length]
    written = len(words(summary))
    return -min((min(1.0, abs(written - length) / length) for length in lengths), default=math.nan)


def find_empty(summary: Text) -> tuple[Flag, ...]:
    """Flag a summary without a single word; cost 1."""
    return () if summary.words else (Flag("empty", 0, 0, "", "no word", 1.0),)


def find_unfinished(summary: Text, ended: bool, punctuated_share: float) -> tuple[Flag, ...]:
    """Flag a summary that was cut at the limit or breaks off; the span is its last word, the cost 1.

    A summary breaks off when it ends, without punctuation, on a word that nothing ends on (`the`, `because`), or when
    it lacks the final punctuation that at least nine of ten targets have.

    Args:
        summary: The summary.
        ended: False when it was cut at the length limit.
        punctuated_share: See `TargetProfile`.
    """
    if not summary.words:
        return ()
    last = summary.words[-1]
    if not ended:
        reason = "cut at the length limit"
    elif is_punctuated(summary.text):
        return ()
    elif summary.lower[-1] in DANGLING:
        reason = f"ends on `{last.text}`"
    elif punctuated_share >= 0.9:
        reason = "no final punctuation"
    else:
        return ()
    return (Flag("unfinished", last.start, last.end, last.text, reason, 1.0),)


def find_length(summary: Text, words_low: float, words_high: float) -> tuple[Flag, ...]:
    """Flag a length outside the band of the targets; the cost is the distance over the bound that was passed.

    Args:
        summary: The summary; one without a word is `empty`, not short.
        words_low: See `TargetProfile`.
        words_high: See `TargetProfile`.
    """
    count = len(summary)
    if not count or words_low <= count <= words_high:
        return ()
    bound = words_low if count < words_low else words_high
    evidence = f"{count} words; most targets have {words_low:g} to {words_high:g}"
    return (Flag("length", 0, 0, "", evidence, abs(count - bound) / max(bound, 1)),)

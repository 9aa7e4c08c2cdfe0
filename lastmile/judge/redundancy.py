"""How likely a reader finds a summary repetitive: n-grams, sentences and words that come again, fitted to ratings."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from lastmile.judge.consistency import fitted
from lastmile.judge.document import Text
from lastmile.judge.grounding import core_words, sentence_numbers
from lastmile.judge.lexicon import STOP_WORDS
from lastmile.judge.names import name_places
from lastmile.judge.repetition import find_repetitions
from lastmile.judge.rouge import stem


def redundancy(summary: str, *, cased: bool = True) -> float:
    """The probability that people would rate the summary below 0 for redundancy; 0 for one without a word.

    The `repetition` flag says where, and costs what it always did; this says how much, as a whole.

    Args:
        summary: Any text.
        cased: False where it is in lower case throughout.
    """
    text = Text(summary)
    return fitted()["redundancy"](redundancy_signals(text, cased)) if text.words else 0.0


def redundancy_signals(summary: Text, cased: bool) -> dict[str, float]:
    """Shares in 0..1, each higher the more comes again; a lone word repeats nothing.

    `again_n` are the n-grams that came before; `content_again` the same of content stems and `relations_again` of
    neighbouring ones; `alike` is the likeness of a sentence to the most similar one before it, as the intersection over
    the union of their content; `told_before` the share of content that an earlier sentence had; `flagged` the words in
    `repetition` flags.
    """
    places, forms = core_words(summary)
    numbers = sentence_numbers(summary)
    content = [stem(form) for form in forms if form not in STOP_WORDS and len(form) > 1]
    sentences: dict[int, set[str]] = {}
    for place, form in zip(places, forms, strict=True):
        if form not in STOP_WORDS and len(form) > 1:
            sentences.setdefault(numbers[place], set()).add(stem(form))
    alike, told, total = [0.0], 0, 0
    earlier: list[set[str]] = []
    seen: set[str] = set()
    for own in sentences.values():
        if earlier:
            alike.append(max(len(own & other) / len(own | other) for other in earlier))
        told, total = told + len(own & seen), total + len(own)
        seen |= own
        earlier.append(own)
    flags = find_repetitions(summary, name_places(summary, cased, frozenset()), 1.0)
    signals = {f"again_{n}": _again(list(zip(*(forms[k:] for k in range(n)), strict=False))) for n in (1, 2, 3, 4)}
    return signals | {
        "content_again": _again(content),
        "relations_again": _again(list(pairwise(content))),
        "alike_most": max(alike),
        "alike_mean": sum(alike) / max(len(alike) - 1, 1),
        "told_before": told / max(total, 1),
        "flagged": sum(flag.cost for flag in flags) / max(len(summary), 1),
    }


def _again(items: Sequence[object]) -> float:
    return 1 - len(set(items)) / len(items) if items else 0.0

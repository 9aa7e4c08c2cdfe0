"""How likely a summary says only what its document supports, and which of its words do not: fitted to human labels."""

from __future__ import annotations

import json
import math
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from lastmile.judge.document import Text, read_document
from lastmile.judge.signals import summary_signals, word_signals


@dataclass(frozen=True, slots=True)
class Consistency:
    """What the fitted detector says of one summary.

    Attributes:
        probability: That the summary says nothing its document does not support, in 0..1; 0.5 for a summary
            without a word.
        signals: What the probability was computed from, by name; see `lastmile.judge.signals`.
        words: For each word, in the order of `lastmile.corpus.text.words`, the probability that it is unsupported.
    """

    probability: float
    signals: Mapping[str, float]
    words: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Logistic:
    """A logistic regression over named signals: p = 1 / (1 + exp(−(intercept + Σ weight · signal)))."""

    intercept: float
    weights: Mapping[str, float]

    def __call__(self, signals: Mapping[str, float]) -> float:
        """The probability; signals without a weight do not count."""
        total = self.intercept + sum(weight * signals[name] for name, weight in self.weights.items())
        return 1 / (1 + math.exp(-max(-40.0, min(40.0, total))))


@lru_cache(maxsize=1)
def fitted() -> Mapping[str, Logistic]:
    """The shipped coefficients, written by `bench/fit_consistency.py`: `summary` and `word`."""
    data = json.loads(pkgutil.get_data("lastmile.judge", "consistency.json") or b"")
    return {part: Logistic(data[part]["intercept"], data[part]["weights"]) for part in ("summary", "word")}


def judge_consistency(document: str, summary: str, *, cased: bool = True) -> Consistency:
    """Judge one summary against its document, without a model: overlap, relations, names, numbers, polarity.

    Overlap alone would reward copying. The probability is a detector's: whoever trains against it must balance it,
    with the `copy` flag for instance, and report extractiveness beside it.

    Args:
        document: What the summary is of.
        summary: Any text.
        cased: False where the summary is in lower case throughout, so that a capital tells nothing.
    """
    text, source = Text(summary), read_document(document)
    if not text.words:
        return Consistency(0.5, {}, ())
    signals = summary_signals(text, source, cased)
    model = fitted()
    words: Sequence[Mapping[str, float]] = word_signals(text, source, cased)
    return Consistency(model["summary"](signals), signals, tuple(model["word"](word) for word in words))

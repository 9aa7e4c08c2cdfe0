"""How likely a summary says only what its document supports, and which of its words do not: fitted to human labels."""

from __future__ import annotations

import json
import math
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from lastmile.corpus.text import words
from lastmile.errors import InputError
from lastmile.judge.document import Text, read_document
from lastmile.judge.grounding import Grounding, read_ground
from lastmile.judge.names import name_places
from lastmile.judge.signals import summary_signals
from lastmile.judge.support import unsupported_names, unsupported_numbers
from lastmile.judge.word_signals import word_signals


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

    def inconsistent(self, precision: float | None = None) -> bool:
        """Whether the detector says no: the probability is below the threshold for such summaries, see `thresholds`.

        It never does to a summary without a word.
        """
        if not self.signals:
            return False
        kind = "one_sentence" if self.signals["sentences"] == 1 else "several_sentences"
        return self.probability < thresholds(precision)[kind]


@dataclass(frozen=True, slots=True)
class Logistic:
    """A logistic regression over named signals: p = 1 / (1 + exp(−(intercept + Σ weight · signal)))."""

    intercept: float
    weights: Mapping[str, float]

    def __call__(self, signals: Mapping[str, float]) -> float:
        """The probability; signals without a weight do not count."""
        total = self.intercept
        for name, weight in self.weights.items():
            total += weight * signals[name]
        return 1 / (1 + math.exp(-max(-40.0, min(40.0, total))))


@lru_cache(maxsize=1)
def fitted() -> Mapping[str, Logistic]:
    """The shipped coefficients, written by `bench/fit_consistency.py`: `summary`, `word` and two more."""
    parts = _shipped().items()
    return {name: Logistic(part["intercept"], part["weights"]) for name, part in parts if "weights" in part}


def thresholds(precision: float | None = None) -> Mapping[str, float]:
    """Where to say no, chosen with the coefficients: `one_sentence`, `several_sentences` and `word`.

    Summaries below the first two are called inconsistent, words at or above the third unsupported. One-sentence
    summaries have a threshold of their own: nine in ten of those that people labelled were faulty.

    Args:
        precision: None: chosen by balanced accuracy, for words by F1, to tell the two kinds apart. A target, for who
            wants few false alarms: chosen so that this share of the alarms is right where half of what is judged is
            faulty. With a share π faulty it is p π / (p π + (1 − p)(1 − π)): 0.9 is 0.69 where one in five is.

    Raises:
        InputError: If no threshold was chosen for this target.
    """
    if precision is None:
        return _shipped()["thresholds"]
    if precision not in (known := precision_targets()):
        there = ", ".join(f"`{target:g}`" for target in known)
        raise InputError(f"`precision` must be a target that a threshold was chosen for, {there}, got `{precision}`")
    return _shipped()["thresholds_by_precision"][f"{precision:g}"]


def precision_targets() -> tuple[float, ...]:
    """The targets that `thresholds` knows, ascending."""
    return tuple(map(float, _shipped()["thresholds_by_precision"]))


@lru_cache(maxsize=1)
def _shipped() -> Mapping[str, Any]:
    return json.loads(pkgutil.get_data("lastmile.judge", "consistency.json") or b"")


def span_probability(found: Consistency, summary: str, start: int, end: int) -> float:
    """The probability that something at `[start, end)` of the summary is unsupported: that of its worst word.

    It goes with flags of hallucination, which have such a span; nothing is claimed of repetition or form. NaN for a
    span without a word.
    """
    inside = [p for word, p in zip(words(summary), found.words, strict=True) if word.start < end and start < word.end]
    return max(inside, default=math.nan)


def edited_probability(found: Consistency) -> float:
    """The probability for a summary that may be somebody's good one with a word or two changed.

    Edits hide where a whole summary is otherwise well supported, so single wrong words weigh more here. Within one kind
    of document it ranks; how many summaries are spoiled, and so the threshold, is the user's to know.
    """
    return fitted()["edited"](found.signals) if found.signals else 0.5


@dataclass(frozen=True, slots=True)
class Reading:
    """A summary laid on its document, before anything fitted looks at it.

    Attributes:
        grounding: Where its words may come from.
        numbers: The places in `grounding.forms` of numbers that the document does not have.
        names: The same of names.
        words: The signals of each word of `grounding.forms`.
    """

    grounding: Grounding
    numbers: frozenset[int]
    names: frozenset[int]
    words: list[dict[str, float]]

    @property
    def num_sentences(self) -> int:
        """How many sentences the summary has."""
        return self.grounding.sentence_of[-1] + 1


def read_summary(document: str, summary: str, *, cased: bool = True) -> Reading | None:
    """Lay a summary on its document; None if it has no word."""
    text, source = Text(summary), read_document(document)
    grounding = Grounding(text, read_ground(source))
    if not grounding.forms:
        return None
    core = {place: k for k, place in enumerate(grounding.words)}
    numbers = frozenset(
        core[place]
        for number in unsupported_numbers(text, source)
        for place in range(number.first, number.last + 1)
        if place in core
    )
    absent = unsupported_names(text, source, name_places(text, cased, frozenset()))
    names = frozenset(core[place] for place in absent if place in core)
    return Reading(grounding, numbers, names, word_signals(grounding, numbers, names))


def judge_consistency(document: str, summary: str, *, cased: bool = True) -> Consistency:
    """Judge one summary against its document, without a model: overlap, relations, names, numbers, form.

    Overlap alone would reward copying. The probability is a detector's: whoever trains against it must balance it,
    with the `copy` flag for instance, and report extractiveness beside it.

    Args:
        document: What the summary is of.
        summary: Any text.
        cased: False where the summary is in lower case throughout, so that a capital tells nothing.
    """
    reading = read_summary(document, summary, cased=cased)
    if reading is None:
        return Consistency(0.5, {}, ())
    model, grounding = fitted(), reading.grounding
    core = [model["word"](signals) for signals in reading.words]
    signals = summary_signals(grounding, reading.numbers, reading.names, core)
    return Consistency(model["summary"](signals), signals, tuple(core[k] for k in grounding.core_of))

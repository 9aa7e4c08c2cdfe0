"""Every metric of a system's summaries, kept per document so that the bootstrap can add them up again and again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from lastmile.config import FLAG_NAMES
from lastmile.corpus.extractiveness import coverage, density, extractive_fragments
from lastmile.corpus.text import lower_words, words
from lastmile.errors import InputError
from lastmile.judge.document import form, read_document
from lastmile.judge.facts import unsupported_facts
from lastmile.judge.flags import find_flags
from lastmile.judge.learned import LEARNED, Learned
from lastmile.judge.lexicon import STOP_WORDS
from lastmile.judge.metrics import FAULTS, METRICS, ROUGE_TYPES
from lastmile.judge.profile import TargetProfile
from lastmile.judge.rouge import Rouge, stem
from lastmile.records import Example, Flag, Summary

Row = dict[str, tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Statistic:
    """A metric before it is added up: M = Σᵢ numeratorᵢ / Σᵢ denominatorᵢ over documents i.

    A mean over documents has denominator 1; a share of words has the words of each summary, so that long summaries
    weigh as much as they write; a document that a metric does not apply to has 0 in both.

    Attributes:
        numerator: `(N,)` float64.
        denominator: `(N,)` float64, ≥ 0.
    """

    numerator: np.ndarray
    denominator: np.ndarray

    @property
    def value(self) -> float:
        """The metric over all documents."""
        return float(self.numerator.sum() / self.denominator.sum())

    @property
    def per_document(self) -> np.ndarray:
        """`(N,)` contributions uᵢ = M + (numeratorᵢ − M · denominatorᵢ) / mean(denominator), whose mean is M.

        For a mean over documents this is the document's own value; for a ratio of sums it is the first-order effect
        of the document (its influence), which is what paired effect sizes are taken of.
        """
        return self.value + (self.numerator - self.value * self.denominator) / self.denominator.mean()


@dataclass(frozen=True, slots=True)
class Measures:
    """What was measured of one system on N documents.

    Attributes:
        statistics: Metric name to its per-document statistic; metrics that apply to no document are left out.
        flags: The flags of each summary, wrong facts last; none where there is no document to hold it against.
    """

    statistics: Mapping[str, Statistic]
    flags: tuple[tuple[Flag, ...], ...]

    def __len__(self) -> int:
        return len(self.flags)

    def value(self, metric: str) -> float:
        """The metric over all documents."""
        return self.statistics[metric].value


def measure(
    examples: Sequence[Example],
    summaries: Sequence[Summary],
    profile: TargetProfile,
    *,
    several: Literal["best", "mean", "first"] = "best",
    learned: Learned | None = None,
) -> Measures:
    """Measure the summaries of one system.

    ROUGE and `length_ratio` need targets, flags and everything about copying need documents; where an example has no
    target (or an empty document) its summary is left out of those metrics.

    Args:
        examples: N documents with their targets.
        summaries: N summaries in the same order.
        profile: What the targets of the corpus look like.
        several: With several targets ROUGE takes the `best`, the `mean` or the `first`.
        learned: A detector whose flag `learned` is counted too.

    Raises:
        InputError: If there are no documents, or not one summary for each.
    """
    if len(examples) != len(summaries):
        raise InputError(f"one summary is needed for each document, got {len(summaries)} for {len(examples)} documents")
    if not examples:
        raise InputError("at least one document is needed, got none")
    rouge = Rouge(ROUGE_TYPES)
    rows: list[Row] = []
    flags: list[tuple[Flag, ...]] = []
    names = (*FLAG_NAMES, *([LEARNED] if learned else []))
    doubted = learned([(e.document, s.text) for e, s in zip(examples, summaries, strict=True)]) if learned else ()
    for place, (example, summary) in enumerate(zip(examples, summaries, strict=True)):
        found = find_flags(example.document, summary, profile) if example.document else ()
        if learned and example.document:
            found += doubted[place]
        wrong = tuple(unsupported_facts(example, summary.text)) if example.facts else ()
        flags.append(found + wrong)
        row: Row = {"words": (len(words(summary.text)), 1), "unended": (not summary.ended, 1)}
        if example.targets:
            row |= _against_targets(rouge, example.targets, summary.text, several)
        if example.document:
            row |= _flagged(summary.text, found, names) | _against_document(example.document, summary.text)
        if example.facts:
            row |= _against_facts(example, summary.text, {flag.name for flag in wrong})
        row["repeated_trigrams"] = _repeated(_grams(lower_words(summary.text), 3))
        rows.append(row)
    for row, shares in zip(rows, _distinct([_grams(lower_words(s.text), 2) for s in summaries]), strict=True):
        row["distinct_2"] = shares
    return Measures(_stack(rows), tuple(flags))


def _stack(rows: Sequence[Row]) -> dict[str, Statistic]:
    statistics = {}
    for metric in METRICS:
        pairs = np.array([row.get(metric, (0.0, 0.0)) for row in rows], dtype=np.float64)
        if pairs[:, 1].sum() > 0:
            statistics[metric] = Statistic(pairs[:, 0], pairs[:, 1])
    return statistics


def _against_targets(rouge: Rouge, targets: Sequence[str], text: str, several: Literal["best", "mean", "first"]) -> Row:
    scores = rouge.score(targets, text, several)
    target_words = sum(len(words(target)) for target in targets) / len(targets)
    row: Row = {name: (100 * score.f1, 1) for name, score in scores.items()}
    return row | {"length_ratio": (len(words(text)), target_words)}


def _flagged(text: str, flags: Iterable[Flag], looked_for: Iterable[str]) -> Row:
    names = {flag.name for flag in flags}
    spans = [(flag.start, flag.end) for flag in flags if flag.name in FAULTS]
    places = words(text)
    inside = sum(any(word.start < end and start < word.end for start, end in spans) for word in places)
    row: Row = {f"flag/{name}": (name in names, 1) for name in looked_for}
    return row | {"flag_rate": (not names.isdisjoint(FAULTS), 1), "flagged_words": (inside, len(places))}


def _against_document(document: str, text: str) -> Row:
    read, own = read_document(document), lower_words(text)
    content = [word for token in own if (word := form(token))[:1].isalpha() and word not in STOP_WORDS]
    row: Row = {"absent_words": (sum(stem(word) not in read.stems for word in content), len(content))}
    for n in (1, 2, 3, 4):
        grams, there = _grams(own, n), set(_grams(read.lower, n))
        novel = sum(gram not in there for gram in grams)
        row[f"novel_{n}grams"] = (novel, len(grams))
        if n == 3:
            row["copied_trigrams"] = (len(grams) - novel, len(grams))
    if own:
        fragments = extractive_fragments(read.lower, own)
        row |= {"coverage": (coverage(fragments, len(own)), 1), "density": (density(fragments, len(own)), 1)}
    return row


def _against_facts(example: Example, text: str, wrong: Collection[str]) -> Row:
    return {
        "wrong_facts": (bool(wrong), 1),
        "invented_facts": ("absent_fact" in wrong, 1),
        "misplaced_facts": ("misplaced_fact" in wrong, 1),
        "facts_per_summary": (_facts_told(example, text), 1),
    }


def _facts_told(example: Example, text: str) -> int:
    """How many of the document's facts the text tells, in any of their accepted forms."""
    told = f" {' '.join(lower_words(text))} "
    return sum(any(f" {' '.join(lower_words(form))} " in told for form in forms) for forms in example.facts.values())


def _repeated(grams: Sequence[tuple[str, ...]]) -> tuple[float, float]:
    return len(grams) - len(set(grams)), len(grams)


def _distinct(bigrams: Sequence[Sequence[tuple[str, ...]]]) -> list[tuple[float, float]]:
    """One point for every different bigram of the corpus, shared out evenly over its occurrences.

    So the sum over documents is the number of different bigrams, and the value is exact. The interval takes the
    shares as fixed and is approximate: in truth a bigram drawn twice would count once.
    """
    counts = Counter(gram for grams in bigrams for gram in grams)
    return [(sum(1 / counts[gram] for gram in grams), len(grams)) for grams in bigrams]


def _grams(tokens: Sequence[str], n: int) -> list[tuple[str, ...]]:
    return list(zip(*(tokens[i:] for i in range(n)), strict=False))

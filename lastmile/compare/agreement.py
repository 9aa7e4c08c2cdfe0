"""How well a detector agrees with people: AUC, balanced accuracy, and the words that both point at."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from lastmile.compare.significance import draw_weights

Measure = Callable[[np.ndarray], np.ndarray]


class Words(NamedTuple):
    """Words of each summary, `(N,)` float64 each.

    Attributes:
        both: Marked by people and by the detector.
        detector: Marked by the detector.
        people: Marked by people.
    """

    both: np.ndarray
    detector: np.ndarray
    people: np.ndarray


def auc(scores: np.ndarray, faulty: np.ndarray) -> Measure:
    """The chance that a faulty summary scores above a consistent one, a tie counting one half.

    AUC = Σ_{i faulty, j consistent} wᵢ wⱼ ([sᵢ > sⱼ] + ½ [sᵢ = sⱼ]) / (Σ_{i faulty} wᵢ · Σ_{j consistent} wⱼ)

    This is the area under the ROC curve. Summaries are sorted once; each resample then costs O(N).

    Args:
        scores: `(N,)`; higher means more faulty.
        faulty: `(N,)` bool.

    Returns:
        A function of `(R, N)` weights with `(R,)` values; NaN where one of the two kinds has no weight.

    Source: Hanley & McNeil (1982), "The Meaning and Use of the Area under a ROC Curve", for the identity.
    """
    order = np.argsort(scores, kind="stable")
    ordered, kind = scores[order], faulty[order].astype(np.float64)
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])  # where the runs of equal scores begin

    def measure(weights: np.ndarray) -> np.ndarray:
        bad = np.add.reduceat(weights[:, order] * kind, starts, axis=1)
        good = np.add.reduceat(weights[:, order] * (1 - kind), starts, axis=1)
        below = np.cumsum(good, axis=1) - good
        with np.errstate(invalid="ignore"):
            return (bad * (below + good / 2)).sum(axis=1) / (bad.sum(axis=1) * good.sum(axis=1))

    return measure


def balanced_accuracy(raised: np.ndarray, faulty: np.ndarray) -> Measure:
    """The mean of two shares: of the faulty summaries those raised, and of the consistent ones those not raised.

    0.5 is chance, however rare faults are.

    Args:
        raised: `(N,)` bool: what the detector says at its threshold.
        faulty: `(N,)` bool.

    Returns:
        A function of weights, as in `auc`.
    """
    found, spared = raised & faulty, ~raised & ~faulty

    def measure(weights: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            return ((weights @ found) / (weights @ faulty) + (weights @ spared) / (weights @ ~faulty)) / 2

    return measure


def span_agreement(words: Words) -> dict[str, Measure]:
    """`precision`, `recall` and `f1` of the detector's words against people's, over the words of all summaries.

    Returns:
        Functions of weights, as in `auc`; NaN where nobody marked anything.
    """

    def ratio(above: np.ndarray, below: np.ndarray) -> Measure:
        def measure(weights: np.ndarray) -> np.ndarray:
            with np.errstate(invalid="ignore"):
                return (weights @ above) / (weights @ below)

        return measure

    return {
        "precision": ratio(words.both, words.detector),
        "recall": ratio(words.both, words.people),
        "f1": ratio(2 * words.both, words.detector + words.people),
    }


def mean(values: np.ndarray, where: np.ndarray) -> Measure:
    """The mean of `(N,)` values over the summaries `where`, as a function of weights."""
    kept = np.where(where, values, 0.0)

    def measure(weights: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            return (weights @ kept) / (weights @ where)

    return measure


def only(measure: Measure, rows: np.ndarray) -> Measure:
    """The measure of some rows, as a function of the weights of all of them."""
    return lambda weights: measure(weights[:, rows])


def bootstrap(
    measures: Mapping[Hashable, Measure], documents: Sequence[Hashable], samples: int, seed: int
) -> dict[Hashable, tuple[float, np.ndarray]]:
    """Values, and resampled values on documents drawn with replacement, the same for all measures.

    Several systems' summaries of one document share its difficulty, so they are drawn together: an interval over
    summaries would be too narrow.

    Args:
        measures: Name to function of `(R, N)` weights.
        documents: N names: which document each summary is of.
        samples: Resamples.
        seed: The same seed draws the same documents.

    Returns:
        Name to value and `(samples,)` resampled values.

    Source: Davison & Hinkley (1997), "Bootstrap Methods and their Application", section 3.8, for drawing clusters.
    """
    numbers = {document: number for number, document in enumerate(dict.fromkeys(documents))}
    places = np.array([numbers[document] for document in documents])
    observed = np.ones((1, len(places)))
    values = {name: float(measure(observed)[0]) for name, measure in measures.items()}
    drawn: dict[Hashable, list[np.ndarray]] = {name: [] for name in measures}
    for weights in draw_weights(len(numbers), samples, seed):
        of_rows = weights[:, places]
        for name, measure in measures.items():
            drawn[name].append(measure(of_rows))
    return {name: (values[name], np.concatenate(drawn[name])) for name in measures}

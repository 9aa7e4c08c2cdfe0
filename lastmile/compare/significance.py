"""Is a difference more than chance? Paired bootstrap over documents, Holm's correction, effect size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from lastmile.judge.measure import Statistic

CHUNK = 2**22  # resampled documents held at a time: 32 MiB of float64 weights


def resample(statistics: Sequence[Statistic], samples: int, seed: int) -> np.ndarray:
    """Recompute metrics on documents drawn with replacement: the *same* documents for all of them, hence "paired".

    One resample draws N of N documents; document i comes up wᵢ times, and every metric becomes
    Σ wᵢ·numeratorᵢ / Σ wᵢ·denominatorᵢ.

    Args:
        statistics: M metrics of any systems over the same N documents.
        samples: Resamples.
        seed: The same seed draws the same documents.

    Returns:
        `(samples, M)` float64; NaN where a resample holds no document that the metric applies to.

    Source: Efron & Tibshirani (1993), "An Introduction to the Bootstrap"; Koehn (2004) for the paired test.
    """
    numerators = np.stack([statistic.numerator for statistic in statistics], axis=1)
    denominators = np.stack([statistic.denominator for statistic in statistics], axis=1)
    found = []
    for weights in draw_weights(len(numerators), samples, seed):
        with np.errstate(invalid="ignore"):
            found.append((weights @ numerators) / (weights @ denominators))
    return np.concatenate(found)


def draw_weights(documents: int, samples: int, seed: int) -> Iterator[np.ndarray]:
    """How often each document comes up in each resample of N out of N, some resamples at a time.

    Yields:
        `(some, documents)` float64, whose rows sum to `documents`; `samples` rows in all.
    """
    rng = np.random.default_rng(seed)
    rows = max(1, CHUNK // documents)
    for start in range(0, samples, rows):
        count = min(rows, samples - start)
        drawn = rng.integers(documents, size=(count, documents)) + documents * np.arange(count)[:, None]
        yield np.bincount(drawn.ravel(), minlength=count * documents).reshape(count, documents).astype(np.float64)


def interval(resampled: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """The percentile interval that holds the middle `level` of a metric's resampled values, NaN set aside.

    Args:
        resampled: `(samples,)`.
        level: Share of the values inside.
    """
    low, high = np.nanquantile(resampled, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def two_sided_p(resampled_differences: np.ndarray) -> float:
    """Two-sided p of "the difference is zero", from its resampled values.

    p = min(1, 2 · (1 + min(#{δ* ≤ 0}, #{δ* ≥ 0})) / (samples + 1))

    This inverts the percentile interval, so p and interval never contradict each other. A tie counts on both sides:
    two identical systems get p = 1. One is added to both counts because the observed documents are themselves one
    draw; no p is ever 0, and the smallest is 2 / (samples + 1).

    Args:
        resampled_differences: `(samples,)`; differences below 1e-9 are rounding and count as ties.

    Source: Davison & Hinkley (1997), "Bootstrap Methods and their Application", section 4.2, for the added one.
    """
    differences = resampled_differences[~np.isnan(resampled_differences)]
    below, above = np.sum(differences <= 1e-9), np.sum(differences >= -1e-9)
    return float(min(1.0, 2 * (1 + min(below, above)) / (len(differences) + 1)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction: the chance of one false alarm in the whole family stays below the level.

    Sorted ascending, p̃₍ᵢ₎ = max_{j≤i} min(1, (m − j + 1) · p₍ⱼ₎).

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]

    Source: Holm (1979), "A Simple Sequentially Rejective Multiple Test Procedure".
    """
    order = np.argsort(p_values, kind="stable")
    scaled = (len(order) - np.arange(len(order))) * np.asarray(p_values, dtype=np.float64)[order]
    corrected = np.empty(len(order))
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(scaled))
    return [float(p) for p in corrected]


def samples_for(family: int, wanted: int) -> int:
    """Resamples needed so that a family of this size can show anything at all.

    The smallest p is about 2 / samples and Holm multiplies it by up to `family`. With 200 resamples a question, the
    smallest corrected p is 0.01; with fewer, a clear win could be declared "no difference" for want of resamples.

    >>> samples_for(7, 2000), samples_for(40, 2000)
    (2000, 8000)
    """
    return max(wanted, 200 * family)


def cohens_d(a: np.ndarray, b: np.ndarray) -> float | None:
    """Paired effect size d = mean(a − b) / sd(a − b), with the n − 1 standard deviation.

    Args:
        a: `(N,)` per-document contributions of one system (`Statistic.per_document`).
        b: `(N,)` of the other.

    Returns:
        Around 0.2 is small, 0.5 middling, 0.8 large. 0 for identical systems; None where the difference is the same
        for every document (the ratio is infinite) or there is only one document.

    Source: Cohen (1988), "Statistical Power Analysis for the Behavioral Sciences", d_z.
    """
    difference = a - b
    if np.all(np.abs(difference) < 1e-9):
        return 0.0
    if len(difference) < 2:
        return None
    spread = difference.std(ddof=1)
    return float(difference.mean() / spread) if spread > 1e-9 else None

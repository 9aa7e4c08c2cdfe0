"""Fit the coefficients of `lastmile.judge.consistency` to human labels and write them down.

    LASTMILE_DATA=data python bench/fit_consistency.py

Only dev parts are read: FRANK's `valid` split and the dev part of the XSum hallucination annotations (`labelled.py`).
The word model is an L2 logistic regression on the words that two of three annotators marked. The summary model is one
whose weights keep the signs of `lastmile.judge.signals.SUPPORTS`; its word signals come from models that did not see
the document. The same data give the same file to the last byte.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from labelled import Labelled, frank, hashed_part, xsum_hallucination

import lastmile.judge
from lastmile.judge.consistency import Logistic, Reading, read_summary
from lastmile.judge.signals import SUPPORTS, summary_signals

WORD_L2, SUMMARY_L2, STEPS, NUM_FOLDS = 10.0, 10.0, 2000, 5
OUT = Path(lastmile.judge.__file__).with_name("consistency.json")


def fit(x: np.ndarray, y: np.ndarray, signs: np.ndarray, l2: float) -> tuple[float, np.ndarray]:
    """Minimise Σ cross-entropy + l2/2 · |w|² over standardised columns with w · sign ≥ 0 (sign 0: free).

    Accelerated proximal gradient; the step is 1 / L with L a bound of the curvature, so it needs no tuning.

    Args:
        x: `(N, D)` signals.
        y: `(N,)` 0 or 1.
        signs: `(D,)` of −1, 0, +1.
        l2: Ridge.
    """
    mean, scale = x.mean(0), x.std(0)
    scale = np.where(scale < 1e-9, 1.0, scale)
    z = np.c_[np.ones(len(x)), (x - mean) / scale]
    gram = z.T @ z
    step = 1 / (np.linalg.eigvalsh(gram)[-1] / 4 + l2)
    ridge = np.r_[0.0, np.full(x.shape[1], l2)]
    sides = np.r_[0, signs]
    now = ahead = np.zeros(z.shape[1])
    pace = 1.0
    for _ in range(STEPS):
        gradient = z.T @ (1 / (1 + np.exp(-(z @ ahead))) - y) + ridge * ahead
        after = ahead - step * gradient
        after = np.where(sides * after < 0, 0.0, after)
        faster = (1 + np.sqrt(1 + 4 * pace * pace)) / 2
        ahead = after + (pace - 1) / faster * (after - now)
        now, pace = after, faster
    weights = now[1:] / scale
    return float(now[0] - weights @ mean), weights


def rounded(names: list[str], intercept: float, weights: np.ndarray) -> Logistic:
    """Four decimals, and nothing that rounds to 0."""
    kept = {name: round(float(w), 4) for name, w in zip(names, weights, strict=True) if abs(w) >= 5e-5}
    return Logistic(round(intercept, 4), kept)


def fold(key: str) -> int:
    """The fold of a document, so that all its summaries share one."""
    return next((k for k in range(NUM_FOLDS - 1) if hashed_part(f"fold {k} {key}", 1 / (NUM_FOLDS - k)) == "dev"), 4)


def fit_words(judged: list[tuple[Labelled, Reading]]) -> Logistic:
    """The word model."""
    rows = [list(signals.values()) for _, reading in judged for signals in reading.words]
    marks = [item.marked[place] for item, reading in judged for place in reading.grounding.words]
    names = list(judged[0][1].words[0])
    return rounded(names, *fit(np.array(rows), np.array(marks, float), np.zeros(len(names)), WORD_L2))


def main() -> None:
    """Fit both models and write the file."""
    judged = []
    for item in (*xsum_hallucination("dev"), *frank("dev")):
        reading = read_summary(item.document, item.summary, cased=item.cased)
        if reading is not None:
            judged.append((item, reading))
    marked = [pair for pair in judged if pair[0].marked]
    words = fit_words(marked)
    unseen = [fit_words([pair for pair in marked if fold(pair[0].key) != k]) for k in range(NUM_FOLDS)]
    rows, labels = [], []
    for item, reading in judged:
        model = unseen[fold(item.key)]
        core = [model(signals) for signals in reading.words]
        signals = summary_signals(reading.grounding, reading.numbers, reading.names, core)
        rows.append([signals[name] for name in SUPPORTS])
        labels.append(item.consistent)
    summary = rounded(
        list(SUPPORTS), *fit(np.array(rows), np.array(labels, float), np.array(list(SUPPORTS.values())), SUMMARY_L2)
    )
    document = {
        "provenance": {
            "command": "python bench/fit_consistency.py",
            "data": "FRANK (Pagnoni et al. 2021), `valid`; XSum hallucinations (Maynez et al. 2020), dev part",
            "summaries": len(judged),
            "marked_words": sum(len(reading.words) for _, reading in marked),
            "l2": {"summary": SUMMARY_L2, "word": WORD_L2},
        },
        "summary": {"intercept": summary.intercept, "weights": dict(summary.weights)},
        "word": {"intercept": words.intercept, "weights": dict(words.weights)},
    }
    aside = OUT.with_suffix(".tmp")
    aside.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    aside.replace(OUT)
    print(f"{len(judged)} summaries; {OUT.name} written")


if __name__ == "__main__":
    main()

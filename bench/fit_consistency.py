"""Fit the coefficients of `lastmile.judge.consistency` to human labels and write them down.

    LASTMILE_DATA=data python bench/fit_consistency.py
    LASTMILE_DATA=data python bench/fit_consistency.py --cross-validate    # writes nothing

Only dev parts are read: FRANK's `valid` split and the dev part of the XSum hallucination annotations (`labelled.py`).
The word model is an L2 logistic regression on the words that two of three annotators marked. The summary model is one
whose weights keep the signs of `lastmile.judge.signals.SUPPORTS`; its word signals come from models that did not see
the document. The same data give the same file to the last byte.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from agreement import auc
from labelled import Labelled, frank, hashed_part, redundancy, summedits, xsum_hallucination

import lastmile.judge
from lastmile.judge.consistency import Logistic, Reading, read_summary
from lastmile.judge.document import Text
from lastmile.judge.redundancy import redundancy_signals
from lastmile.judge.signals import SUPPORTS, summary_signals

WORD_L2, SUMMARY_L2, STEPS, NUM_FOLDS = 10.0, 30.0, 2000, 5
THRESHOLDS = np.arange(1, 100) / 100
OUT = Path(lastmile.judge.__file__).with_name("consistency.json")

Agreement = Callable[[np.ndarray, np.ndarray], float]


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


def row_of(item: Labelled, reading: Reading, model: Logistic) -> list[float]:
    """The signals of a summary with the word model that it is given."""
    signals = summary_signals(
        reading.grounding, reading.numbers, reading.names, [model(signals) for signals in reading.words]
    )
    return [signals[name] for name in SUPPORTS]


def fit_edited(rows: np.ndarray, labels: np.ndarray, signs: np.ndarray, unseen: list[Logistic]) -> Logistic:
    """The model for edited summaries: SummEdits' dev part beside the others, with an intercept for each domain.

    The intercepts of the domains are dropped: how many summaries were spoiled is the data set's choice.
    """
    items, more = [], []
    for item in summedits("dev"):
        reading = read_summary(item.document, item.summary)
        if reading is not None:
            items.append(item)
            more.append(row_of(item, reading, unseen[fold(item.key)]))
    domains = sorted({item.group for item in items})
    inside = np.array([[3.0 * (item.group == domain) for domain in domains] for item in items])
    x = np.r_[np.c_[rows, np.zeros((len(rows), len(domains)))], np.c_[np.array(more), inside]]
    y = np.r_[labels, [float(item.consistent) for item in items]]
    intercept, weights = fit(x, y, np.r_[signs, np.zeros(len(domains))], SUMMARY_L2)
    return rounded(list(SUPPORTS), intercept, weights[: len(signs)])


def held_out(items: list[Labelled], rows: np.ndarray, labels: np.ndarray, signs: np.ndarray) -> np.ndarray:
    """`(N,)` probabilities of summaries whose documents the summary model did not see."""
    folds = np.array([fold(item.key) for item in items])
    found = np.zeros(len(labels))
    for k in range(NUM_FOLDS):
        intercept, weights = fit(rows[folds != k], labels[folds != k], signs, SUMMARY_L2)
        found[folds == k] = intercept + rows[folds == k] @ weights
    return 1 / (1 + np.exp(-found))


def best_threshold(probabilities: np.ndarray, labels: np.ndarray, agreement: Agreement) -> float:
    """The least of 0.01, 0.02, …, 0.99 at which "probability ≥ threshold" agrees best with the labels."""
    found = [agreement(probabilities >= threshold, labels) for threshold in THRESHOLDS]
    return float(THRESHOLDS[int(np.argmax(found))])


def balanced_accuracy(said: np.ndarray, labels: np.ndarray) -> float:
    """Mean of the shares of both kinds that are found; `(N,)` bool each."""
    return float((said[labels].mean() + (~said[~labels]).mean()) / 2)


def f1(said: np.ndarray, labels: np.ndarray) -> float:
    """2 · both / (said + labels); `(N,)` bool each."""
    return float(2 * (said & labels).sum() / (said.sum() + labels.sum()))


def fit_thresholds(
    judged: list[tuple[Labelled, Reading]], probabilities: np.ndarray, unseen: list[Logistic]
) -> dict[str, float]:
    """Where to say no, on probabilities of models that did not see the document.

    One-sentence summaries and longer ones have their own: the former are nearly all faulty in the data, the latter are
    not, and no one threshold suits both.
    """
    labels = np.array([item.consistent for item, _ in judged])
    single = np.array([reading.num_sentences == 1 for _, reading in judged])
    marked = [(item, reading, unseen[fold(item.key)]) for item, reading in judged if item.marked]
    words = np.array([model(signals) for _, reading, model in marked for signals in reading.words])
    marks = np.array([item.marked[place] for item, reading, _ in marked for place in reading.grounding.words])
    return {
        "one_sentence": best_threshold(probabilities[single], labels[single], balanced_accuracy),
        "several_sentences": best_threshold(probabilities[~single], labels[~single], balanced_accuracy),
        "word": best_threshold(words, marks, f1),
    }


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
    rows = np.array([row_of(item, reading, unseen[fold(item.key)]) for item, reading in judged])
    labels = np.array([item.consistent for item, _ in judged], float)
    signs = np.array(list(SUPPORTS.values()))
    summary = rounded(list(SUPPORTS), *fit(rows, labels, signs, SUMMARY_L2))
    items = [item for item, _ in judged]
    probabilities = held_out(items, rows, labels, signs)
    if "--cross-validate" in sys.argv:
        groups = np.array([item.group for item in items])
        for group in sorted(set(groups)):
            here = groups == group
            area = auc(probabilities[here], labels[here] > 0)
            print(f"{group:20}AUC {area:.3f} in {NUM_FOLDS}-fold cross-validation")
        return
    edited = fit_edited(rows, labels, signs, unseen)
    rated = [(redundancy_signals(Text(text), cased=True), rating < 0) for text, rating in redundancy("dev")]
    names = list(rated[0][0])
    again = rounded(
        names,
        *fit(
            np.array([list(signals.values()) for signals, _ in rated]),
            np.array([low for _, low in rated], float),
            np.ones(len(names)),
            SUMMARY_L2,
        ),
    )
    document = {
        "provenance": {
            "command": "python bench/fit_consistency.py",
            "data": "FRANK (Pagnoni et al. 2021), `valid`; XSum hallucinations (Maynez et al. 2020), dev part",
            "edits": "SummEdits (Laban et al. 2023), dev part, beside the data above",
            "ratings": "summaries of CNN/DM rated for redundancy (Chaganty et al. 2018), dev part; positive is below 0",
            "thresholds": f"balanced accuracy (summaries), F1 (words); {NUM_FOLDS} folds of documents of the same data",
            "summaries": len(judged),
            "rated_summaries": len(rated),
            "marked_words": sum(len(reading.words) for _, reading in marked),
            "l2": {"summary": SUMMARY_L2, "word": WORD_L2},
        },
        "thresholds": fit_thresholds(judged, probabilities, unseen),
        "summary": {"intercept": summary.intercept, "weights": dict(summary.weights)},
        "edited": {"intercept": edited.intercept, "weights": dict(edited.weights)},
        "word": {"intercept": words.intercept, "weights": dict(words.weights)},
        "redundancy": {"intercept": again.intercept, "weights": dict(again.weights)},
    }
    aside = OUT.with_suffix(".tmp")
    aside.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    aside.replace(OUT)
    print(f"{len(judged)} summaries; {OUT.name} written")


if __name__ == "__main__":
    main()

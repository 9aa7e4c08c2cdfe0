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
from typing import Any

import numpy as np
from agreement import auc
from labelled import Labelled, frank, hashed_part, redundancy, summedits, xsum_hallucination

import lastmile.judge
from lastmile.judge.consistency import Logistic, Reading, read_summary
from lastmile.judge.document import Text
from lastmile.judge.redundancy import redundancy_signals
from lastmile.judge.signals import SUPPORTS, summary_signals

WORD_L2, SUMMARY_L2, STEPS, NUM_FOLDS = 10.0, 30.0, 2000, 5
DIVISIONS = 8
THRESHOLDS = np.arange(1, 100) / 100
PRECISIONS = (0.8, 0.9)
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


def fold(key: str, division: int = 0) -> int:
    """The fold of a document, so that all its summaries share one. Other divisions than 0 tell how far chance goes."""
    key = f"rep {division} {key}" if division else key
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


def held_out(
    items: list[Labelled], rows: np.ndarray, labels: np.ndarray, signs: np.ndarray, division: int = 0
) -> np.ndarray:
    """`(N,)` probabilities of summaries whose documents the summary model did not see."""
    folds = np.array([fold(item.key, division) for item in items])
    found = np.zeros(len(labels))
    for k in range(NUM_FOLDS):
        intercept, weights = fit(rows[folds != k], labels[folds != k], signs, SUMMARY_L2)
        found[folds == k] = intercept + rows[folds == k] @ weights
    return 1 / (1 + np.exp(-found))


def even_precision(alarms: np.ndarray, faulty: np.ndarray) -> float:
    """The share of right alarms if half were faulty: h / (h + f) with the shares h of hits and f of false alarms.

    Counted plainly, nine in ten alarms are right on one-sentence summaries whatever raises them. `(N,)` bool each; 0
    without an alarm.
    """
    hits, false = alarms[faulty].mean(), alarms[~faulty].mean()
    return float(hits / (hits + false)) if hits + false else 0.0


def best_threshold(alarms: np.ndarray, faulty: np.ndarray, agreement: Agreement) -> float:
    """The least of `THRESHOLDS` at which alarms agree best with people.

    Args:
        alarms: `(99, N)` bool: what is called faulty at each of them.
        faulty: `(N,)` bool: what is.
        agreement: Higher is better.
    """
    return float(THRESHOLDS[int(np.argmax([agreement(raised, faulty) for raised in alarms]))])


def precise_threshold(alarms: np.ndarray, faulty: np.ndarray, precision: float) -> float:
    """The one of `THRESHOLDS` with most alarms among those with the precision; arguments as in `best_threshold`."""
    good = [k for k, raised in enumerate(alarms) if even_precision(raised, faulty) >= precision]
    return float(THRESHOLDS[max(good, key=lambda k: alarms[k].sum())])


def balanced_accuracy(said: np.ndarray, labels: np.ndarray) -> float:
    """Mean of the shares of both kinds that are found; `(N,)` bool each."""
    return float((said[labels].mean() + (~said[~labels]).mean()) / 2)


def f1(said: np.ndarray, labels: np.ndarray) -> float:
    """2 · both / (said + labels); `(N,)` bool each."""
    return float(2 * (said & labels).sum() / (said.sum() + labels.sum()))


def held_out_alarms(
    judged: list[tuple[Labelled, Reading]], probabilities: np.ndarray, unseen: list[Logistic]
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """What models that did not see the document call faulty at each of `THRESHOLDS`, `(99, N)`, and what is, `(N,)`.

    One-sentence summaries and longer ones are apart: the former are nearly all faulty in the data, the latter are not,
    and no one threshold suits both. Words are called unsupported from a threshold on, summaries faulty below it.
    """
    faulty = np.array([not item.consistent for item, _ in judged])
    single = np.array([reading.num_sentences == 1 for _, reading in judged])
    marked = [(item, reading, unseen[fold(item.key)]) for item, reading in judged if item.marked]
    words = np.array([model(signals) for _, reading, model in marked for signals in reading.words])
    marks = np.array([item.marked[place] for item, reading, _ in marked for place in reading.grounding.words])
    below = probabilities < THRESHOLDS[:, None]
    return {
        "one_sentence": (below[:, single], faulty[single]),
        "several_sentences": (below[:, ~single], faulty[~single]),
        "word": (words >= THRESHOLDS[:, None], marks),
    }


def fit_thresholds(alarms: dict[str, tuple[np.ndarray, np.ndarray]]) -> dict[str, dict[str, Any]]:
    """Where to say no: to tell the two kinds apart, and for each of `PRECISIONS`."""
    return {
        "thresholds": {
            kind: best_threshold(*found, f1 if kind == "word" else balanced_accuracy) for kind, found in alarms.items()
        },
        "thresholds_by_precision": {
            f"{precision:g}": {kind: precise_threshold(*found, precision) for kind, found in alarms.items()}
            for precision in PRECISIONS
        },
    }


def print_alarms(alarms: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
    """Precision and recall at each threshold, on the summaries that it was chosen on."""
    fitted = fit_thresholds(alarms)
    rows = {"balanced accuracy, F1": fitted["thresholds"]}
    rows |= {f"precision {target}": found for target, found in fitted["thresholds_by_precision"].items()}
    for name, thresholds in rows.items():
        for kind, threshold in thresholds.items():
            raised, faulty = alarms[kind][0][round(threshold * 100) - 1], alarms[kind][1]
            print(
                f"{name:22}{kind:18}at {threshold:.2f}: {raised.sum():5} alarms of {len(raised):5}, "
                f"precision {even_precision(raised, faulty):.3f} if half are faulty, "
                f"{faulty[raised].mean():.3f} with {faulty.mean():.0%} as here, recall {raised[faulty].mean():.3f}"
            )


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
    alarms = held_out_alarms(judged, probabilities, unseen)
    if "--cross-validate" in sys.argv:
        groups = np.array([item.group for item in items])
        divided = [held_out(items, rows, labels, signs, division) for division in range(DIVISIONS)]
        for group in sorted(set(groups)):
            here = groups == group
            areas = [auc(found[here], labels[here] > 0) for found in divided]
            spread = f"{np.mean(areas):.3f} ± {np.std(areas):.3f} over {DIVISIONS} divisions into folds"
            print(f"{group:20}AUC {areas[0]:.3f} in {NUM_FOLDS}-fold cross-validation; {spread}")
        print_alarms(alarms)
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
            "thresholds_by_precision": "the share of right alarms if half were faulty; the same folds",
            "summaries": len(judged),
            "rated_summaries": len(rated),
            "marked_words": sum(len(reading.words) for _, reading in marked),
            "l2": {"summary": SUMMARY_L2, "word": WORD_L2},
        },
        **fit_thresholds(alarms),
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

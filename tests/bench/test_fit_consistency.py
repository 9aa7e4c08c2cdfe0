"""How thresholds are chosen, by hand; the fit itself wants data sets that are not here."""

import sys
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def fitting(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "bench"))
    import fit_consistency

    yield fit_consistency
    for name in ("labelled", "agreement", "fit_consistency"):
        sys.modules.pop(name, None)


def test_thresholds_by_hand(fitting):
    labels = np.array([False, False, True, True])
    # From 0.31 on, both false ones are below; at 0.71 the first true one is lost as well.
    below = np.array([0.1, 0.3, 0.7, 0.9]) < fitting.THRESHOLDS[:, None]
    assert fitting.best_threshold(below, ~labels, fitting.balanced_accuracy) == 0.31
    # All four said: 2 · 2 / (4 + 2). Three said, two of them rightly: 2 · 2 / (3 + 2).
    assert fitting.f1(np.array([True] * 4), labels) == pytest.approx(2 / 3)
    assert fitting.f1(np.array([False, True, True, True]), labels) == 0.8
    assert fitting.balanced_accuracy(np.array([False, True, True, True]), labels) == 0.75


def test_precision_counts_as_if_half_were_faulty(fitting):
    faulty = np.array([True] * 8 + [False] * 2)
    # Six of eight faulty ones and one of two good ones: 0.75 / (0.75 + 0.5), although 6 of 7 alarms are right.
    assert fitting.even_precision(np.array([True] * 6 + [False] * 3 + [True]), faulty) == pytest.approx(0.6)
    assert fitting.even_precision(np.zeros(10, bool), faulty) == 0.0


def test_thresholds_for_a_precision_by_hand(fitting):
    steps = fitting.THRESHOLDS[:, None]
    scores, faulty = np.array([0.1, 0.2, 0.3, 0.4, 0.5]), np.array([True, False, True, True, False])
    # Below t, of 3 faulty and 2 good: .11 1/3, 0; .21 1/3, 1/2; .31 2/3, 1/2; .41 1, 1/2: 2/3 is right; .51 one half.
    # From 0.41 to 0.50 the alarms are the same, and the least is taken.
    assert fitting.precise_threshold(scores < steps, faulty, 0.6) == 0.41
    assert fitting.precise_threshold(scores < steps, faulty, 0.9) == 0.11
    # From t on it is the other way round: the good 0.5 is always in. 0.21 on: 2/3 / (2/3 + 1/2) = 0.571; all: one half.
    assert fitting.precise_threshold(scores >= steps, faulty, 0.55) == 0.21

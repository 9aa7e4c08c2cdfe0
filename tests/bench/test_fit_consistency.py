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
    assert fitting.best_threshold(np.array([0.1, 0.3, 0.7, 0.9]), labels, fitting.balanced_accuracy) == 0.31
    # All four said: 2 · 2 / (4 + 2). Three said, two of them rightly: 2 · 2 / (3 + 2).
    assert fitting.f1(np.array([True] * 4), labels) == pytest.approx(2 / 3)
    assert fitting.f1(np.array([False, True, True, True]), labels) == 0.8
    assert fitting.balanced_accuracy(np.array([False, True, True, True]), labels) == 0.75

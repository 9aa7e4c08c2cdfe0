"""Training a detector: what is spoiled, what counts in the loss, where the threshold lies, and that it learns."""

import random

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from lastmile.judge.profile import TargetProfile
from lastmile.policy.detector import build_small_encoder
from lastmile.records import Example
from lastmile.train.detector import Lessons, Spoiled, _Batches, choose_threshold, fit_detector, spoil, token_loss

PROFILE = TargetProfile.neutral(cased=True)
NAMES = ("Ann", "Ben", "Clara", "David", "Emma", "Frank")


def examples(count, seed=0):
    dice = random.Random(seed)
    for number in range(count):
        here, there = dice.sample(NAMES, 2)
        yield Example(f"{seed}-{number}", f"Then {here} paid. So {there} left.", (f"We saw {here} pay.",))


def test_spoiling_is_seeded_and_takes_each_example_once():
    split = list(examples(40))
    rows = list(spoil(split, PROFILE, 0.5, "a"))
    assert rows == list(spoil(split, PROFILE, 0.5, "a")) != list(spoil(split, PROFILE, 0.5, "b"))
    assert sorted(row.document for row in rows) == sorted(example.document for example in split)
    # 40 throws at one half: outside of 10..30 once in a thousand seeds, and this seed is fixed.
    assert 10 <= sum(row.kind != "none" for row in rows) <= 30
    assert all(any(row.changed) == (row.kind != "none") for row in rows)
    assert {row.kind for row in spoil(split, PROFILE, 0.0, "a")} == {"none"}


def test_loss_is_the_mean_over_the_tokens_of_summaries():
    detector = build_small_encoder([e.document for e in examples(20)], 64, seed=1).eval()
    rows = [Spoiled("Then Ann paid.", "We saw Ben.", (False, False, True), "entity"), Spoiled("So.", "We.", (), "none")]
    ((pairs, wrong),) = _Batches(detector, rows, 2, 0)
    # The shorter pair comes first. Only tokens of `Ben` are wrong.
    assert [bool(row.any()) for row in wrong] == [False, True]
    assert torch.equal(wrong[1] == 1, pairs.word_of[1] == 2)
    with torch.no_grad():
        odds = detector(pairs)
        terms = [
            F.softplus(-odds[n, t] if wrong[n, t] else odds[n, t])
            for n in range(2)
            for t in range(odds.shape[1])
            if pairs.word_of[n, t] >= 0
        ]
        assert token_loss(detector, pairs, wrong).item() == pytest.approx(float(sum(terms)) / len(terms), rel=1e-5)


def test_threshold_marks_most_at_the_wanted_precision():
    scores, changed = np.array([0.9, 0.8, 0.8, 0.6, 0.3]), np.array([True, True, False, True, False])
    # Marked words and precision: 0.9: 1/1; 0.8: 2/3, both of the score 0.8 or none; 0.6: 3/4; 0.3: 3/5.
    assert choose_threshold(scores, changed, 0.7) == (0.6, 0.75)
    assert choose_threshold(scores, changed, 0.6) == (0.3, 0.6)
    assert choose_threshold(scores, changed, 1.0) == (0.9, 1.0)
    # None reaches 0.9: the best there is.
    assert choose_threshold(scores[1:], changed[1:], 0.9) == (0.6, 2 / 3)


def test_it_learns_and_keeps_the_best_epoch():
    """Three epochs are too few to find wrong names by the document; the held-out loss falls all the same."""
    train, held_out = list(examples(96)), list(spoil(list(examples(24, seed=7)), PROFILE, 0.5, "held out"))
    detector = build_small_encoder([e.document for e in train], 64, seed=1)
    batches = list(_Batches(detector.eval(), held_out, 32, 0))
    with torch.no_grad():
        before = token_loss(detector, *batches[0]).item()
    course = fit_detector(detector, train, held_out, PROFILE, Lessons(3, 16, 1e-3, 3, 1))
    with torch.no_grad():
        after = token_loss(detector.eval(), *batches[0]).item()
    assert after < before
    assert after == pytest.approx(course["loss"], rel=1e-4), "the weights are those of the best epoch"
    assert 1 <= course["best_epoch"] <= course["epochs"] == 3


def test_patience_ends_it():
    train, held_out = list(examples(8)), list(spoil(list(examples(8, seed=7)), PROFILE, 1.0, "held out"))
    detector = build_small_encoder([e.document for e in train], 64, seed=1)
    # With a rate of 0 nothing moves: the second epoch is no better, and one without gain is enough.
    course = fit_detector(detector, train, held_out, PROFILE, Lessons(9, 4, 0.0, 1, 1))
    assert (course["epochs"], course["best_epoch"]) == (2, 1)

"""Training a detector: what is spoiled, what counts in the loss, where the threshold lies, and that it learns."""

import random

import numpy as np
import pytest
import torch
from tiny import SENTENCES, tiny_policy
from torch.nn import functional as F

from lastmile.corpus.text import words
from lastmile.judge.profile import TargetProfile
from lastmile.policy.detector import build_small_encoder
from lastmile.policy.rewrite import Rewriter
from lastmile.records import Example
from lastmile.train.detector import (
    Lessons,
    Spoiled,
    _Batches,
    choose_threshold,
    fit_detector,
    rewrite,
    spoil,
    strew,
    token_loss,
)

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


def test_unknown_words_have_no_part_in_the_loss():
    detector = build_small_encoder([e.document for e in examples(20)], 64, seed=1).eval()
    known = Spoiled("Then Ann paid.", "We saw Ben.", (False, False, True), "rewrite")
    partly = Spoiled("Then Ann paid.", "We saw Ben.", (None, False, True), "rewrite")
    ((pairs, wrong),) = _Batches(detector, [partly], 1, 0)
    first = pairs.word_of[0] == 0
    assert wrong[0, first].isnan().all() and not wrong[0, ~first].isnan().any()
    with torch.no_grad():
        odds = detector(pairs)
        terms = [
            F.softplus(-odds[0, t] if pairs.word_of[0, t] == 2 else odds[0, t]).item()
            for t in range(odds.shape[1])
            if pairs.word_of[0, t] in (1, 2)
        ]
        assert token_loss(detector, pairs, wrong).item() == pytest.approx(sum(terms) / len(terms), rel=1e-5)
        (whole,) = _Batches(detector, [known], 1, 0)
        assert token_loss(detector, *whole) != token_loss(detector, pairs, wrong)


@pytest.fixture(scope="module")
def rewriter():
    return Rewriter(tiny_policy("bart"), "", 128)


def stories(count):
    return [Example(f"s{n}", SENTENCES[n % 6], (f"{SENTENCES[n % 6][:30].rstrip()}.",)) for n in range(count)]


def test_rewriting_is_seeded_and_labels_what_the_model_wrote(rewriter):
    split = stories(12)
    rows = rewrite(rewriter, split, PROFILE, 1.0, 8, "a", True)
    assert rows == rewrite(rewriter, split, PROFILE, 1.0, 8, "a", True)
    assert rows != rewrite(rewriter, split, PROFILE, 1.0, 8, "b", True)
    assert 0 < len(rows) <= 8 and {row.kind for row in rows} == {"rewrite"}
    assert all(len(row.changed) == len(words(row.summary)) for row in rows)
    # An untrained model writes noise: some of its words are in no document and doubted.
    assert any(True in row.changed for row in rows)
    alone = {row.document: row for row in rewrite(rewriter, split, PROFILE, 1.0, 1, "a", True)}
    assert all(row in rows for row in alone.values()), "what is rewritten beside it has no part in it"


def test_what_is_not_rewritten_is_spelled_as_the_model_would(rewriter):
    split = stories(12)
    rows = rewrite(rewriter, split, PROFILE, 0.0, 5, "a", True)
    assert [row.kind for row in rows] == ["none"] * 5 and {row.changed for row in rows} == {()}
    assert {(row.document, row.summary) for row in rows} <= {(e.document, rewriter.spell(e.target)) for e in split}


def test_further_rows_are_strewn_among_the_others():
    rows = [Spoiled("", str(n), (), "none") for n in range(20)]
    others = [Spoiled("", f"+{n}", (), "none") for n in "abc"]
    mixed = list(strew(iter(rows), others, 20, "a"))
    assert mixed == list(strew(iter(rows), others, 20, "a")) != list(strew(iter(rows), others, 20, "b"))
    assert [row for row in mixed if row in rows] == rows
    assert sorted(row.summary for row in mixed if row in others) == ["+a", "+b", "+c"]
    assert list(strew(iter(rows), [], 20, "a")) == rows


def test_rewritten_rows_are_learnt_from():
    train = list(examples(8))
    held_out = list(spoil(list(examples(8, seed=7)), PROFILE, 1.0, "held out"))
    weights = []
    for rewritten in ([], [Spoiled("Then Ann paid.", "Ben slept.", (True, None), "rewrite")] * 8):
        detector = build_small_encoder([e.document for e in train], 64, seed=1)
        fit_detector(detector, train, held_out, PROFILE, Lessons(1, 8, 1e-3, 1, 1), rewritten)
        weights.append(detector.model.classifier.weight)
    assert not torch.equal(*weights)


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

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastmile.compare.agreement import Words, auc, balanced_accuracy, bootstrap, mean, only, span_agreement
from lastmile.compare.significance import interval


def value(measure, weights):
    return measure(np.atleast_2d(np.asarray(weights, dtype=float)))[0]


def test_auc_with_a_tie_by_hand():
    # Faulty 3 and 1, consistent 1 and 0: 3 > 1, 3 > 0, 1 = 1 (one half), 1 > 0, so 3.5 of 4 pairs.
    measure = auc(np.array([3.0, 1, 1, 0]), np.array([True, True, False, False]))
    assert value(measure, [1, 1, 1, 1]) == 3.5 / 4
    # Faulty 3 twice, consistent 0 three times: 2 · (1 + 3) + 1 · (½ + 3) of 3 · 4 pairs.
    assert value(measure, [2, 1, 1, 3]) == pytest.approx(11.5 / 12)
    assert value(auc(np.zeros(4), np.array([True, False, True, False])), np.ones(4)) == 0.5


def test_auc_of_one_kind_is_undefined():
    measure = auc(np.array([1.0, 2, 3]), np.array([True, False, False]))
    assert np.isnan(value(measure, [0, 1, 2]))
    assert np.isnan(value(measure, [3, 0, 0]))
    assert value(measure, [1, 1, 1]) == 0


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans(), st.integers(0, 3)), min_size=2, max_size=12))
def test_auc_is_what_counting_pairs_gives(rows):
    scores, faulty, weights = (np.array(column) for column in zip(*rows, strict=True))
    bad, good = np.flatnonzero(faulty), np.flatnonzero(~faulty)
    pairs = weights[bad].sum() * weights[good].sum()
    won = sum(
        weights[i] * weights[j] * ((scores[i] > scores[j]) + (scores[i] == scores[j]) / 2) for i in bad for j in good
    )
    found = value(auc(scores.astype(float), faulty), weights)
    assert np.isnan(found) if pairs == 0 else found == pytest.approx(won / pairs)


def test_balanced_accuracy_by_hand():
    # Three of four faulty summaries are raised, and one of two consistent ones is not: (3/4 + 1/2) / 2.
    faulty = np.array([True] * 4 + [False] * 2)
    raised = np.array([True, True, True, False, True, False])
    assert value(balanced_accuracy(raised, faulty), np.ones(6)) == (3 / 4 + 1 / 2) / 2
    # The missed one counts twice and the raised consistent one never: (3/5 + 1) / 2.
    assert value(balanced_accuracy(raised, faulty), [1, 1, 1, 2, 0, 1]) == pytest.approx((3 / 5 + 1) / 2)


def test_words_by_hand():
    # Two words marked by each in the first summary, one of them shared; three by the detector alone in the second.
    measures = span_agreement(Words(np.array([1.0, 0]), np.array([2.0, 3]), np.array([2.0, 0])))
    found = {name: value(measure, [1, 1]) for name, measure in measures.items()}
    assert found == {"precision": 1 / 5, "recall": 1 / 2, "f1": 2 / 7}
    assert value(measures["f1"], [1, 0]) == 2 / 4
    assert np.isnan(value(measures["recall"], [0, 1])), "nobody marked a word"


def test_means_and_parts():
    where = np.array([True, False, True])
    assert value(mean(np.array([1.0, 100, 4]), where), [1, 1, 2]) == 3
    assert value(only(mean(np.array([1.0, 4]), np.ones(2)), where), [1, 50, 1]) == 2.5


def test_bootstrap_is_the_same_for_the_same_seed_alone():
    scores, faulty = np.array([3.0, 1, 1, 0, 2]), np.array([True, True, False, False, True])
    measures = {"auc": auc(scores, faulty)}
    observed, drawn = bootstrap(measures, "abcde", 200, seed=3)["auc"]
    assert observed == value(measures["auc"], np.ones(5))
    assert np.array_equal(drawn, bootstrap(measures, "abcde", 200, seed=3)["auc"][1], equal_nan=True)
    assert not np.array_equal(drawn, bootstrap(measures, "abcde", 200, seed=4)["auc"][1], equal_nan=True)


def test_summaries_of_one_document_are_drawn_together():
    seen = []
    bootstrap({"weights": lambda weights: seen.append(weights) or weights[:, 0]}, ["a", "b", "a", "b", "c"], 50, seed=1)
    drawn = np.concatenate(seen[1:])
    assert drawn.shape == (50, 5)
    assert (drawn[:, 0] == drawn[:, 2]).all() and (drawn[:, 1] == drawn[:, 3]).all()
    assert (drawn[:, [0, 1, 4]].sum(axis=1) == 3).all(), "as many documents as there are"
    # Ten copies of each summary are no more evidence than one.
    values = np.random.default_rng(0).normal(size=40)
    one = bootstrap({"m": mean(values, np.ones(40, bool))}, range(40), 2000, seed=1)["m"]
    ten = bootstrap({"m": mean(np.tile(values, 10), np.ones(400, bool))}, [*range(40)] * 10, 2000, seed=1)["m"]
    assert interval(ten[1]) == pytest.approx(interval(one[1]))

import numpy as np
import pytest

from lastmile.compare.baselines import lead, lead_system, rerank, target_system, without_first_target
from lastmile.errors import InputError
from lastmile.records import Example, Summary

EXAMPLES = [Example("a", "One. Two. Three. Four.", ("first", "second")), Example("b", "Alone", ("only",))]


def test_lead_is_the_first_three_sentences():
    assert [summary.text for summary in lead_system(EXAMPLES).summaries] == ["One. Two. Three.", "Alone"]
    assert lead("Hi!\nHello.\nHow are you?\nFine.") == "Hi! Hello. How are you?"


def test_targets_are_a_system_that_never_judges_itself():
    assert [summary.text for summary in target_system(EXAMPLES).summaries] == ["first", "only"]
    assert [example.targets for example in without_first_target(EXAMPLES)] == [("second",), ()]


def test_documents_without_targets_are_named():
    with pytest.raises(InputError) as error:
        target_system([*EXAMPLES, Example("c", "x")])
    assert str(error.value) == "1 of 3 documents have no target (first: `c`)"


def test_rerank_takes_the_best_the_first_of_equals_and_leaves_unscored_ones():
    candidates = [[Summary(f"{b}{k}") for k in range(3)] for b in range(4)]
    nan = np.nan
    scores = np.array([[0.1, 0.3, 0.2], [0.5, 0.5, 0.1], [nan, -2.0, -1.0], [nan, nan, nan]])
    assert [summary.text for summary in rerank(candidates, scores)] == ["01", "10", "22", "30"]


def test_rerank_wants_a_score_for_each_candidate():
    with pytest.raises(InputError) as error:
        rerank([[Summary("a"), Summary("b")]], np.zeros((1, 3)))
    assert str(error.value) == "one score is needed for each candidate: got scores (1, 3) for candidates (1, 2)"

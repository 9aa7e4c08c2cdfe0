"""Models as rewards of the judge: their weights, what they are shown, where they lie, and what cannot be loaded."""

import math

import numpy as np
import pytest
from readers import encoder_checkpoint, nli_checkpoint

from lastmile.config import NLIReward, RougeReward, SemanticReward, parse_recipe
from lastmile.errors import InputError
from lastmile.judge.judge import Judge
from lastmile.judge.models import check_models
from lastmile.judge.nli import load_entailment
from lastmile.judge.profile import TargetProfile
from lastmile.judge.semantic import load_semantic
from lastmile.records import Example, Summary

PROFILE = TargetProfile(2, 6, 4, 3, 1.0, True)
STORM = Example("a", "A storm hit the coast. Two boats sank.", ("A storm sank two boats.",))
SUMMARIES = [[Summary("Two boats sank."), Summary("The bridge closed."), Summary("…")]]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return encoder_checkpoint(tmp_path_factory.mktemp("models") / "encoder")


@pytest.fixture(scope="module")
def nli(tmp_path_factory):
    return nli_checkpoint(tmp_path_factory.mktemp("models") / "nli")


def test_rewards_are_what_the_models_say_times_their_weight(encoder, nli):
    rewards = [SemanticReward(kind="semantic", model=encoder, weight=2.0), NLIReward(kind="nli", model=nli, weight=0.5)]
    judge = Judge(rewards, {}, PROFILE)
    scores = judge([STORM], SUMMARIES)
    assert judge.names == ("semantic", "nli")
    pairs = [(STORM.document, summary.text) for summary in SUMMARIES[0][:2]]
    near, entailed = load_semantic(encoder)(pairs), load_entailment(nli)(pairs)
    assert scores.rewards["semantic"][0, :2] == pytest.approx(near, abs=1e-6)
    assert scores.rewards["nli"][0, :2] == pytest.approx(entailed, abs=1e-6)
    assert scores.total[0, :2] == pytest.approx(2 * near + 0.5 * entailed, abs=1e-5)
    assert near[0] > near[1], "a copied sentence"
    assert math.isnan(scores.total[0, 2]), "without a word there is no score"


def test_compare_may_rerank_with_them(encoder):
    judge = Judge([RougeReward(kind="rouge"), SemanticReward(kind="semantic", model=encoder)], {}, PROFILE)
    total, free = judge([STORM], SUMMARIES), judge.reference_free([STORM], SUMMARIES)
    np.testing.assert_array_equal(free, total.rewards["semantic"])
    nobody = Example("a", STORM.document, ())
    np.testing.assert_array_equal(judge.reference_free([nobody], SUMMARIES), free)


def test_no_words_at_all(encoder, nli):
    judge = Judge([SemanticReward(kind="semantic", model=encoder), NLIReward(kind="nli", model=nli)], {}, PROFILE)
    assert np.isnan(judge([STORM], [[Summary(""), Summary(" ")]]).total).all()
    assert judge([], []).total.shape == (0, 0)


def test_the_judge_moves_its_models(encoder, nli):
    judge = Judge([SemanticReward(kind="semantic", model=encoder), NLIReward(kind="nli", model=nli)], {}, PROFILE)
    assert judge.to("meta") is judge
    near, entailed = judge._models.values()
    for inside in (near.encoder.model, entailed.model.model):
        assert {parameter.device.type for parameter in inside.parameters()} == {"meta"}


def test_every_model_that_cannot_be_used_is_told_with_its_place(encoder, tmp_path):
    nameless = nli_checkpoint(tmp_path / "nameless", ("LABEL_0", "LABEL_1"))
    rewards = [
        SemanticReward(kind="semantic", model=encoder),
        SemanticReward(kind="semantic", model=str(tmp_path / "nowhere")),
        NLIReward(kind="nli", model=nameless),
    ]
    for told in (check_models(rewards), _refusal(rewards)):
        assert len(told) == 2
        assert told[0].startswith(f"`rewards.1.model`: `{tmp_path / 'nowhere'}` is neither a folder here nor a model")
        assert told[1].startswith(f"`rewards.2.model`: `{nameless}`: an NLI model names one of its labels `entailment`")
    assert check_models([RougeReward(kind="rouge")]) == []


def _refusal(rewards):
    with pytest.raises(InputError) as refused:
        Judge(rewards, {}, PROFILE)
    return str(refused.value).split("\n")


def test_recipes_name_a_model_and_nothing_else():
    tree = {"data": {"name": "x"}, "model": {"name": "y"}}
    with pytest.raises(InputError) as refused:
        parse_recipe({**tree, "rewards": [{"kind": "semantic"}, {"kind": "nli", "modle": "z", "model": ""}]})
    assert str(refused.value).split("\n") == [
        "recipe: `rewards.0.model`: required, not given",
        "recipe: `rewards.1.model`: string should have at least 1 character, got ``",
        "recipe: `rewards.1.modle`: unknown key. Did you mean `model`?",
    ]

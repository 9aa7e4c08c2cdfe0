"""Runs that models reward: trained, compared, left out of checkpoints, and resumed to the same numbers."""

from __future__ import annotations

import pytest
from readers import encoder_checkpoint, nli_checkpoint
from safetensors.torch import load_file
from small import metrics, small_recipe, small_run, tiny_checkpoint, weights, write_corpus

from lastmile.compare.runs import compare_runs
from lastmile.errors import InputError, RunError
from lastmile.train.run import RunFolder
from lastmile.train.tune import check_recipe, tune
from lastmile.train.validate import Validate

STEPS = "likelihood.epochs=0", "policy_gradient.steps=4", "policy_gradient.validate_every=2"


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Kind to a checkpoint."""
    folder = tmp_path_factory.mktemp("models")
    return {"semantic": encoder_checkpoint(folder / "encoder"), "nli": nli_checkpoint(folder / "nli")}


@pytest.mark.parametrize("kind", ["semantic", "nli"])
def test_two_steps_with_a_model_as_only_reward_and_a_comparison(kind, models, tmp_path):
    rewards = [{"kind": kind, "model": models[kind], "weight": 1.0}]
    settings = "likelihood.epochs=0", "policy_gradient.steps=2", "policy_gradient.mle_coefficient=0"
    recipe = small_recipe(write_corpus(tmp_path / "data"), *settings, rewards=rewards)
    run = small_run(tmp_path / "run", recipe)
    rows = metrics(run, "policy_gradient", "train")
    assert [row["step"] for row in rows] == [1, 2]
    assert all(0 <= row[f"reward/{kind}"] <= 1 for row in rows)
    assert weights(run, "last") != weights(run, "baseline"), "it learnt from this reward alone"
    kept = load_file(run.path / "last" / "model.safetensors")
    assert kept.keys() == load_file(tiny_checkpoint() / "model.safetensors").keys()
    found = compare_runs([run], recipe.compare, lambda text: None)
    assert "n-best" in " ".join(system.name for system in found.systems)
    assert found.judge.names == (kind,)


def test_an_interrupted_run_goes_on_to_the_same_numbers(models, tmp_path, monkeypatch):
    rewards = [{"kind": kind, "model": model} for kind, model in models.items()]
    recipe = small_recipe(write_corpus(tmp_path / "data"), *STEPS, rewards=rewards)
    whole = small_run(tmp_path / "whole", recipe)

    def fail(self, trainer, module, *rest, real=Validate.on_train_batch_end):
        real(self, trainer, module, *rest)
        if trainer.global_step == 3:
            raise RunError("power is gone")

    run = RunFolder.new(tmp_path / "run")
    with monkeypatch.context() as patch, pytest.raises(RunError, match="power is gone"):
        patch.setattr(Validate, "on_train_batch_end", fail)
        tune(recipe, run)
    saved = run.path / "resume" / "policy_gradient.ckpt"
    size = (tiny_checkpoint() / "model.safetensors").stat().st_size
    assert size < saved.stat().st_size < 4 * size, "weights and two moments of the policy; no model that rewards"
    tune(run.recipe, run)
    assert metrics(run) == metrics(whole)
    assert weights(run, "last") == weights(whole, "last")


def test_models_are_checked_with_the_rest_of_the_recipe(tmp_path):
    nameless = nli_checkpoint(tmp_path / "nameless", ("LABEL_0", "LABEL_1"))
    rewards = [{"kind": "semantic", "model": str(tmp_path / "nowhere")}, {"kind": "nli", "model": nameless}]
    recipe = small_recipe("nothing.jsonl", "policy_gradient.select_by={rougel: 1.0}", rewards=rewards)
    with pytest.raises(InputError) as refused:
        check_recipe(recipe)
    told = str(refused.value).split("\n")
    assert [line.split(":")[0] for line in told] == [
        "`rewards.0.model`", "`rewards.1.model`", "`policy_gradient.select_by.rougel`",
    ]  # fmt: skip

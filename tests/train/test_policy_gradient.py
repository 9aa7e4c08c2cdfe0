from __future__ import annotations

import os
import signal

import numpy as np
import pytest
import torch
from small import metrics, small_recipe, small_run, taught_checkpoint, tiny_checkpoint, weights, write_corpus

from lastmile.config import Hardware
from lastmile.errors import InputError, RunError
from lastmile.judge.judge import Judge
from lastmile.judge.pool import JudgePool
from lastmile.train.policy_gradient import PolicyGradientStage
from lastmile.train.run import RunFolder
from lastmile.train.trainer import judge_workers
from lastmile.train.tune import tune


def stage_2(tmp_path, *settings, **more):
    """A run of stage 2 alone."""
    recipe = small_recipe(write_corpus(tmp_path / "data"), "likelihood.epochs=0", *settings, **more)
    return small_run(tmp_path / "run", recipe)


@pytest.mark.parametrize("method", ["rloo", "scst", "reinforce"])
def test_learning_really_happens(tmp_path, method):
    """50 steps for vowels: their share in the samples rises by far more than its noise."""
    run = stage_2(
        tmp_path,
        f"policy_gradient.method={method}",
        "policy_gradient.steps=50",
        "policy_gradient.decay=constant",
        "policy_gradient.kl.coefficient=0",
        "policy_gradient.mle_coefficient=0",
        "policy_gradient.validation_documents=1",
        "sampling={num_samples: 4, max_new_tokens: 8}",
        "rewards=[{kind: python, path: 'small:likes_vowels'}]",
        "penalties={}",
        model=taught_checkpoint(),
    )
    rows = metrics(run, "policy_gradient", "train")
    returns = np.array([row["return"] for row in rows])
    before, after = returns[:6], returns[-6:]
    error = np.sqrt(before.var(ddof=1) / 6 + after.var(ddof=1) / 6)
    assert after.mean() - before.mean() > max(0.2, 5 * error)
    assert rows[-1]["kl_k3"] > 1 > rows[0]["kl_k3"]


def test_what_the_reward_dislikes_becomes_rare(tmp_path):
    """The sign, once more: a negative weight drives vowels out."""
    run = stage_2(
        tmp_path,
        "policy_gradient.steps=20",
        "policy_gradient.learning_rate=3e-3",
        "policy_gradient.kl.coefficient=0",
        "policy_gradient.mle_coefficient=0",
        "sampling={num_samples: 4, max_new_tokens: 8}",
        "rewards=[{kind: python, path: 'small:likes_vowels', weight: -1.0}]",
        "penalties={}",
        model=taught_checkpoint(),
    )
    shares = [row["reward/likes_vowels"] for row in metrics(run, "policy_gradient", "train")]
    assert np.mean(shares[-5:]) < 0.5 * np.mean(shares[:5])


def test_kl_in_the_return_holds_the_policy_back(tmp_path):
    """The same task with a price on KL ends nearer to the likelihood model."""
    moved = []
    for coefficient in (0.0, 1.0):
        run = stage_2(
            tmp_path / str(coefficient),
            "policy_gradient.steps=12",
            "policy_gradient.learning_rate=3e-3",
            f"policy_gradient.kl.coefficient={coefficient}",
            "policy_gradient.mle_coefficient=0",
            "sampling={num_samples: 4, max_new_tokens: 8}",
            "rewards=[{kind: python, path: 'small:likes_vowels'}]",
            "penalties={}",
            model=taught_checkpoint(),
        )
        moved.append(metrics(run, "policy_gradient", "train")[-1]["kl_k3"])
    assert moved[1] < 0.5 * moved[0]


def test_row18_rewards_see_document_and_target(tmp_path):
    run = stage_2(
        tmp_path,
        "rewards=[{kind: python, path: 'small:sees_the_example'},"
        " {kind: python, path: 'small:sees_no_target', reads_target: false}]",
    )
    rows = metrics(run, "policy_gradient", "train")
    assert [row["reward/sees_the_example"] for row in rows] == [1.0] * 3
    assert [row["reward/sees_no_target"] for row in rows] == [1.0] * 3


def test_row23_nan_is_counted_and_teaches_nothing(tmp_path, monkeypatch):
    seen = []
    advantages = PolicyGradientStage.advantages

    def watched(self, returns, judging_greedy):
        found = advantages(self, returns, judging_greedy)
        seen.append((returns.isnan(), found))
        return found

    monkeypatch.setattr(PolicyGradientStage, "advantages", watched)
    run = stage_2(tmp_path, "rewards=[{kind: python, path: 'small:cannot_tell_odd_lengths'}]")
    rows = metrics(run, "policy_gradient", "train")
    for row, (unscored, found) in zip(rows, seen, strict=True):
        assert 0 < row["unscored"] < 1
        assert row["unscored"] == pytest.approx(unscored.float().mean().item())
        assert (found[unscored] == 0).all() and (found[~unscored] != 0).any()
        # Rewards are 1 + an even number of characters: a NaN taken for 0 would pull the mean below 1.
        assert row["reward/cannot_tell_odd_lengths"] > 1


def test_row23_a_step_without_any_score_is_counted_not_taken_for_zero(tmp_path):
    run = stage_2(
        tmp_path, "rewards=[{kind: python, path: 'small:likes_targets_alone'}]", "policy_gradient.mle_coefficient=0"
    )
    rows = metrics(run, "policy_gradient", "train")
    assert [row["unscored"] for row in rows] == [1, 1, 1]
    assert not any("return" in row or "total" in row or "reward/likes_targets_alone" in row for row in rows)
    assert weights(run, "last") == weights(run, "baseline")


def test_row23_a_reward_that_raises_ends_the_run_with_one_sentence(tmp_path):
    recipe = small_recipe(
        write_corpus(tmp_path / "data"),
        "likelihood.epochs=0",
        "rewards=[{kind: python, path: 'small:breaks_on_models'}]",
    )
    run = RunFolder.new(tmp_path / "run")
    with pytest.raises(RunError) as error:
        tune(recipe, run)
    assert error.value.exit_code == 1
    sentence = str(error.value)
    assert sentence.startswith("reward `breaks_on_models` raised KeyError: 'teapot' on document `train-")
    assert sentence.endswith(f"`. `lastmile tune --resume {run.path}` goes on from the last validation")
    assert "\n" not in sentence
    assert run.has("baseline") and not run.is_finished


def test_row23_a_reward_that_fails_on_targets_is_refused_before_anything_is_written(tmp_path):
    recipe = small_recipe(
        write_corpus(tmp_path / "data"),
        "rewards=[{kind: python, path: 'small:die_hard'}]",
    )
    run = RunFolder.new(tmp_path / "run")
    with pytest.raises(InputError) as error:
        tune(recipe, run)
    assert str(error.value).startswith("reward `small:die_hard`: `small` has no `die_hard`.")
    assert not run.path.exists()


def test_the_adaptive_controller_moves_the_coefficient(tmp_path):
    """KL is near 0 at the start, far below its target: each step takes off 0.2 · 24 / 100 of the coefficient."""
    run = stage_2(
        tmp_path,
        "policy_gradient.kl={coefficient: 0.1, controller: adaptive, target: 6.0, horizon: 100}",
        "policy_gradient.learning_rate=1e-6",
    )
    found = [row["kl_coefficient"] for row in metrics(run, "policy_gradient", "train")]
    factor = 1 - 0.2 * (8 * 3) / 100
    assert found == pytest.approx([0.1, 0.1 * factor, 0.1 * factor**2])


def test_a_fixed_coefficient_stays(tmp_path):
    run = stage_2(tmp_path, "policy_gradient.kl={coefficient: 0.1, horizon: 10}")
    assert [row["kl_coefficient"] for row in metrics(run, "policy_gradient", "train")] == [0.1] * 3


def test_bf16_mixed_runs_both_stages(tmp_path):
    data = write_corpus(tmp_path / "data")
    recipe = small_recipe(data, "hardware.precision=bf16-mixed", model=tiny_checkpoint("t5"))
    run = small_run(tmp_path / "run", recipe)
    rows = metrics(run, "policy_gradient", "train")
    # bfloat16 has 8 bits: where sampler and trainer add up in another order, they agree to about a per cent of a nat.
    assert all(row["log_prob_gap"] < 1 for row in rows)
    exact = small_run(tmp_path / "exact", small_recipe(data, model=tiny_checkpoint("t5")))
    rounded_loss, loss = (metrics(each, "likelihood", "train")[0]["loss"] for each in (run, exact))
    assert 0 < abs(rounded_loss - loss) < 0.01 * loss, "bfloat16 rounds, and no more than that"
    assert all(np.isfinite(row["gradient_norm"]) and row["gradient_norm"] > 0 for row in rows)
    assert weights(run, "last") != weights(run, "baseline")


def test_scst_judges_samples_and_greedy_summaries_in_workers_to_the_same_end(tmp_path):
    settings = "policy_gradient.method=scst", "penalties.copy=0.5"
    alone = stage_2(tmp_path / "alone", *settings)
    beside = stage_2(tmp_path / "beside", *settings, "hardware.judge_workers=1")
    assert metrics(alone) == metrics(beside)
    assert weights(alone, "last") == weights(beside, "last") != weights(alone, "baseline")


def test_a_judging_process_that_is_killed_ends_the_run_with_one_sentence(tmp_path, monkeypatch):
    def killing(self, *given, begin=JudgePool.begin):
        if self._processes is not None:
            os.kill(next(iter(self._processes._processes)), signal.SIGKILL)
        return begin(self, *given)

    monkeypatch.setattr(JudgePool, "begin", killing)
    with pytest.raises(RunError) as error:
        stage_2(tmp_path, "hardware.judge_workers=1")
    assert str(error.value) == (
        "a process that judges summaries died before it answered: killed, perhaps for want of memory. "
        f"`lastmile tune --resume {tmp_path / 'run'}` goes on from the last validation"
    )


@pytest.mark.parametrize(
    ("settings", "accelerators", "workers"),
    [
        ({}, 0, 0),
        ({"accelerator": "cpu"}, 4, 0),
        ({}, 4, 3),  # 16 cores, 4 devices
        ({"devices": 1}, 4, 8),
        ({"devices": 16}, 16, 0),
        ({"accelerator": "cpu", "judge_workers": 5}, 0, 5),
        ({"judge_workers": 0}, 4, 0),
    ],
)
def test_workers_where_nothing_is_said(settings, accelerators, workers, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(16)), raising=False)
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: accelerators > 0)
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: accelerators)
    assert judge_workers(Hardware(**settings)) == workers


def test_every_sample_is_judged_once_a_step(tmp_path, monkeypatch):
    shapes = []
    call = Judge.__call__

    def counting(self, examples, summaries):
        shapes.append((len(examples), {len(group) for group in summaries}))
        return call(self, examples, summaries)

    monkeypatch.setattr(Judge, "__call__", counting)
    stage_2(tmp_path, "hardware.accumulate=2", "policy_gradient.steps=2")
    assert shapes == [(4, {3})] * 4

from __future__ import annotations

import math

import pytest
import torch
from small import metrics, small_recipe, small_run, tiny_checkpoint, weights, write_corpus

from lastmile.train.likelihood import LikelihoodStage
from lastmile.train.policy_gradient import PolicyGradientStage
from lastmile.train.stage import Stage, StepStatistics

# Weights so large that logits reach ±20 would cost a digit more of float32.
GENTLE = {
    "bart": {"init_std": 0.2},
    "pegasus": {"init_std": 0.2},
    "t5": {"initializer_factor": 1.0},
    "mt5": {"initializer_factor": 0.5},
}


@pytest.fixture
def gradients(monkeypatch) -> list[torch.Tensor]:
    """Whole gradients as one vector each, as the optimizer gets them, one of every step."""
    seen = []
    clip = Stage.configure_gradient_clipping

    def keep(self, *arguments, **settings):
        seen.append(torch.cat([p.grad.flatten() for p in self.policy.parameters()]).clone())
        clip(self, *arguments, **settings)

    monkeypatch.setattr(Stage, "configure_gradient_clipping", keep)
    return seen


def assert_close(one: list[dict], other: list[dict], tolerance: float = 1e-6) -> None:
    """Rows of metrics with the same names and values."""
    assert len(one) == len(other)
    for left, right in zip(one, other, strict=True):
        assert left.keys() == right.keys()
        for name, value in left.items():
            if name == "log_prob_gap":  # rounding itself
                continue
            if isinstance(value, float):
                assert math.isclose(value, right[name], abs_tol=tolerance, rel_tol=tolerance), name
            else:
                assert value == right[name], name


@pytest.mark.parametrize(
    ("family", "settings"),
    [
        ("bart", ["policy_gradient.method=rloo"]),
        ("bart", ["policy_gradient.method=scst", "sampling.top_k=20"]),
        ("t5", ["policy_gradient.method=reinforce", "policy_gradient.mle_coefficient=0"]),
    ],
)
def test_row11_micro_batches_change_nothing_in_policy_gradient(tmp_path, gradients, family, settings):
    data, rows = write_corpus(tmp_path / "data"), []
    for accumulate in (1, 2, 4):
        recipe = small_recipe(
            data,
            *settings,
            "likelihood.epochs=0",
            "policy_gradient.steps=1",
            "policy_gradient.validation_documents=1",
            f"hardware.accumulate={accumulate}",
            "rewards=[{kind: rouge}, {kind: python, path: 'small:cannot_tell_odd_lengths', weight: 0.05}]",
            model=tiny_checkpoint(family, **GENTLE[family]),
        )
        rows.append(metrics(small_run(tmp_path / str(accumulate), recipe), "policy_gradient", "train"))
    whole, *split = gradients
    assert whole.abs().max() > 1e-3
    assert rows[0][0]["unscored"] > 0
    for parts, part_rows in zip(split, rows[1:], strict=True):
        assert (whole - parts).abs().max() < 1e-6 * max(1, whole.abs().max())
        assert_close(rows[0], part_rows)


def test_row11_micro_batches_change_nothing_in_likelihood(tmp_path, gradients):
    data, model = write_corpus(tmp_path / "data"), tiny_checkpoint("bart", dropout=0.0, attention_dropout=0.0)
    rows = []
    for accumulate in (1, 2, 4):
        settings = f"hardware.accumulate={accumulate}", "policy_gradient.steps=0", "likelihood.validation_documents=1"
        recipe = small_recipe(data, *settings, model=model)
        rows.append(metrics(small_run(tmp_path / str(accumulate), recipe), "likelihood", "train"))
    whole, *split = [gradients[start] for start in (0, 3, 6)]
    assert whole.abs().max() > 1e-2
    for parts, part_rows in zip(split, rows[1:], strict=True):
        assert (whole - parts).abs().max() < 1e-5 * whole.abs().max()
        assert_close(rows[0][:1], part_rows[:1], 1e-5)


@pytest.mark.parametrize("family", GENTLE)
def test_row03_sampler_and_trainer_agree_while_nothing_is_learnt(tmp_path, family):
    recipe = small_recipe(
        write_corpus(tmp_path / "data"),
        "policy_gradient.learning_rate=0",
        "likelihood.epochs=0",
        "hardware.accumulate=2",
        model=tiny_checkpoint(family, **GENTLE[family]),
    )
    run = small_run(tmp_path / "run", recipe)
    rows = metrics(run, "policy_gradient", "train")
    assert [row["step"] for row in rows] == [1, 2, 3]
    assert all(0 < row["log_prob_gap"] < 1e-5 for row in rows)
    assert all(abs(row["kl"]) < 1e-4 and abs(row["kl_k3"]) < 1e-4 for row in rows)
    assert weights(run, "last") == weights(run, "baseline")


@pytest.mark.parametrize("sampling", ["temperature=0.7", "top_k=5", "top_p=0.8"])
def test_row03_sampler_and_trainer_agree_under_bent_distributions(tmp_path, sampling):
    recipe = small_recipe(
        write_corpus(tmp_path / "data"),
        f"sampling.{sampling}",
        "policy_gradient.learning_rate=0",
        "likelihood.epochs=0",
        model=tiny_checkpoint("bart", init_std=0.2),
    )
    rows = metrics(small_run(tmp_path / "run", recipe), "policy_gradient", "train")
    assert all(0 < row["log_prob_gap"] < 1e-5 and abs(row["kl"]) < 1e-4 for row in rows)


def test_row05_dropout_is_on_in_stage_1_and_off_in_stage_2(tmp_path, monkeypatch):
    seen = {"likelihood": [], "policy_gradient": []}
    for kind in (LikelihoodStage, PolicyGradientStage):
        step = kind.training_step

        def watched(self, part, index, step=step):
            modes = {module.training for module in self.policy.modules()}
            seen[self.name].append(modes)
            return step(self, part, index)

        monkeypatch.setattr(kind, "training_step", watched)
    recipe = small_recipe(
        write_corpus(tmp_path / "data"),
        "likelihood.validate_every=1",
        "policy_gradient.validate_every=1",
        model=tiny_checkpoint("bart", dropout=0.5, init_std=0.2),
    )
    rows = metrics(small_run(tmp_path / "run", recipe), "policy_gradient", "train")
    assert seen == {"likelihood": [{True}] * 3, "policy_gradient": [{False}] * 3}
    assert rows[0]["log_prob_gap"] < 1e-5


def test_row22_every_step_says_what_it_did(tmp_path):
    recipe = small_recipe(write_corpus(tmp_path / "data"), "policy_gradient.warmup_steps=1")
    run = small_run(tmp_path / "run", recipe)
    row = metrics(run, "policy_gradient", "train")[0]
    assert {
        "loss", "return", "total", "reward/rouge", "kl", "kl_k3", "kl_coefficient", "advantage_deviation", "entropy",
        "gradient_norm", "learning_rate", "log_prob_gap", "words", "tokens", "ended", "unscored", "distinct",
        "groups_without_spread", "flag/repetition", "flag/length", "flag/unfinished",
    } <= row.keys()  # fmt: skip
    assert row["gradient_norm"] > 0
    rates = [row["learning_rate"] for row in metrics(run, "policy_gradient", "train")]
    # Warm-up of one step: 1/2 of the rate; then 3 − 1 = 2 steps down to 0: 1 and 1/2 of it.
    assert rates == pytest.approx([0.5e-3, 1e-3, 0.5e-3])


def test_statistics_of_parts_weigh_by_their_size_and_leave_nan_out():
    one, two = StepStatistics(), StepStatistics()
    one.mean(3, words=10.0, kl=float("nan"))
    one.maximum(gap=0.5)
    two.mean(1, words=2.0, kl=4.0)
    two.maximum(gap=0.25)
    joined = StepStatistics().merge([(dict(s.sums), s.maxima) for s in (one, two)])
    assert joined == {"words": 8.0, "kl": 4.0, "gap": 0.5}  # (3·10 + 1·2) / 4


def test_gradients_go_with_their_step(tmp_path, monkeypatch):
    """The forward pass, when memory is shortest, finds none; parts of one step add up before that."""
    seen = []

    def watched(self, part, index, real=PolicyGradientStage.training_step):
        seen.append(any(weight.grad is not None for weight in self.policy.parameters()))
        return real(self, part, index)

    monkeypatch.setattr(PolicyGradientStage, "training_step", watched)
    recipe = small_recipe(write_corpus(tmp_path / "data"), "likelihood.epochs=0", "hardware.accumulate=2")
    small_run(tmp_path / "run", recipe)
    assert seen == [False, True] * 3

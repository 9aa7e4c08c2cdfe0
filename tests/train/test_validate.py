"""Checklist rows 2, 13, 14, 20: stop rules, and which checkpoint is the best."""

from __future__ import annotations

import json
import math

import pytest
from small import NEVER_STOP, metrics, small_recipe, small_run, tiny_checkpoint, weights, write_corpus

from lastmile.config import Stop
from lastmile.judge.metrics import METRICS
from lastmile.judge.profile import TargetProfile
from lastmile.policy.load import load_policy, weights_hash
from lastmile.records import Example, Summary
from lastmile.train.policy_gradient import PolicyGradientStage
from lastmile.train.validate import Validate, broken_stop_rule, held_out_measures

FINE = {"length_ratio": 1.0, "distinct": 1.0}


@pytest.mark.parametrize(
    ("values", "kl", "sentence"),
    [
        (FINE, 60.0, None),
        (FINE, 60.1, "KL to the likelihood model is 60.1 nats a summary, above `max_kl` 60"),
        (FINE | {"length_ratio": 0.5}, 0, None),
        (FINE | {"length_ratio": 0.49}, 0, "summaries are 0.49 times as long as the targets, outside 0.5 to 2"),
        (FINE | {"length_ratio": 2.0}, 0, None),
        (FINE | {"length_ratio": 2.01}, 0, "summaries are 2.01 times as long as the targets, outside 0.5 to 2"),
        (FINE | {"distinct": 0.5}, 0, None),
        (
            FINE | {"distinct": 0.49},
            0,
            "outputs collapse: only 49% of the documents got a summary that no other got, below `min_distinct` 50%",
        ),
    ],
)
def test_row02_13_20_each_stop_rule_says_what_it_saw(values, kl, sentence):
    assert broken_stop_rule(values, kl, Stop()) == sentence


def test_held_out_measures_count_summaries_that_no_other_document_got():
    examples = [Example(str(i), "Ann went to Oslo by train.", ("Ann went to Oslo.",)) for i in range(4)]
    texts = ["Ann went.", "Ann went.", "To Oslo.", ""]
    values = held_out_measures(examples, [Summary(text) for text in texts], TargetProfile.neutral(cased=True))
    assert values["distinct"] == 0.5  # "To Oslo." and ""
    assert values["length_ratio"] == 6 / 16
    assert values.keys() == METRICS.keys() | {"distinct"}


def test_held_out_measures_of_nothing_written_are_unknown_not_zero():
    examples = [Example("1", "Ann went to Oslo.", ("Ann went.",))]
    values = held_out_measures(examples, [Summary("")], TargetProfile.neutral(cased=True))
    assert math.isnan(values["flagged_words"])
    assert values["flag/empty"] == 1 and values["length_ratio"] == 0


@pytest.fixture
def scripted(monkeypatch):
    """Let the held-out measures of stage 2 take given values, validation by validation."""

    def script(**columns: list[float]) -> None:
        rows = iter([dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)])
        real = held_out_measures

        def scripted(*arguments):
            return real(*arguments) | next(rows)

        monkeypatch.setattr("lastmile.train.validate.held_out_measures", scripted)

    return script


def run_stage_2(tmp_path, *settings, steps=6, stop=None, model=None):
    recipe = small_recipe(
        write_corpus(tmp_path / "data"),
        "likelihood.epochs=0",
        f"policy_gradient.steps={steps}",
        "policy_gradient.validate_every=1",
        "policy_gradient.select_by={rougeL: 1.0, flagged_words: -100.0}",
        f"policy_gradient.stop={json.dumps(NEVER_STOP | (stop or {}))}",
        *settings,
        model=model,
    )
    run = small_run(tmp_path / "run", recipe)
    return run, run.manifest["stages"]["policy_gradient"]


def test_row14_the_best_checkpoint_has_the_best_held_out_measure(tmp_path, scripted, monkeypatch):
    # 30 − 100 · 0.1 = 20 at the start, then 18, 24, 23, 24, 10, 12: step 2 is the first that has 24.
    scripted(rougeL=[30, 30, 32, 34, 30, 12, 13], flagged_words=[0.1, 0.12, 0.08, 0.11, 0.06, 0.02, 0.01])
    hashes = []
    validate = Validate.validate

    def watched(self, trainer, stage):
        hashes.append(weights_hash(stage.policy))
        validate(self, trainer, stage)

    monkeypatch.setattr(Validate, "validate", watched)
    run, facts = run_stage_2(tmp_path)
    assert [row["held_out"] for row in metrics(run, split="validation")] == pytest.approx([20, 18, 24, 23, 24, 10, 12])
    assert (facts["best_step"], facts["best_held_out"], facts["steps"]) == (2, pytest.approx(24), 6)
    assert weights_hash(load_policy(str(run.path / "best"))) == hashes[2] == run.manifest["weights"]["best"]
    assert weights_hash(load_policy(str(run.path / "last"))) == hashes[6]
    assert len(set(hashes)) == 7


def test_row14_the_best_checkpoint_is_never_worse_than_the_likelihood_model(tmp_path, scripted):
    scripted(rougeL=[30, 29, 28], flagged_words=[0.0] * 3)
    run, facts = run_stage_2(tmp_path, steps=2)
    assert facts["best_step"] == 0
    assert weights(run, "best") == weights(run, "baseline") != weights(run, "last")


def test_row14_patience_ends_a_stage_whose_reward_alone_rises(tmp_path, scripted):
    scripted(rougeL=[30, 31, 30, 30.5, 0], flagged_words=[0.0] * 5)
    run, facts = run_stage_2(tmp_path, stop={"patience": 2})
    assert facts["ended"] == (
        "the held-out measure (+1·rougeL -100·flagged_words) was 30.50 and has not passed 31.00 of step 1 "
        "for 2 validations"
    )
    assert (facts["steps"], facts["best_step"]) == (3, 1)
    assert [row["step"] for row in metrics(run, "policy_gradient", "train")] == [1, 2, 3]


def test_patience_ends_the_likelihood_stage(tmp_path):
    recipe = small_recipe(
        write_corpus(tmp_path / "data"),
        "likelihood.learning_rate=0",
        "likelihood.validate_every=1",
        "likelihood.patience=2",
        "policy_gradient.steps=0",
    )
    facts = small_run(tmp_path / "run", recipe).manifest["stages"]["likelihood"]
    assert facts["ended"].startswith("the held-out measure (+1·rougeL) was ")
    assert facts["ended"].endswith(" of step 0 for 2 validations")
    assert facts["steps"] == 2


def test_row02_a_run_that_collapses_stops_and_says_what_it_saw(tmp_path, capfd):
    """A reward for one letter, no KL, a wild learning rate: soon every document gets the same summary."""
    run, facts = run_stage_2(
        tmp_path,
        "rewards=[{kind: python, path: 'small:likes_vowels'}]",
        "penalties={}",
        "policy_gradient.kl.coefficient=0",
        "policy_gradient.mle_coefficient=0",
        "policy_gradient.learning_rate=0.02",
        "policy_gradient.validation_documents=6",
        "policy_gradient.validate_every=2",
        steps=40,
        stop={"min_distinct": 0.5},
    )
    assert facts["steps"] < 40
    assert facts["ended"].startswith("outputs collapse: only ")
    assert facts["ended"].endswith("% of the documents got a summary that no other got, below `min_distinct` 50%")
    last = metrics(run, "policy_gradient", "validation")[-1]
    assert last["distinct"] < 0.5 and f"only {last['distinct']:.0%} of" in facts["ended"]
    assert f"policy gradient ended at step {facts['steps']}: {facts['ended']}" in capfd.readouterr().err


def test_row02_kl_beyond_its_limit_stops(tmp_path):
    run, facts = run_stage_2(
        tmp_path,
        "rewards=[{kind: python, path: 'small:likes_vowels'}]",
        "policy_gradient.kl.coefficient=0",
        "policy_gradient.learning_rate=0.01",
        "policy_gradient.validate_every=3",
        steps=30,
        stop={"max_kl": 0.5},
    )
    assert facts["ended"].startswith("KL to the likelihood model is ") and facts["steps"] < 30
    # The mean over the steps since the last validation.
    rows = metrics(run, "policy_gradient", "train")[-3:]
    assert f"is {sum(row['kl_k3'] for row in rows) / 3:.1f} nats" in facts["ended"]


def test_row20_a_model_that_writes_nothing_is_measured_and_stopped(tmp_path):
    """Empty outputs have no words to be flagged: the held-out measure is worse than any, and nothing crashes."""
    model = tiny_checkpoint("bart", init_std=1e-4)
    recipe = small_recipe(
        write_corpus(tmp_path / "data"),
        "likelihood.learning_rate=0",
        "policy_gradient.steps=2",
        "policy_gradient.stop.min_length_ratio=0.5",
        model=_silent(model, tmp_path / "silent"),
    )
    run = small_run(tmp_path / "run", recipe)
    first = metrics(run, "policy_gradient", "validation")[0]
    assert first["flag/empty"] == 1 and first["held_out"] is None
    assert run.manifest["stages"]["policy_gradient"]["ended"] == (
        "summaries are 0.00 times as long as the targets, outside 0.5 to 1e+09"
    )
    assert run.has("baseline") and run.has("best")


def _silent(model, folder):
    """The same model, which always ends at once."""
    policy = load_policy(str(model))
    policy.model.final_logits_bias[0, policy.eos_id] = 100.0
    policy.save(folder)
    return folder


def test_row23_a_run_whose_samples_are_all_empty_learns_nothing_and_says_so(tmp_path):
    recipe = small_recipe(
        write_corpus(tmp_path / "data"),
        "likelihood.epochs=0",
        "policy_gradient.mle_coefficient=0",
        model=_silent(tiny_checkpoint("bart", init_std=1e-4), tmp_path / "silent"),
    )
    run = small_run(tmp_path / "run", recipe)
    rows = metrics(run, "policy_gradient", "train")
    assert [row["unscored"] for row in rows] == [1, 1, 1]
    assert not any("return" in row or "reward/rouge" in row for row in rows)
    assert all(row["groups_without_spread"] == 1 and row["gradient_norm"] == 0 for row in rows)
    assert weights(run, "last") == weights(run, "baseline")


def test_validation_takes_the_first_documents_whatever_their_length(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "lastmile.train.validate.held_out_measures",
        lambda examples, *rest, real=held_out_measures: seen.append([e.id for e in examples]) or real(examples, *rest),
    )
    run_stage_2(tmp_path, "compare.decoding.batch_size=2", "policy_gradient.validation_documents=5", steps=1)
    assert seen == [[f"validation-{n}" for n in range(5)]] * 2


def test_validation_does_not_disturb_training(tmp_path):
    """Stage 1 with dropout gives the same weights however often it is validated."""
    data, model, found = write_corpus(tmp_path / "data"), tiny_checkpoint("bart", dropout=0.1), []
    for every in (1, 3):
        settings = f"likelihood.validate_every={every}", "likelihood.patience=9", "policy_gradient.steps=0"
        run = small_run(tmp_path / str(every), small_recipe(data, *settings, model=model))
        found.append([row for row in metrics(run, "likelihood", "train")])
    assert found[0] == found[1]


def test_samples_are_shown_with_their_documents(tmp_path):
    run, _ = run_stage_2(tmp_path, steps=1)
    rows = [json.loads(line) for line in (run.path / "samples.jsonl").read_text().splitlines()]
    assert [(row["step"], row["id"]) for row in rows] == [(s, f"validation-{n}") for s in (0, 1) for n in range(4)]
    assert rows[0].keys() == {"stage", "step", "id", "summary", "ended", "target"}
    assert rows[0]["stage"] == PolicyGradientStage.name

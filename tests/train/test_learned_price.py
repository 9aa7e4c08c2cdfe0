"""Training against a learned detector: what it costs, what is kept of it, and that a resumed run is the same."""

from __future__ import annotations

import shutil
import signal

import pytest
from small import metrics, small_recipe, small_run, taught_checkpoint, weights, write_corpus
from tiny import SENTENCES

from lastmile.compare.report import build_report
from lastmile.compare.runs import compare_runs
from lastmile.errors import InputError, RunError
from lastmile.judge.judge import Judge
from lastmile.policy.detector import build_small_encoder, load_detector
from lastmile.policy.load import weights_hash
from lastmile.train.run import RunFolder
from lastmile.train.tune import check_recipe, tune
from lastmile.train.validate import Validate

SETTINGS = (
    "policy_gradient.steps=4",
    "policy_gradient.validate_every=2",
    "policy_gradient.select_by={words: 1.0}",
    "likelihood.epochs=0",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An untrained detector, whose threshold lies amid its scores of one summary."""
    detector = build_small_encoder(SENTENCES, 96, seed=1).eval()
    scores = sorted(detector.score([(SENTENCES[0], SENTENCES[1])])[0])
    detector.threshold = scores[len(scores) // 2]
    path = tmp_path_factory.mktemp("detectors") / "detector"
    detector.save(path)
    return path


@pytest.fixture(scope="module")
def recipe(folder, tmp_path_factory):
    data = write_corpus(tmp_path_factory.mktemp("data"))
    return small_recipe(data, *SETTINGS, f"detector={{path: {folder}, coefficient: 3.0}}", model=taught_checkpoint())


@pytest.fixture(scope="module")
def whole(recipe, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LASTMILE_CACHE", str(tmp_path_factory.mktemp("cache")))
        return small_run(tmp_path_factory.mktemp("whole") / "run", recipe)


def interrupted(path, recipe, monkeypatch) -> RunFolder:
    """Ctrl-C after the third step; the last validation was at the second."""

    def press(self, trainer, module, *rest, real=Validate.on_train_batch_end):
        real(self, trainer, module, *rest)
        if trainer.global_step == 3:
            raise KeyboardInterrupt

    run = RunFolder.new(path)
    with monkeypatch.context() as patch, pytest.raises(RunError):
        patch.setattr(Validate, "on_train_batch_end", press)
        tune(recipe, run)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return run


def test_it_costs_is_counted_and_kept(whole, recipe, folder, tmp_path):
    rows = metrics(whole, "policy_gradient")
    assert all(0 <= row["flag/learned"] <= 1 for row in rows)
    assert any(row["flag/learned"] > 0 for row in rows if row["split"] == "train")
    free = small_run(tmp_path / "free", recipe.model_copy(update={"detector": None}))
    assert "flag/learned" not in metrics(free, "policy_gradient", "train")[0]
    paid = [metrics(run, "policy_gradient", "train")[0]["total"] for run in (whole, free)]
    assert paid[0] < paid[1], "the same first samples, less what the flag costs"
    kept = load_detector(whole.path / "detector")
    assert kept.threshold == load_detector(folder).threshold
    assert whole.manifest["weights"]["detector"] == weights_hash(kept) == weights_hash(load_detector(folder))


def test_killed_and_resumed_is_the_same_to_the_bit(whole, recipe, tmp_path, monkeypatch):
    run = interrupted(tmp_path / "run", recipe, monkeypatch)
    tune(run.recipe, run)
    assert metrics(run) == metrics(whole)
    assert [weights(run, name) for name in ("best", "last")] == [weights(whole, name) for name in ("best", "last")]


def test_resuming_takes_the_run_s_own_copy_and_no_other(recipe, tmp_path, monkeypatch):
    moved = shutil.copytree(recipe.detector.path, tmp_path / "moved")
    run = interrupted(tmp_path / "run", recipe.model_copy(
        update={"detector": recipe.detector.model_copy(update={"path": str(moved)})}
    ), monkeypatch)  # fmt: skip
    shutil.rmtree(moved)
    check_recipe(run.recipe, run)
    then = run.manifest["weights"]["detector"]
    shutil.rmtree(run.path / "detector")
    other = build_small_encoder(SENTENCES, 96, seed=2)
    other.save(run.path / "detector")
    with pytest.raises(InputError) as error:
        tune(run.recipe, run)
    assert str(error.value) == (
        f"`{run.path}/detector` is not the detector that `{run.path}` began with ({weights_hash(other)[:12]}, then "
        f"{then[:12]}). Restore it, or start a new run"
    )


def test_a_comparison_counts_it_once_for_each_summary(whole, tmp_path, monkeypatch):
    run = RunFolder(shutil.copytree(whole.path, tmp_path / "run"))
    found = compare_runs([run], run.recipe.compare, lambda text: None)
    assert isinstance(found.judge, Judge) and found.judge.penalties["learned"] == 3.0
    assert found.signature["checkpoints"]["run/detector"] == run.manifest["weights"]["detector"]
    asked = []
    monkeypatch.setattr(found.judge.learned.detector, "score", lambda pairs: asked.extend(pairs) or [])
    report = build_report(
        "x", found.examples, found.systems, found.judge.profile, run.recipe.compare, learned=found.judge.learned
    )
    assert asked == [], "what the rewards asked is remembered"
    assert all("flag/learned" in system["metrics"] for system in report["systems"])


def problems(*settings) -> list[str]:
    with pytest.raises(InputError) as error:
        check_recipe(small_recipe("nothing.jsonl", *settings))
    return str(error.value).split("\n")


def test_what_is_wrong_is_said_before_anything_is_loaded(tmp_path, folder):
    missing = f"`detector.path`: `{tmp_path}` is no detector: it has no detector.json. `lastmile flag train` makes one"
    assert problems(f"detector.path={tmp_path}", "policy_gradient.select_by={flag_rates: 1.0}") == [
        "`policy_gradient.select_by.flag_rates`: no such metric. Did you mean `flag_rate`?", missing
    ]  # fmt: skip
    assert problems("policy_gradient.select_by={flag/learned: -1.0}") == [
        "`policy_gradient.select_by.flag/learned` needs `detector.path`: a folder of `lastmile flag train`"
    ]
    with pytest.raises(InputError, match=r"`detector.coefficient`: input should be greater than or equal to 0, got"):
        small_recipe("nothing.jsonl", f"detector.path={folder}", "detector.coefficient=-1")
    with pytest.raises(InputError, match=r"`detector.path`: required, not given"):
        small_recipe("nothing.jsonl", "detector.coefficient=1")
    with pytest.raises(InputError, match=r"`penalties.learned.\[key\]`: input should be 'repetition'"):
        small_recipe("nothing.jsonl", "penalties.learned=1")

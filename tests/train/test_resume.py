"""Checklist row 16: a run that was killed at any moment ends exactly as one that was not.

Exactly holds on one machine with one number of threads: another number rounds differently (see conftest.py).
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from deaths import MOMENTS, dying_run
from small import metrics, small_recipe, small_run, tiny_checkpoint, weights, write_corpus

from lastmile.config import Recipe, dump_recipe
from lastmile.errors import InputError, RunError
from lastmile.train.run import RunFolder
from lastmile.train.tune import tune
from lastmile.train.validate import Validate


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> Recipe:
    """Six steps of each stage, a validation after every second one, dropout in stage 1."""
    return small_recipe(
        write_corpus(tmp_path_factory.mktemp("data"), train=48),
        "likelihood.validate_every=2",
        "likelihood.patience=100",
        "policy_gradient.steps=6",
        "policy_gradient.validate_every=2",
        "policy_gradient.select_by={words: 1.0}",  # so that the best is neither the first nor the last
        "policy_gradient.kl.controller=adaptive",
        "policy_gradient.kl.horizon=100",
        "hardware.accumulate=2",
        model=tiny_checkpoint("bart", dropout=0.1),
    )


@pytest.fixture(scope="module")
def uninterrupted(recipe, tmp_path_factory) -> RunFolder:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LASTMILE_CACHE", str(tmp_path_factory.mktemp("cache")))
        return small_run(tmp_path_factory.mktemp("whole") / "run", recipe)


def assert_same(run: RunFolder, other: RunFolder) -> None:
    """The same numbers and weights, to the bit."""
    assert metrics(run) == metrics(other)
    assert (run.path / "samples.jsonl").read_text() == (other.path / "samples.jsonl").read_text()
    for checkpoint in ("baseline", "best", "last"):
        assert weights(run, checkpoint) == weights(other, checkpoint)
    assert run.manifest["weights"] == other.manifest["weights"]
    for stage in ("likelihood", "policy_gradient"):
        told = [r.manifest["stages"][stage] for r in (run, other)]
        assert all(told[0].get(name) == told[1].get(name) for name in ("ended", "steps", "best_step", "best_held_out"))
    assert sorted(p.name for p in run.path.iterdir()) == sorted(p.name for p in other.path.iterdir())


@pytest.mark.parametrize("moment", MOMENTS)
def test_row16_killed_and_resumed_is_as_if_nothing_had_happened(moment, tmp_path, recipe, uninterrupted):
    process = dying_run(moment, tmp_path / "run", recipe)
    process.join(500)
    assert process.exitcode == -signal.SIGKILL
    run = RunFolder.open(tmp_path / "run")
    assert not run.is_finished or moment == "before the run folder is tidied"
    tune(run.recipe, run)
    assert_same(run, uninterrupted)


def test_row16_the_command_killed_from_outside_again_and_again(tmp_path, recipe, uninterrupted):
    """In each stage once, wherever it stands by then: between two instructions of any library."""
    (tmp_path / "small.yaml").write_text(dump_recipe(recipe))
    lines = tmp_path / "run" / "metrics.jsonl"
    arguments = ["--recipe", "small.yaml", "--out", "run"]
    for num_lines in (4, 11):
        process = command(*arguments, cwd=tmp_path)
        while process.poll() is None and (not lines.exists() or lines.read_bytes().count(b"\n") < num_lines):
            time.sleep(0.005)
        process.kill()
        _, told = process.communicate()
        assert process.returncode == -signal.SIGKILL, told
        assert not RunFolder.open(tmp_path / "run").is_finished
        arguments = ["--resume", "run"]
    process = command(*arguments, cwd=tmp_path)
    _, told = process.communicate(timeout=500)
    assert process.returncode == 0, told
    assert told.endswith("run: done. Now `lastmile compare run`\n")
    assert_same(RunFolder.open(tmp_path / "run"), uninterrupted)


def command(*arguments: str, cwd: Path) -> subprocess.Popen:
    """`lastmile tune` in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "lastmile", "tune", *arguments],
        cwd=cwd,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def interrupted_in_stage_2(path: Path, recipe: Recipe, monkeypatch) -> RunFolder:
    """Ctrl-C after the fifth step; the last validation was at the fourth."""

    def press(self, trainer, module, *rest, real=Validate.on_train_batch_end):
        real(self, trainer, module, *rest)
        if module.name == "policy_gradient" and trainer.global_step == 5:
            raise KeyboardInterrupt

    run = RunFolder.new(path)
    with monkeypatch.context() as patch, pytest.raises(RunError) as error:
        patch.setattr(Validate, "on_train_batch_end", press)
        tune(recipe, run)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    assert str(error.value) == (f"interrupted. `lastmile tune --resume {path}` goes on from the last validation")
    return run


def test_row16_control_c_leaves_a_run_that_goes_on(tmp_path, recipe, uninterrupted, monkeypatch):
    run = interrupted_in_stage_2(tmp_path / "run", recipe, monkeypatch)
    assert metrics(run, "policy_gradient", "train")[-1]["step"] == 5
    tune(run.recipe, run)
    assert_same(run, uninterrupted)


def test_row16_workers_that_judge_change_nothing_and_end_with_control_c(tmp_path, recipe, uninterrupted, monkeypatch):
    """Judged in two processes, interrupted and resumed: as in one process without a break."""
    hardware = recipe.hardware.model_copy(update={"judge_workers": 2})
    run = interrupted_in_stage_2(tmp_path / "run", recipe.model_copy(update={"hardware": hardware}), monkeypatch)
    assert multiprocessing.active_children() == []
    tune(run.recipe, run)
    assert run.recipe.hardware.judge_workers == 2
    assert_same(run, uninterrupted)


def test_row16_the_reference_must_be_the_one_that_the_run_began_with(tmp_path, recipe, monkeypatch):
    run = interrupted_in_stage_2(tmp_path / "run", recipe, monkeypatch)
    saved = torch.load(run.path / "resume" / "policy_gradient.ckpt", weights_only=True)
    then = saved["reference_hash"]
    assert then == run.manifest["weights"]["baseline"]
    shutil.rmtree(run.path / "baseline")
    shutil.copytree(run.path / "best", run.path / "baseline")
    now = run.manifest["weights"]["best"]
    assert now != then
    before = {path: path.read_bytes() for path in run.path.rglob("*.safetensors")}
    with pytest.raises(InputError) as error:
        tune(run.recipe, run)
    assert str(error.value) == (
        f"the checkpoint was trained against reference {then[:12]}, but `baseline/` is {now[:12]}. "
        "Restore the run's `baseline` folder, or start a new run"
    )
    assert before == {path: path.read_bytes() for path in run.path.rglob("*.safetensors")}


def test_row16_other_data_under_the_same_name_are_refused(tmp_path, monkeypatch):
    settings = "policy_gradient.steps=6", "policy_gradient.validate_every=2"
    recipe = small_recipe(write_corpus(tmp_path / "data"), *settings)
    run = interrupted_in_stage_2(tmp_path / "run", recipe, monkeypatch)
    was = run.manifest["data"]["fingerprint"]
    with (tmp_path / "data" / "test.jsonl").open("a") as file:
        file.write(json.dumps({"document": "One more.", "summary": "More."}) + "\n")
    with pytest.raises(InputError) as error:
        tune(run.recipe, run)
    assert str(error.value).startswith(f"`{tmp_path / 'data'}` changed since this run began (fingerprint ")
    assert f"then {was[:12]}). Bring the old data back, or start a new run" in str(error.value)


def test_row16_a_run_that_had_stopped_stays_stopped(tmp_path, monkeypatch):
    """Killed after the checkpoint that its stop rule led to, before the manifest says so."""
    recipe = small_recipe(
        write_corpus(tmp_path / "data"),
        "policy_gradient.steps=20",
        "policy_gradient.validate_every=1",
        "policy_gradient.learning_rate=0",
        "policy_gradient.stop.patience=2",
        "likelihood.epochs=0",
    )
    whole = small_run(tmp_path / "whole", recipe)
    assert whole.manifest["stages"]["policy_gradient"]["steps"] == 2
    run = RunFolder.new(tmp_path / "run")
    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="power cut"):

        def cut(*_, **facts):
            if "policy_gradient" in facts.get("stages", {}):
                raise RuntimeError("power cut")
            return note(*_, **facts)

        note = RunFolder.note
        patch.setattr(RunFolder, "note", cut)
        tune(recipe, run)
    tune(recipe, run)
    assert_same(run, whole)

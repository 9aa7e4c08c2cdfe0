"""Checklist rows 11 and 17: two processes do what one does, with parts of unequal size, and leave one set of files."""

from __future__ import annotations

import math
import os
import subprocess
import sys

import gradients
from safetensors.torch import load, load_file
from small import metrics, small_recipe, small_run, tiny_checkpoint, weights, write_corpus

from lastmile.config import dump_recipe
from lastmile.train.run import RunFolder
from lastmile.train.stage import Stage


def test_row11_row17_two_processes_do_what_one_does(tmp_path, monkeypatch):
    """Seven documents a step are four and three; the last validation batch goes to one process alone."""
    recipe = small_recipe(
        write_corpus(tmp_path / "data", train=14),
        "likelihood.documents_per_step=7",
        "policy_gradient.documents_per_step=7",
        "policy_gradient.steps=2",
        # Adam divides a gradient by its own size: what rounding did to a tiny one may become two whole steps.
        "policy_gradient.learning_rate=1e-5",
        "likelihood.validate_every=1",
        "policy_gradient.validation_documents=5",
        "compare.decoding.batch_size=2",
        # No biases: of BART's key biases the gradient is 0 but for rounding, and Adam takes whole steps along that.
        model=tiny_checkpoint("t5", dropout_rate=0.0, initializer_factor=1.0),
    )
    (tmp_path / "small.yaml").write_text(dump_recipe(recipe))
    with monkeypatch.context() as patch:
        patch.setattr(Stage, "configure_gradient_clipping", gradients.keeping(tmp_path / "alone"))
        one = small_run(tmp_path / "one", recipe)
    devices = ["--accelerator", "cpu", "--devices", "2", "--strategy", "ddp"]
    done = subprocess.run(
        [sys.executable, gradients.__file__, "tune", "--recipe", "small.yaml", "--out", "two", *devices],
        cwd=tmp_path,
        env=os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("two: done. Now `lastmile compare two`") == 1
    assert done.stderr.count("policy gradient ended at step 2: all steps done") == 1
    two = RunFolder.open(tmp_path / "two")
    assert sorted(path.name for path in two.path.iterdir()) == sorted(path.name for path in one.path.iterdir())
    assert two.manifest["stages"]["policy_gradient"]["devices"] == 2
    assert len(list((two.path / "tensorboard").iterdir())) == len(list((one.path / "tensorboard").iterdir()))
    assert_close(metrics(one), metrics(two))
    assert len(list((tmp_path / "gradients").iterdir())) == 2 * 2 * 2  # stages, steps, processes
    for file in (tmp_path / "gradients").iterdir():
        name, _, _ = file.name.rpartition("-")
        mine, theirs = load_file(tmp_path / "alone" / f"{name}-0.safetensors"), load_file(file)
        assert mine.keys() == theirs.keys()
        assert max(gradient.abs().max().item() for gradient in mine.values()) > 1e-2
        assert max((mine[name] - theirs[name]).abs().max().item() for name in mine) < 1e-6
    for checkpoint in ("baseline", "best", "last"):
        mine, theirs = load(weights(one, checkpoint)), load(weights(two, checkpoint))
        assert max((mine[name] - theirs[name]).abs().max().item() for name in mine) < 1e-6


def assert_close(one: list[dict], other: list[dict]) -> None:
    """The same rows to 1e-5, the rounding of a few steps."""
    assert len(one) == len(other)
    for left, right in zip(one, other, strict=True):
        assert left.keys() == right.keys()
        for name, value in left.items():
            if isinstance(value, float) and name != "log_prob_gap":
                assert math.isclose(value, right[name], abs_tol=1e-5, rel_tol=1e-5), (left["step"], name)

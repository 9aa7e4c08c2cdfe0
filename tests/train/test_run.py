from __future__ import annotations

import errno
import json
import os
import re
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from small import metrics, small_recipe, small_run, weights, write_corpus
from tiny import tiny_policy

from lastmile import __version__
from lastmile.config import dump_recipe, load_recipe
from lastmile.errors import InputError, RunError
from lastmile.policy.load import load_policy, weights_hash
from lastmile.train.run import RunFolder, is_first_process, write_text
from lastmile.train.tune import tune


def refused(path: Path) -> str:
    with pytest.raises(InputError) as error:
        RunFolder.new(path)
    assert error.value.exit_code == 2
    return str(error.value)


def test_another_run_is_not_overwritten(tmp_path):
    (tmp_path / "recipe.yaml").touch()
    assert refused(tmp_path) == (
        f"`{tmp_path}` holds another run. Continue it with `lastmile tune --resume {tmp_path}`, "
        "or choose another folder with `--out`"
    )


def test_a_folder_with_anything_in_it_is_refused(tmp_path):
    (tmp_path / "thesis.tex").touch()
    (tmp_path / "empty").mkdir()
    for path in (tmp_path, tmp_path / "thesis.tex"):
        assert refused(path) == f"`{path}` is not an empty folder. Choose another with `--out`"
    assert RunFolder.new(tmp_path / "empty").path == tmp_path / "empty"
    assert not RunFolder.new(tmp_path / "new" / "run").path.exists()


def test_what_is_not_a_run_cannot_be_opened(tmp_path):
    with pytest.raises(InputError) as error:
        RunFolder.open(tmp_path)
    assert str(error.value) == f"`{tmp_path}` is not a run: it has no recipe.yaml. `lastmile tune` makes one"


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RunError) as error:
        RunFolder(tmp_path / "file" / "run").begin(small_recipe(tmp_path))
    assert str(error.value) == f"{tmp_path / 'file' / 'run'}: cannot be written: Not a directory"


def test_a_run_leaves_what_its_docstring_says(tmp_path):
    recipe = small_recipe(write_corpus(tmp_path / "data"), "seed=7")
    run = small_run(tmp_path / "run", recipe)
    names = re.findall(r"^    ([\w.]+)/? {2,}", RunFolder.__doc__, flags=re.MULTILINE)
    assert sorted(path.name for path in run.path.iterdir()) == sorted(set(names) - {"resume", "detector"})
    assert load_recipe(run.path / "recipe.yaml") == recipe
    manifest = run.manifest
    assert manifest["seed"] == 7
    assert manifest["environment"]["packages"]["lastmile"] == __version__
    assert manifest["environment"].keys() == {"command", "started", "python", "packages", "git", "machine"}
    assert re.fullmatch(r"(\S*[0-9a-f]{12}(\+dirty)?)?", manifest["environment"]["git"] or "")
    assert manifest["data"] | {"fingerprint": ""} == {
        "name": str(tmp_path / "data"),
        "fingerprint": "",
        "train": 24,
        "validation": 6,
        "test": 6,
    }
    assert len(manifest["data"]["fingerprint"]) == 64
    for checkpoint in ("baseline", "best", "last"):
        assert manifest["weights"][checkpoint] == weights_hash(load_policy(str(run.path / checkpoint)))
    assert manifest["weights"]["last"] != manifest["weights"]["baseline"]
    for stage in ("likelihood", "policy_gradient"):
        facts = manifest["stages"][stage]
        assert facts["ended"] == "all steps done"
        assert (facts["steps"], facts["device"], facts["devices"]) == (3, "cpu", 1)
        assert facts["seconds"] > 0 and facts["peak_memory_bytes"] > 10**8
    assert run.is_finished and run.ended("likelihood")


def test_presets_that_are_not_used_are_told(tmp_path):
    policy = tiny_policy("bart")
    policy.save(tmp_path / "model")
    preset = json.loads((tmp_path / "model" / "generation_config.json").read_text())
    preset |= {"no_repeat_ngram_size": 3, "min_length": 56}
    (tmp_path / "model" / "generation_config.json").write_text(json.dumps(preset))
    recipe = small_recipe(write_corpus(tmp_path / "data"), "policy_gradient.steps=0", model=tmp_path / "model")
    dropped = small_run(tmp_path / "run", recipe).manifest["model"]["dropped_presets"]
    assert dropped == {"no_repeat_ngram_size": 3, "min_length": 56}


def test_the_manifest_joins_what_is_noted(tmp_path):
    run = RunFolder(tmp_path)
    run.note(stages={"likelihood": {"steps": 3}}, seed=1)
    run.note(stages={"policy_gradient": {"steps": 4}}, seed=2)
    assert run.manifest == {"stages": {"likelihood": {"steps": 3}, "policy_gradient": {"steps": 4}}, "seed": 2}
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]


def test_a_half_written_swap_is_undone(tmp_path):
    run = RunFolder(tmp_path)
    run.begin(small_recipe(tmp_path))
    for name, text in ((".best.old", "old"), (".best.new", "half"), (".last.old", "older"), ("last", "new")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(text)
    (tmp_path / ".manifest.json.123.new").write_text('{"se')
    assert RunFolder.open(tmp_path).has("best") is False  # looking at a run, which may be going on, changes nothing
    assert (tmp_path / ".best.new").exists()
    run.begin(small_recipe(tmp_path))
    assert (tmp_path / "best" / "config.json").read_text() == "old"
    assert (tmp_path / "last" / "config.json").read_text() == "new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best", "last", "recipe.yaml"]


def test_a_resumed_run_keeps_its_recipe(tmp_path):
    run = RunFolder(tmp_path)
    run.begin(small_recipe(tmp_path, "seed=1"))
    run.begin(small_recipe(tmp_path, "seed=2"))
    assert run.recipe.seed == 1


def test_other_processes_than_the_first_take_the_folder_as_it_is(tmp_path, monkeypatch):
    (tmp_path / "recipe.yaml").touch()
    for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    assert is_first_process()
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert not is_first_process()
    assert RunFolder.new(tmp_path).path == tmp_path
    monkeypatch.setenv("RANK", "0")  # of all machines; LOCAL_RANK counts on each
    assert is_first_process()


@contextmanager
def full_disk(num_bytes: int) -> Iterator[None]:
    """No file may grow beyond so many bytes. For a few calls only: what pytest itself writes may go to a file too."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize(
    ("part", "num_bytes", "first_to_fail"),
    [
        ("model", 500, "config.json"),
        ("model", 20_000, "model.safetensors"),
        ("tokenizer", 2_000, "tokenizer.json"),
        ("tokenizer", 100, "tokenizer_config.json"),
    ],
)
def test_a_full_disk_leaves_the_old_checkpoint_whole(tmp_path, monkeypatch, part, num_bytes, first_to_fail):
    """Each library that writes a file of a checkpoint complains in its own way."""
    run = RunFolder(tmp_path)
    run.write_policy(tiny_policy("bart", seed=1), "best")
    assert (tmp_path / "best" / first_to_fail).stat().st_size > num_bytes
    before, manifest = files_in(tmp_path), run.manifest
    policy = tiny_policy("bart", seed=2)
    save = getattr(policy, part).save_pretrained

    def save_on_a_full_disk(*arguments, **settings) -> None:
        with full_disk(num_bytes):
            save(*arguments, **settings)

    with monkeypatch.context() as patch, pytest.raises(RunError) as error:
        patch.setattr(getattr(policy, part), "save_pretrained", save_on_a_full_disk)
        run.write_policy(policy, "best")
    assert str(error.value).startswith(f"{tmp_path / 'best'}: cannot be written: ")
    assert "File too large" in str(error.value) and "\n" not in str(error.value)
    assert files_in(tmp_path) == before and run.manifest == manifest
    run.write_policy(policy, "best")
    assert run.manifest["weights"]["best"] == weights_hash(load_policy(str(tmp_path / "best")))


def files_in(folder: Path) -> dict[str, bytes]:
    """All that a folder holds, hidden files too."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_full_disk_leaves_the_old_text_whole(tmp_path, monkeypatch):
    write_text(tmp_path / "manifest.json", "old")

    def no_room(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", no_room)
    with pytest.raises(RunError, match=r"manifest\.json: cannot be written: No space left on device$"):
        write_text(tmp_path / "manifest.json", "new")
    assert (tmp_path / "manifest.json").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]


def test_a_disk_that_fills_up_while_training_ends_the_run_and_more_room_goes_on(tmp_path):
    """The checkpoint for `--resume`, with the optimizer's state, is the first file that does not fit."""
    settings = "policy_gradient.steps=0", "likelihood.validate_every=1"
    recipe = small_recipe(write_corpus(tmp_path / "data"), *settings)
    (tmp_path / "small.yaml").write_text(dump_recipe(recipe))
    whole = small_run(tmp_path / "whole", recipe)
    num_bytes = max(path.stat().st_size for path in (whole.path / "baseline").iterdir()) + 1000
    done = subprocess.run(
        [sys.executable, "-m", "lastmile", "tune", "--recipe", "small.yaml", "--out", "run"],
        cwd=tmp_path,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, num_bytes)),
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    file = Path("run", "resume", "likelihood.ckpt")
    assert done.stderr.splitlines()[-1] == (
        f"{file}: cannot be written: File too large. `lastmile tune --resume run` goes on from the last validation"
    )
    run = RunFolder.open(tmp_path / "run")
    assert list((run.path / "resume").iterdir()) == []
    tune(run.recipe, run)
    assert metrics(run) == metrics(whole) and weights(run, "baseline") == weights(whole, "baseline")

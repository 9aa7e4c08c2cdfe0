"""Children that are killed at a chosen moment, as `kill -9` or a power cut would.

They come from a server that has imported everything and computed nothing, so that they start at once.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import torch

import lastmile.ship.summarize
import lastmile.train.tune
from lastmile.config import Data, Decoding, Recipe
from lastmile.corpus.sources import load_documents
from lastmile.policy.load import load_policy
from lastmile.ship.summarize import summarize
from lastmile.train.journal import Journal
from lastmile.train.run import RunFolder
from lastmile.train.trainer import AtomicCheckpoint
from lastmile.train.tune import tune
from lastmile.train.validate import Validate

processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["lastmile.train.tune", "lastmile.ship.summarize"])


def die(*_: object, **__: object) -> None:
    """What no process can catch; stands in for any function."""
    os.kill(os.getpid(), 9)


def on_call(number: int, module: object, name: str, instead=die) -> None:
    """Replace a function so that its n-th call does something else."""
    real, calls = getattr(module, name), []

    def counting(*arguments, **settings):
        calls.append(1)
        if len(calls) == number:
            return instead(*arguments, **settings)
        return real(*arguments, **settings)

    setattr(module, name, counting)


def at_step(stage: str, step: int) -> None:
    """Die after an optimizer step, before its numbers are written."""
    real = Validate.on_train_batch_end

    def watched(self, trainer, module, *rest):
        if module.name == stage and trainer.global_step == step:
            die()
        real(self, trainer, module, *rest)

    Validate.on_train_batch_end = watched


def at_rename(name: str, if_there: str) -> None:
    """Die before a file or folder gets its name, once another one is there."""
    real = os.replace

    def watched(old, new):
        if Path(old).match(name) and Path(old).with_name(if_there).exists():
            die()
        real(old, new)

    os.replace = watched


def half_a_checkpoint(checkpoint, file) -> None:
    """Die in the middle of torch.save."""
    torch.save(checkpoint, file)
    file.truncate(file.tell() // 2)
    die()


def half_a_line(self, name: str, lines: list[str]) -> None:
    """Die in the middle of a line of metrics."""
    with (self.path / name).open("a") as file:
        file.write(lines[0][:40])
        file.flush()
        die()


MOMENTS = {
    "before the first step": lambda: at_step("likelihood", 1),
    "in the middle of stage 1": lambda: at_step("likelihood", 5),
    "after `baseline` was written, before its checkpoint": lambda: on_call(1, AtomicCheckpoint, "save_checkpoint"),
    "in the middle of a checkpoint": lambda: on_call(2, torch, "save", half_a_checkpoint),
    "between the stages": lambda: on_call(1, lastmile.train.tune, "fit_policy_gradient"),
    "between the renames of a swap": lambda: at_rename(".best.new", if_there=".best.old"),
    "before a manifest is renamed": lambda: at_rename(".manifest.json.*.new", if_there="best"),
    "in the middle of a line": lambda: on_call(9, Journal, "_append", half_a_line),
    "in the middle of stage 2": lambda: at_step("policy_gradient", 3),
    "before the run folder is tidied": lambda: on_call(1, shutil, "rmtree"),
}


def start_and_die(moment: str | None, path: Path, recipe: Recipe) -> None:
    """Body of a child."""
    run = RunFolder.new(path)
    run.begin(recipe)
    if moment:
        MOMENTS[moment]()
    tune(recipe, run)


def dying_run(moment: str | None, path: Path, recipe: Recipe) -> multiprocessing.Process:
    """A run in a child that meets its moment; without one it waits for whoever kills it."""
    return _start(start_and_die, moment, path, recipe)


def dying_summarize(batches: int, model: Path, documents: Path, out: Path, decoding: Decoding):
    """Summaries in a child that dies after so many batches, in the middle of a line."""
    return _start(summarize_and_die, batches, model, documents, out, decoding)


def summarize_and_die(batches: int, model: Path, documents: Path, out: Path, decoding: Decoding) -> None:
    """Body of a child."""

    def half_a_row(*_) -> None:
        with out.with_name(f"{out.name}.partial").open("a") as file:
            file.write('{"id": "a5", "summ')
            file.flush()
            die()

    on_call(batches + 1, lastmile.ship.summarize, "decode_batch", half_a_row)
    data = Data(name="articles", max_document_tokens=64)
    summarize(load_policy(str(model)), load_documents(documents), out, decoding, data, progress=False)


def _start(body: Callable, *arguments: object) -> multiprocessing.Process:
    process = processes.Process(target=_alone, args=(os.environ["LASTMILE_CACHE"], body, *arguments), daemon=True)
    process.start()
    return process


def _alone(cache: str, body: Callable, *arguments: object) -> None:
    os.environ["LASTMILE_CACHE"] = cache
    torch.set_num_threads(1)
    body(*arguments)

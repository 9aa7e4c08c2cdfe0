"""From the command to the end of its first optimizer step, as a person waits for it: both stages of `lastmile tune`.

The recipe is `demo`: a T5 of 4M parameters, built and given a tokenizer, and 6,000 documents that are made, measured
and tokenized. Before the first step the starting model writes the validation summaries, and they are measured. The
second stage starts from a checkpoint of that shape whose summaries all reach the limit: the most work there is. Each
turn is a process of its own with an empty cache and a new run folder, killed when the step's line stands in
metrics.jsonl. Told beside it: what `lastmile --help` takes, and seconds of the processor, which other work on the
machine changes less.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile

import torch

from bench.results import Result, result
from bench.turns import Setup, in_turns, spread
from lastmile.config import Recipe, load_recipe
from lastmile.corpus.demo import demo_corpus
from lastmile.errors import RunError
from lastmile.policy.build import build_small_policy
from lastmile.recipe_files import find_recipe

LASTMILE = [sys.executable, "-m", "lastmile"]
TINY = (
    "data.name=demo#64",
    "model.build={vocabulary: 300, width: 16, heads: 2, encoder_layers: 1, decoder_layers: 1}",
    "likelihood.validation_documents=4",
    "policy_gradient.validation_documents=4",
)
# What an untrained model writes would end the stage before its first step.
FROM_MODEL = (
    "model.build=null",
    "policy_gradient.stop={max_kl: 1e9, min_length_ratio: 0, max_length_ratio: 1e9, min_distinct: 0, patience: 9}",
)


def run(setup: Setup, peer: bool = True) -> list[Result]:
    """`--help` and the two stages in turns; there is no peer."""
    settings = [f"hardware.accelerator={'gpu' if setup.device == 'cuda' else 'cpu'}", f"seed={setup.seed}"]
    settings += TINY if setup.shape == "tiny" else ()
    recipe = load_recipe(find_recipe("demo"), settings)
    environment = os.environ | {"OMP_NUM_THREADS": str(setup.threads)}
    processor: dict[str, list[float]] = {}

    def timed(name: str, turn: Callable[[], None]) -> Callable[[], float]:
        def timed_turn() -> float:
            before, start = processor_seconds(), time.perf_counter()
            turn()
            seconds = time.perf_counter() - start
            processor.setdefault(name, []).append(processor_seconds() - before)
            return seconds

        return timed_turn

    with TemporaryDirectory(prefix="lastmile-bench-") as folder:
        model = build_checkpoint(recipe, Path(folder) / "model")
        sides = {
            "--help": lambda: subprocess.run([*LASTMILE, "--help"], check=True, stdout=subprocess.DEVNULL),
            "likelihood": lambda: first_step("likelihood", settings, environment),
            "policy gradient": lambda: first_step("policy_gradient", [*settings, *FROM_MODEL], environment, model),
        }
        spent = in_turns({name: timed(name, turn) for name, turn in sides.items()}, setup.rounds)
    return [
        result(
            f"startup, {name}",
            setup,
            seconds,
            processor_seconds=(used := spread(processor[name][1:])),
            facts={"seconds of the processor": used["median"]},
        )
        for name, seconds in spent.items()
    ]


def build_checkpoint(recipe: Recipe, folder: Path) -> Path:
    """An untrained model of the recipe's shape that does not end a summary."""
    texts = (example.document for example in demo_corpus((500, 0, 0)).train)
    policy = build_small_policy(recipe.model.build, texts, recipe.data.max_document_tokens, recipe.seed)
    with torch.no_grad():
        policy.output_weight[policy.eos_id] = 0
    policy.save(folder)
    return folder


def first_step(stage: str, settings: list[str], environment: dict[str, str], model: Path | None = None) -> None:
    """Start `lastmile tune` and kill it once its first optimizer step is written down.

    Raises:
        RunError: If it ends before.
    """
    with TemporaryDirectory(prefix="lastmile-bench-") as folder, TemporaryFile("w+") as told:
        metrics = Path(folder) / "run" / "metrics.jsonl"
        options = ["--data", "demo", "--out", str(metrics.parent), *(["--model", str(model)] if model else [])]
        process = subprocess.Popen(
            [*LASTMILE, "tune", *options, *settings],
            env=environment | {"LASTMILE_CACHE": str(Path(folder) / "cache")},
            stdout=subprocess.DEVNULL,
            stderr=told,
        )
        while process.poll() is None and not steps(metrics, stage):
            time.sleep(0.005)
        process.kill()
        process.wait()
        if not steps(metrics, stage):
            told.seek(0)
            raise RunError(f"`lastmile tune` ended before its first step of {stage}:\n{told.read()}")


def steps(metrics: Path, stage: str) -> bool:
    """Whether a whole line of metrics tells of an optimizer step of a stage."""
    lines = metrics.read_text(encoding="utf-8").split("\n")[:-1] if metrics.exists() else []
    rows = map(json.loads, lines)
    return any((row["stage"], row["split"]) == (stage, "train") for row in rows)


def processor_seconds() -> float:
    """Of all child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime

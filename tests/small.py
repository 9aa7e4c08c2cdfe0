"""Small runs: a corpus of a few dozen lines, a tiny model on disk, and a recipe that trains it in a second."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tiny import SENTENCES, tiny_policy

from lastmile.config import Recipe, parse_recipe
from lastmile.records import Example
from lastmile.train.run import RunFolder
from lastmile.train.tune import check_recipe, tune

# Untrained models write nonsense; tests that are not about stopping let them.
NEVER_STOP = {
    "max_kl": 1e9,
    "min_length_ratio": 0,
    "max_length_ratio": 1e9,
    "min_distinct": 0,
    "patience": 1000,
}


def write_rows(path: Path, rows: Iterable[dict]) -> Path:
    """A JSONL file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def write_corpus(folder: Path, train: int = 24, validation: int = 6, test: int = 6) -> Path:
    """A folder with three splits: documents of two sentences, the start of one of them as summary."""
    for split, count in (("train", train), ("validation", validation), ("test", test)):
        dice = random.Random(split)
        rows = []
        for number in range(count):
            first, second = dice.sample(SENTENCES, 2)
            document = f"Story {number} of {split}. {first} {second}"[: dice.randint(60, 150)]
            rows.append({"id": f"{split}-{number}", "document": document, "summary": f"{first[:24].strip()}."})
        write_rows(folder / f"{split}.jsonl", rows)
    return folder


def write_articles(path: Path) -> Path:
    """Seven documents without summaries, the shortest in the middle."""
    texts = [*SENTENCES[:3], "Short.", *SENTENCES[3:]]
    return write_rows(path, [{"id": f"a{number}", "document": text} for number, text in enumerate(texts)])


def tiny_checkpoint(family: str = "bart", **settings: Any) -> Path:
    """A tiny untrained model in a folder of its own, made once a session."""
    return _tiny_checkpoint(family, **dict(sorted(settings.items())))


@cache
def _tiny_checkpoint(family: str, **settings: Any) -> Path:
    """Apart, since a cache takes `()` and `("bart")` for two calls and would write one folder twice."""
    folder = Path(_models().name, "-".join([family, *(f"{key}={value}" for key, value in settings.items())]))
    tiny_policy(family, **settings).save(folder)
    return folder


@cache
def _models() -> TemporaryDirectory:
    """Goes when the session ends."""
    return TemporaryDirectory(prefix="lastmile-tiny-")


def small_recipe(data: Path, *overrides: str, model: Path | None = None, **sections: Any) -> Recipe:
    """Both stages, three steps each; `sections` replace whole sections, `overrides` single settings."""
    tree = {
        "data": {"name": str(data), "max_document_tokens": 64, "max_summary_tokens": 16},
        "model": {"name": str(model or tiny_checkpoint())},
        "likelihood": {"epochs": 1, "documents_per_step": 8, "learning_rate": 1e-3, "validation_documents": 4},
        "sampling": {"num_samples": 3, "max_new_tokens": 12},
        "policy_gradient": {
            "steps": 3,
            "documents_per_step": 8,
            "learning_rate": 1e-3,
            "warmup_steps": 0,
            "validation_documents": 4,
            "stop": NEVER_STOP,
        },
        "compare": {"decoding": {"max_new_tokens": 12}, "rerank_candidates": 2, "bootstrap_samples": 200},
        "hardware": {"accelerator": "cpu", "devices": 1},
    }
    return parse_recipe(tree | sections, overrides)


def small_run(path: Path, recipe: Recipe) -> RunFolder:
    """A finished run."""
    check_recipe(recipe)
    run = RunFolder.new(path)
    tune(recipe, run)
    return run


@cache
def taught_checkpoint() -> Path:
    """A tiny BART that learnt to begin its summaries as people do (ROUGE-L above 10); untrained ones write noise."""
    data = write_corpus(Path(_models().name, "data"))
    settings = "likelihood.epochs=20", "likelihood.learning_rate=1e-2", "likelihood.label_smoothing=0"
    recipe = small_recipe(data, *settings, "policy_gradient.steps=0", model=tiny_checkpoint("bart", init_std=0.1))
    run = small_run(Path(_models().name, "taught"), recipe)
    assert metrics(run, split="validation")[-1]["rougeL"] > 10
    return run.path / "baseline"


@cache
def finished_run(seed: int = 1) -> RunFolder:
    """A run of both stages, made once a session; copy it before you change it."""
    recipe = small_recipe(write_corpus(Path(_models().name, "data")), f"seed={seed}", model=taught_checkpoint())
    return small_run(Path(_models().name, f"run-{seed}"), recipe)


def metrics(run: RunFolder, stage: str | None = None, split: str | None = None) -> list[dict]:
    """Rows of metrics.jsonl, without what a clock put there."""
    rows = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    for row in rows:
        row.pop("documents_per_second", None)
    return [row for row in rows if stage in (None, row["stage"]) and split in (None, row["split"])]


def weights(run: RunFolder, checkpoint: str) -> bytes:
    """A checkpoint's safetensors, to the byte."""
    return (run.path / checkpoint / "model.safetensors").read_bytes()


# Rewards for recipes: `small:likes_vowels` and the like.


def likes_vowels(examples: Sequence[Example], summaries: Sequence[str]) -> list[float]:
    """The share of vowels."""
    return [sum(text.count(vowel) for vowel in "aeiou") / len(text) for text in summaries]


def sees_the_example(examples: Sequence[Example], summaries: Sequence[str]) -> list[float]:
    """1 where document and target arrived, as they must for every sample."""
    assert len(examples) == len(summaries)
    return [float(e.document.startswith("Story") and e.target.endswith(".")) for e in examples]


def sees_no_target(examples: Sequence[Example], summaries: Sequence[str]) -> list[float]:
    return [float(example.targets == ()) for example in examples]


def cannot_tell_odd_lengths(examples: Sequence[Example], summaries: Sequence[str]) -> list[float]:
    """NaN for summaries with an odd number of characters, unless a person wrote them."""
    return [
        float("nan") if len(text) % 2 and text not in example.targets else 1.0 + len(text)
        for example, text in zip(examples, summaries, strict=True)
    ]


def likes_targets_alone(examples: Sequence[Example], summaries: Sequence[str]) -> list[float]:
    """NaN for whatever a model writes."""
    return [1.0 if text in e.targets else float("nan") for e, text in zip(examples, summaries, strict=True)]


def breaks_on_models(examples: Sequence[Example], summaries: Sequence[str]) -> list[float]:
    """Works when tried on targets, raises on what a model writes."""
    if any(text not in example.targets for example, text in zip(examples, summaries, strict=True)):
        raise KeyError("teapot")
    return [1.0] * len(summaries)

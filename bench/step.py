"""A whole step of policy gradient (sample, reference pass, update, optimizer): ours against TRL's PPO.

Ours is the stage that `lastmile tune` runs, on Lightning, with the optimizer, clipping and statistics of a real run;
judging is left out on both sides (rewards are random numbers). TRL is `PPOTrainer` 0.11.4, the last that trains
encoder-decoders: generate, then one PPO epoch, in an environment and a process of its own that does one step when it is
told, so that turns alternate. Both write summaries of the same lengths for the same number of documents and samples,
keep a frozen reference, and make one optimizer step. What differs by nature: PPO trains a value head and its baseline
is that critic's; ours is the mean return of a document's other samples.

TRL has its best settings: mini-batches of all rows or of one document's, and in a run in bfloat16 autocast or float32,
whatever was quickest in a trial of two steps just before.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytorch_lightning as pl
import torch

from bench.floor import Meter, Phase, Sizes, sampling, scoring, training
from bench.lengths import check_lengths, draw_lengths, planned_uniforms
from bench.peer import Peer
from bench.results import Result, result
from bench.shapes import SHAPES, build_policy
from bench.turns import Setup, wait
from lastmile.config import Recipe, parse_recipe
from lastmile.corpus.splits import write_arrow
from lastmile.corpus.tokens import SCHEMA, TokenizedSplit
from lastmile.judge.pool import JudgePool
from lastmile.policy.policy import Encoded
from lastmile.policy.sample import sample
from lastmile.records import Example, Rollout, Scores, Summary, TokenBatch
from lastmile.train.policy_gradient import PolicyGradientStage
from lastmile.train.trainer import quiet_lightning

PRECISION = {"float32": "32-true", "bfloat16": "bf16-mixed"}


class RandomJudge:
    """Rewards from nowhere: the same for both sides would be none."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)

    def to(self, device: object) -> RandomJudge:
        """It has no model to move."""
        return self

    def __call__(self, examples: Sequence[Example], summaries: Sequence[Sequence[Summary]]) -> Scores:
        """One number a summary."""
        shape = len(examples), len(summaries[0])
        return Scores({}, {}, [[()] * shape[1]] * shape[0], self.random.standard_normal(shape))


class PlannedStage(PolicyGradientStage):
    """The stage, but for where its summaries end (see `lengths.py`)."""

    written = 0

    def rollout(self, encoded: Encoded, batch: TokenBatch, step: int) -> Rollout:
        """Sample as the stage does, with numbers that end the rows as planned."""
        documents, samples, limit = len(batch.examples), self.sampling.num_samples, self.sampling.max_new_tokens
        first = self.written % self.documents_per_step
        lengths = draw_lengths(self.documents_per_step * samples, limit, self.seed)
        lengths = lengths[first * samples : (first + documents) * samples]
        self.written += documents
        rollout = sample(self.policy, encoded, planned_uniforms(lengths, documents, limit, step), self.sampling)
        torch.clear_autocast_cache()
        check_lengths(rollout, lengths)
        return rollout


class Turns(pl.Callback):
    """Times each step of ours from the end of the last, and lets the others have their turns between two steps."""

    def __init__(self, others: dict[str, Callable[[], float]], device: str, warm_up: int = 1) -> None:
        self.others, self.device, self.warm_up = others, device, warm_up
        self.spent: dict[str, list[float]] = {name: [] for name in ("ours", *others)}

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self.before = time.perf_counter()

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: PlannedStage, *_: object) -> None:
        """One step of ours is done; statistics are joined as a run joins them."""
        pl_module.finish_step()
        wait(self.device)
        number = trainer.global_step - 1
        turns = {"ours": time.perf_counter() - self.before}
        turns |= {name: turn() for name, turn in self.others.items()}
        if number >= self.warm_up:
            for name, seconds in turns.items():
                self.spent[name].append(seconds)
        self.before = time.perf_counter()


def recipe(setup: Setup, accumulate: int = 1) -> Recipe:
    """As a recipe would have it, with TRL's learning rate and no imitation of targets."""
    return parse_recipe(
        {
            "data": {
                "name": "random",
                "max_document_tokens": setup.document_tokens,
                "max_summary_tokens": setup.summary_tokens,
            },
            "model": {"name": "random"},
            "seed": setup.seed,
            "sampling": {"num_samples": setup.samples, "max_new_tokens": setup.summary_tokens},
            "policy_gradient": {
                "steps": setup.rounds + 1,
                "documents_per_step": setup.documents,
                "learning_rate": 5e-6,
                "mle_coefficient": 0.0,
            },
            "hardware": {"precision": PRECISION[setup.dtype], "accumulate": accumulate},
        }
    )


def random_split(folder: Path, setup: Setup, documents: Sequence[int], targets: Sequence[int]) -> TokenizedSplit:
    """Random tokens in documents and targets of these lengths."""
    vocabulary = SHAPES[setup.shape]["vocab_size"]
    random = np.random.default_rng([setup.seed, 2])
    rows = {
        "document_ids": [random.integers(2, vocabulary - 1, length).tolist() for length in documents],
        "target_ids": [
            [*random.integers(2, vocabulary - 1, length - 1).tolist(), vocabulary - 1] for length in targets
        ],
    }
    write_arrow(folder / "random.arrow", SCHEMA, [rows])
    examples = [Example(f"random-{number}", "", ("",)) for number in range(len(documents))]
    return TokenizedSplit(examples, folder / "random.arrow", setup.document_tokens, setup.summary_tokens)


def train_ours(setup: Setup, turns: Turns, accumulate: int = 1) -> None:
    """`setup.rounds` steps of ours after one to warm up, each in so many parts, with the others' turns between."""
    settings = recipe(setup, accumulate)
    policy, reference = (build_policy(setup.shape, setup.seed) for _ in range(2))
    with TemporaryDirectory(prefix="lastmile-bench-") as folder:
        steps = (setup.rounds + 1) * setup.documents
        split = random_split(
            Path(folder), setup, [setup.document_tokens] * steps, draw_lengths(steps, setup.summary_tokens, setup.seed)
        )
        stage = PlannedStage(policy, reference, JudgePool(RandomJudge(setup.seed)), split, settings)
        with quiet_lightning():
            trainer = pl.Trainer(
                accelerator="gpu" if setup.device == "cuda" else "cpu",
                devices=1,
                precision=settings.hardware.precision,
                accumulate_grad_batches=accumulate,
                max_steps=setup.rounds + 1,
                callbacks=[turns],
                gradient_clip_val=1.0,  # any number: the stage clips by its own setting
                logger=False,
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
            )
            trainer.fit(stage)


def run(setup: Setup, peer: bool = True) -> list[Result]:
    """Ours, TRL and the machine's rates in turns."""
    meter = Meter(setup.dtype, setup.device, setup.shape == "tiny")
    lengths = draw_lengths(setup.rows, setup.summary_tokens, setup.seed)
    others: dict[str, Callable[[], float]] = {"rates": meter}
    program, trial = "", {}
    with ExitStack() as stack:
        if peer:
            best, trial = quickest(setup, lengths)
            other = stack.enter_context(Peer(setup, *best))
            others["peer"] = lambda: other.step(lengths)
            program = f"{other.told['program']}, {other.name}"
        turns = Turns(others, setup.device)
        train_ours(setup, turns)
    return [
        result(
            "step",
            setup,
            turns.spent["ours"],
            turns.spent.get("peer"),
            program=program,
            unit="summaries",
            work=setup.rows,
            phases=step_phases(setup, lengths),
            rates=meter.rates,
            trial=trial,
            facts={f"TRL on trial, {name}, seconds": seconds for name, seconds in trial.items()},
        )
    ]


def variants(setup: Setup) -> list[tuple[str, int]]:
    """Types of numbers and sizes of mini-batches that TRL may choose from."""
    dtypes = ["float32"] if setup.dtype == "float32" else ["float32", "bfloat16"]
    return [(dtype, size) for dtype in dtypes for size in sorted({setup.rows, setup.samples})]


def quickest(setup: Setup, lengths: list[int]) -> tuple[tuple[str, int], dict[str, float]]:
    """The variant whose second step was quickest, and the seconds of each."""
    seconds = {}
    for variant in variants(setup):
        with Peer(setup, *variant) as other:
            other.step(lengths)
            seconds[variant] = other.step(lengths)
    told = {f"{dtype}, mini-batches of {size}": spent for (dtype, size), spent in seconds.items()}
    return min(seconds, key=seconds.__getitem__), told


def step_phases(setup: Setup, lengths: list[int]) -> list[Phase]:
    """Sample, score by the reference, forward and backward, AdamW. Documents are read once for sampling and update.

    The optimizer reads weight, gradient and two moments and writes three of them, in float32.
    """
    sizes, size = Sizes.of(setup.shape), 2 if setup.dtype == "bfloat16" else 4
    work = lengths, setup.samples, setup.document_tokens
    weights = (sizes.encode_bytes(1) + sizes.write_bytes(0, 0, 0, 0, 1)) * 4
    written = sampling(sizes, *work, size)[1:]
    return [*written, Phase(scoring(sizes, *work)), *training(sizes, *work), Phase(0, 7 * weights)]

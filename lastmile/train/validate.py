"""Held-out measures while training: they choose the best checkpoint and say when to stop."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Literal

import numpy as np
import pytorch_lightning as pl
import torch

from lastmile.config import Decoding, Stop
from lastmile.corpus.tokens import TokenizedSplit
from lastmile.judge.learned import Learned
from lastmile.judge.measure import measure
from lastmile.judge.metrics import METRICS
from lastmile.judge.profile import TargetProfile
from lastmile.policy.decode import decode_batch, writer
from lastmile.policy.policy import Policy
from lastmile.records import Example, Summary
from lastmile.train.journal import Journal
from lastmile.train.run import RunFolder
from lastmile.train.stage import Stage, gather

Several = Literal["best", "mean", "first"]


def length_batches(split: TokenizedSplit, limit: int, batch_size: int) -> list[np.ndarray]:
    """The first `limit` documents in batches of like length."""
    order = np.argsort(split.document_lengths[:limit], kind="stable")
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


def write_summaries(
    policy: Policy, split: TokenizedSplit, batches: Sequence[np.ndarray], decoding: Decoding
) -> dict[int, Summary]:
    """Decode the given batches: position in the split → summary."""
    was_training = policy.training
    policy.eval()
    found, by = {}, writer(policy, decoding)
    for documents in batches:
        written = decode_batch(by, split.batch(documents, policy.pad_id), decoding)
        found |= zip(documents.tolist(), written, strict=True)
    policy.train(was_training)
    return found


def held_out_measures(
    examples: Sequence[Example],
    summaries: Sequence[Summary],
    profile: TargetProfile,
    several: Several = "first",
    learned: Learned | None = None,
) -> dict[str, float]:
    """Every metric of `measure` (NaN where nothing was written to measure), and the share of documents whose summary
    no other document got (`distinct`)."""
    measures = measure(examples, summaries, profile, several=several, learned=learned)
    counts = Counter(summary.text for summary in summaries)
    distinct = sum(counts[summary.text] == 1 for summary in summaries) / len(summaries)
    values = {name: measures.value(name) for name in measures.statistics}
    return dict.fromkeys(METRICS, math.nan) | values | {"distinct": distinct}


def broken_stop_rule(values: dict[str, float], kl: float, stop: Stop) -> str | None:
    """The first stop rule that is broken, in words with what was seen; None where training may go on."""
    length = values["length_ratio"]
    if kl > stop.max_kl:
        return f"KL to the likelihood model is {kl:.1f} nats a summary, above `max_kl` {stop.max_kl:g}"
    if not stop.min_length_ratio <= length <= stop.max_length_ratio:
        band = f"{stop.min_length_ratio:g} to {stop.max_length_ratio:g}"
        return f"summaries are {length:.2f} times as long as the targets, outside {band}"
    if values["distinct"] < stop.min_distinct:
        shared = f"{values['distinct']:.0%} of the documents got a summary that no other got"
        return f"outputs collapse: only {shared}, below `min_distinct` {stop.min_distinct:.0%}"
    return None


class Validate(pl.Callback):
    """Every so many optimizer steps: decode, measure, keep the best, save what `--resume` needs, maybe stop.

    Args:
        run: Where checkpoints go.
        journal: Where numbers go.
        split: Tokenised validation documents.
        profile: Of the training targets.
        decoding: As at evaluation.
        several: Which of several targets ROUGE takes, as at evaluation.
        every: Optimizer steps between validations.
        num_documents: The first so many documents of the split.
        select_by: Metric to weight; their sum is the held-out measure.
        patience: Validations without a better measure before stopping.
        checkpoint: Name of the checkpoint that the best policy is written to.
        stop: Further stop rules; None in the likelihood stage.
        learned: A detector whose flag is counted too.
    """

    def __init__(
        self,
        run: RunFolder,
        journal: Journal,
        split: TokenizedSplit,
        profile: TargetProfile,
        decoding: Decoding,
        *,
        several: Several,
        every: int,
        num_documents: int,
        select_by: dict[str, float],
        patience: int,
        checkpoint: str,
        stop: Stop | None = None,
        learned: Learned | None = None,
    ) -> None:
        self.run, self.journal, self.split, self.profile, self.decoding = run, journal, split, profile, decoding
        self.every, self.select_by, self.patience, self.checkpoint, self.stop = (
            every,
            select_by,
            patience,
            checkpoint,
            stop,
        )
        self.several, self.learned = several, learned
        self.batches = length_batches(split, num_documents, decoding.batch_size)
        self.best, self.best_step, self.misses, self.last_step = -math.inf, 0, 0, -1
        self.kl_since: list[float] = []
        self.broken: str | None = None

    def state_dict(self) -> dict:
        """What a resumed run must know."""
        return {name: getattr(self, name) for name in ("best", "best_step", "misses", "last_step", "broken")}

    def load_state_dict(self, state: dict) -> None:
        """Go on from there."""
        for name, value in state.items():
            setattr(self, name, value)

    @property
    def reason(self) -> str:
        """Why the stage ended."""
        return self.broken or "all steps done"

    def on_fit_start(self, trainer: pl.Trainer, stage: Stage) -> None:
        """Put the detector where the policy is."""
        if self.learned:
            self.learned.to(stage.device)

    def on_train_start(self, trainer: pl.Trainer, stage: Stage) -> None:
        """Measure the start, so that the best is never worse than it."""
        if trainer.global_step == 0:
            self.validate(trainer, stage)
        elif self.broken:
            trainer.should_stop = True

    def on_train_batch_end(self, trainer: pl.Trainer, stage: Stage, outputs, batch, batch_idx) -> None:
        """After each micro-batch; acts once an optimizer step is complete."""
        step = trainer.global_step
        if step == self.journal.last_step.get(stage.name, 0):
            return
        values = stage.finish_step()
        self.journal.step(stage, step, values)
        self.kl_since.append(values.get("kl_k3", 0.0))
        if (step % self.every == 0 or step == stage.total_steps) and step != self.last_step:
            self.validate(trainer, stage)

    def validate(self, trainer: pl.Trainer, stage: Stage) -> None:
        """Decode on every device its share of the documents, measure them together, decide."""
        step, self.last_step = trainer.global_step, trainer.global_step
        mine = self.batches[trainer.global_rank :: trainer.world_size]
        with trainer.precision_plugin.forward_context():
            found = write_summaries(stage.policy, self.split, mine, self.decoding)
        torch.clear_autocast_cache()
        found = {place: summary for part in gather(found) for place, summary in part.items()}
        places = sorted(found)
        examples, summaries = [self.split.example(i) for i in places], [found[i] for i in places]
        values = held_out_measures(examples, summaries, self.profile, self.several, self.learned)
        # Without a word written a metric may be NaN: worse than any number.
        held_out = sum(weight * values[name] for name, weight in self.select_by.items())
        values["held_out"] = -math.inf if math.isnan(held_out) else held_out
        if step == 0 or values["held_out"] > self.best:
            self.best, self.best_step, self.misses = values["held_out"], step, 0
            if trainer.is_global_zero:
                self.run.write_policy(stage.policy, self.checkpoint)
        else:
            self.misses += 1
        self.journal.validation(stage, step, values, examples, summaries)
        self._maybe_stop(trainer, values)
        if step:
            trainer.save_checkpoint(self.run.path / "resume" / f"{stage.name}.ckpt")

    def _maybe_stop(self, trainer: pl.Trainer, values: dict[str, float]) -> None:
        kl, self.kl_since = float(np.mean(self.kl_since)) if self.kl_since else 0.0, []
        self.broken = broken_stop_rule(values, kl, self.stop) if self.stop else None
        if self.broken is None and self.misses >= self.patience:
            measure_name = " ".join(f"{weight:+g}·{name}" for name, weight in self.select_by.items())
            self.broken = (
                f"the held-out measure ({measure_name}) was {values['held_out']:.2f} and has not passed "
                f"{self.best:.2f} of step {self.best_step} for {self.misses} validations"
            )
        if self.broken:
            trainer.should_stop = True

"""What both stages share: the optimizer, its schedule, the walk over the documents, and the statistics of a step."""

from __future__ import annotations

import math
from collections import defaultdict

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from lastmile.corpus.tokens import TokenizedSplit
from lastmile.policy.policy import Policy
from lastmile.train.steps import StepPart, StepParts


class StepStatistics:
    """Weighted means and maxima over the micro-batches and devices of one optimizer step."""

    def __init__(self) -> None:
        self.sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        self.maxima: dict[str, float] = {}

    def mean(self, weight: float, **values: float) -> None:
        """Add values that stand for `weight` items; NaN values are left out."""
        for name, value in values.items():
            if not math.isnan(value):
                self.sums[name][0] += weight * value
                self.sums[name][1] += weight

    def maximum(self, **values: float) -> None:
        """Keep the largest."""
        for name, value in values.items():
            self.maxima[name] = max(value, self.maxima.get(name, -math.inf))

    def merge(self, others: list[tuple[dict, dict]]) -> dict[str, float]:
        """Join the statistics of all devices into plain numbers."""
        whole = StepStatistics()
        for sums, maxima in others:
            for name, (total, weight) in sums.items():
                whole.sums[name][0] += total
                whole.sums[name][1] += weight
            whole.maximum(**maxima)
        return {name: total / weight for name, (total, weight) in whole.sums.items() if weight} | whole.maxima


class Stage(pl.LightningModule):
    """A stage of training: who learns, from which documents, at which rate.

    Args:
        policy: The model being trained.
        split: Tokenised training documents.
        documents_per_step: Over all devices and micro-batches.
        total_steps: Optimizer steps of the whole stage; the schedule ends there.
        warmup_steps: Steps over which the learning rate rises from 0.
        settings: The stage's section of the recipe (`learning_rate`, `weight_decay`, `gradient_clip`, `decay`).
        seed: Of the run.
    """

    name: str

    def __init__(
        self,
        policy: Policy,
        split: TokenizedSplit,
        *,
        documents_per_step: int,
        total_steps: int,
        warmup_steps: int,
        settings,
        seed: int,
    ) -> None:
        super().__init__()
        self.policy, self.split, self.settings, self.seed = policy, split, settings, seed
        self.documents_per_step, self.total_steps, self.warmup_steps = documents_per_step, total_steps, warmup_steps
        self.statistics = StepStatistics()

    def configure_optimizers(self) -> dict:
        """AdamW; biases and norms do not decay; warm-up, then constant or linear to zero."""
        decayed = [p for p in self.policy.parameters() if p.ndim > 1]
        plain = [p for p in self.policy.parameters() if p.ndim <= 1]
        groups = [{"params": decayed}, {"params": plain, "weight_decay": 0.0}]
        # A fused optimizer undoes fp16's loss scaling by itself, after we would have clipped.
        fused = self.trainer.precision != "16-mixed"
        optimizer = torch.optim.AdamW(
            groups, lr=self.settings.learning_rate, weight_decay=self.settings.weight_decay, fused=fused
        )
        linear = getattr(self.settings, "decay", "linear") == "linear"

        def rate(step: int) -> float:
            warm = min(1.0, (step + 1) / (self.warmup_steps + 1))
            left = max(0.0, (self.total_steps - step) / max(1, self.total_steps - self.warmup_steps))
            return warm * (min(1.0, left) if linear else 1.0)

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def configure_gradient_clipping(self, optimizer, gradient_clip_val=None, gradient_clip_algorithm=None) -> None:
        """Clip the norm of the whole gradient; keep the norm it had, and the rate of this step."""
        limit = self.settings.gradient_clip or math.inf
        norm = torch.nn.utils.clip_grad_norm_(self.policy.parameters(), limit)
        self.statistics.maximum(gradient_norm=norm.item(), learning_rate=optimizer.param_groups[0]["lr"])

    def optimizer_step(self, epoch: int, batch_idx: int, optimizer, optimizer_closure=None) -> None:
        """Drop the gradients with the step: the next forward pass is when memory is shortest."""
        super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)
        optimizer.zero_grad(set_to_none=True)

    def train_dataloader(self) -> DataLoader:
        """This device's micro-batches, from the step that training stands at."""
        trainer = self.trainer
        parts = StepParts(
            self.split,
            self.documents_per_step,
            seed=self.seed,
            pad_id=self.policy.pad_id,
            start=trainer.global_step,
            accumulate=trainer.accumulate_grad_batches,
            rank=trainer.global_rank,
            world_size=trainer.world_size,
        )
        return DataLoader(parts, batch_size=None)

    def transfer_batch_to_device(self, part: StepPart, device: torch.device, dataloader_idx: int) -> StepPart:
        """Lightning moves no frozen records by itself."""
        return part.to(device)

    @property
    def gradient_share(self) -> int:
        """Lightning averages gradients over micro-batches and devices; our losses are parts that add up."""
        return self.trainer.accumulate_grad_batches * self.trainer.world_size

    def finish_step(self) -> dict[str, float]:
        """Called on every device after each optimizer step: joins and empties the step's statistics."""
        mine = (dict(self.statistics.sums), self.statistics.maxima)
        every = gather(mine)
        self.statistics = StepStatistics()
        return StepStatistics().merge(every)


def gather(mine) -> list:
    """The same object of every device, in rank order; a list of one without distribution."""
    if not torch.distributed.is_available() or not torch.distributed.is_initialized():
        return [mine]
    every = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(every, mine)
    return every

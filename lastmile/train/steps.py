"""Which documents each optimizer step reads, cut into micro-batches and spread over devices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch.utils.data import IterableDataset

from lastmile.corpus.tokens import TokenizedSplit, bucketed_batches
from lastmile.records import TokenBatch


@dataclass(frozen=True, slots=True)
class StepPart:
    """One micro-batch, with the totals of the whole optimizer step that losses divide by.

    Attributes:
        batch: The documents of this part.
        step: Optimizer step, from 0.
        num_documents: Documents of the whole step, over all parts and devices.
        num_target_tokens: Target tokens of the whole step.
    """

    batch: TokenBatch
    step: int
    num_documents: int
    num_target_tokens: int

    def to(self, device: torch.device) -> StepPart:
        """The same part with its tensors on a device."""
        tensors = {
            name: getattr(self.batch, name).to(device, non_blocking=True)
            for name in ("document_ids", "document_mask", "target_ids", "target_mask")
        }
        return replace(self, batch=replace(self.batch, **tensors))


class StepParts(IterableDataset):
    """An endless walk over a split, epoch by epoch, `documents_per_step` at a time.

    The documents of a step depend on (seed, step) alone, never on devices or accumulation: these only decide who
    reads which part. An epoch's last, incomplete step is left out; its documents come up in other epochs, since each
    epoch shuffles anew.

    Args:
        split: Tokenised documents; at least `documents_per_step` of them.
        documents_per_step: Over all devices and micro-batches.
        seed: Of the run.
        pad_id: Fills token rows up.
        start: First step, after a resume.
        accumulate: Micro-batches a step and device.
        rank: This device.
        world_size: Devices.
    """

    def __init__(
        self,
        split: TokenizedSplit,
        documents_per_step: int,
        *,
        seed: int,
        pad_id: int,
        start: int = 0,
        accumulate: int = 1,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.split, self.documents_per_step, self.seed, self.pad_id = split, documents_per_step, seed, pad_id
        self.start, self.accumulate, self.rank, self.world_size = start, accumulate, rank, world_size

    def __iter__(self) -> Iterator[StepPart]:
        steps_per_epoch = len(self.split) // self.documents_per_step
        lengths, epoch, order = self.split.document_lengths, -1, []
        step = self.start
        while True:
            if step // steps_per_epoch != epoch:
                epoch = step // steps_per_epoch
                order = bucketed_batches(lengths, self.documents_per_step, seed=self.seed, epoch=epoch, drop_last=True)
            documents = order[step % steps_per_epoch]
            documents = documents[np.argsort(lengths[documents], kind="stable")]
            tokens = int(self.split.summary_lengths[documents].sum())
            parts = np.array_split(documents, self.accumulate * self.world_size)
            for mine in parts[self.rank :: self.world_size]:
                yield StepPart(self.split.batch(mine, self.pad_id), step, len(documents), tokens)
            step += 1

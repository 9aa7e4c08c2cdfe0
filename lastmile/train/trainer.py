"""Lightning's Trainer as lastmile sets it up, and what surrounds it on this machine."""

from __future__ import annotations

import logging
import os
import resource
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytorch_lightning as pl
import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from lastmile.config import Hardware
from lastmile.train.run import writing


def trainer_for(hardware: Hardware, total_steps: int, *callbacks: pl.Callback) -> pl.Trainer:
    """A trainer of so many optimizer steps; logging, bars and saving are lastmile's own."""
    return pl.Trainer(
        accelerator=hardware.accelerator,
        devices=hardware.devices,
        strategy=hardware.strategy,
        precision=hardware.precision,
        accumulate_grad_batches=hardware.accumulate,
        max_steps=total_steps,
        callbacks=list(callbacks),
        plugins=[AtomicCheckpoint()],
        gradient_clip_val=1.0,  # any number: the stage clips by its own setting
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )


class AtomicCheckpoint(TorchCheckpointIO):
    """Lightning's checkpoint, written aside and renamed: a kill leaves the old one whole."""

    def save_checkpoint(self, checkpoint, path, storage_options=None) -> None:
        """Write and rename."""
        path = Path(path)
        path.parent.mkdir(exist_ok=True)
        aside = path.with_suffix(".new")
        with writing(path, aside):
            with aside.open("wb") as file:
                torch.save(checkpoint, file)
            aside.replace(path)


def peak_memory() -> int:
    """Most bytes this process held: on the GPU where there is one, else resident."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def judge_workers(hardware: Hardware) -> int:
    """Processes that judge while the model is at work, in each training process.

    `auto` is 0 on a CPU: there the model keeps every core busy. Beside an accelerator the cores idle: as many as fall
    to each device, less one for the training process, and no more than 8, which judge a large batch while it is scored.
    """
    if hardware.judge_workers != "auto":
        return hardware.judge_workers
    if hardware.accelerator == "cpu" or not torch.accelerator.is_available():
        return 0
    devices = torch.accelerator.device_count() if hardware.devices == "auto" else hardware.devices
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(0, min(8, cores // devices - 1))


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Lightning's own talk (tips, device lists) off; warnings of ours and errors stay."""
    loggers = [logging.getLogger(name) for name in ("pytorch_lightning", "lightning_fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="pytorch_lightning")
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)

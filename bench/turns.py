"""Time two sides in turns, A B A B …, so that whatever else the machine does falls on both; say where it ran."""

from __future__ import annotations

import os
import platform
import resource
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

Turn = Callable[[], float | None]
"""One turn: does the work and returns None, to be timed from outside, or the seconds that it took, set-up left out."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What all benchmarks are asked with."""

    shape: str
    documents: int
    samples: int
    document_tokens: int
    summary_tokens: int
    dtype: str
    rounds: int
    threads: int
    device: str
    seed: int

    @property
    def rows(self) -> int:
        """Summaries in all."""
        return self.documents * self.samples

    def autocast(self) -> torch.autocast:
        """How both sides compute in bfloat16, as in training: the weights stay float32, products are not."""
        return torch.autocast(self.device, torch.bfloat16, enabled=self.dtype == "bfloat16")


def in_turns(sides: Mapping[str, Turn], rounds: int, device: str = "cpu", warm_up: int = 1) -> dict[str, list[float]]:
    """Seconds of each side in each round, after `warm_up` rounds that are not kept."""
    spent: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(warm_up + rounds):
        for name, turn in sides.items():
            wait(device)
            start = time.perf_counter()
            told = turn()
            wait(device)
            if number >= warm_up:
                spent[name].append(time.perf_counter() - start if told is None else told)
    return spent


def wait(device: str) -> None:
    """Let a GPU finish what it was given."""
    if device == "cuda":
        torch.cuda.synchronize()


def spread(values: list[float]) -> dict[str, float]:
    """Least, middle and most of the rounds."""
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}


def ratios(ours: list[float], peer: list[float]) -> dict[str, float]:
    """How many times as fast ours was, round by round: the peer's turn over the turn of ours beside it."""
    return spread([theirs / mine for mine, theirs in zip(ours, peer, strict=True)])


def allocator() -> str:
    """Which allocator stands in place of the C library's: training on CPU spends much time in it."""
    maps = Path("/proc/self/maps")
    loaded = maps.read_text() if maps.exists() else os.environ.get("LD_PRELOAD", "")
    return next((name for name in ("tcmalloc", "jemalloc", "mimalloc") if name in loaded), "system")


def peak_bytes(device: str) -> int:
    """Most bytes that this process held: on the GPU, else resident."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def held_bytes(device: str) -> int:
    """Bytes that this process holds now; where the system does not tell, the most that it held."""
    if device == "cuda":
        return torch.cuda.memory_allocated()
    pages = Path("/proc/self/statm")
    return int(pages.read_text().split()[1]) * resource.getpagesize() if pages.exists() else peak_bytes(device)


def machine(device: str) -> dict[str, object]:
    """What a figure depends on beside the program."""
    import transformers

    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
        "allocator": allocator(),
        "load": round(os.getloadavg()[0], 1),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()

"""`lastmile doctor`: what this machine offers, and what to change before a long run."""

from __future__ import annotations

import json
import os
import platform
import shutil
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Annotated, Any

import typer

from lastmile.commands import app
from lastmile.errors import InputError

PACKAGES = (
    "lastmile",
    "torch",
    "transformers",
    "tokenizers",
    "pytorch-lightning",
    "datasets",
    "huggingface-hub",
    "numpy",
)
GIB = 2**30
LOW_DISK_GIB = 10
LOW_MEMORY_GIB = 4

Facts = dict[str, dict[str, Any]]


@app.command("doctor")
def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print facts and advice as JSON.")] = False) -> None:
    """Say what this machine offers, and what to change before a long run.

    Versions, devices, precision, threads, allocator, memory, caches, space. Only looks: changes and downloads nothing.

    Example: `lastmile doctor`
    """
    if missing := [package for package in PACKAGES[1:] if _version(package) is None]:
        raise InputError(f"not installed: {', '.join(missing)}. In a checkout `make test` installs what lastmile needs")
    facts = gather()
    advice = advise(facts)
    if as_json:
        typer.echo(json.dumps({"facts": facts, "advice": advice}, indent=2))
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    table = Table("", "", "found", show_header=False)
    for section, values in facts.items():
        for number, (name, value) in enumerate(values.items()):
            table.add_row(section if number == 0 else "", name.replace("_", " "), escape(_readable(value)))
        table.add_section()
    console.print(table)
    for sentence in advice or ["Nothing to change."]:
        console.print(f"- {sentence}" if advice else sentence, markup=False, highlight=False, soft_wrap=True)


def gather() -> Facts:
    """Facts of this machine by section: plain values that JSON can carry; None where something is not there."""
    return {
        "versions": {"python": platform.python_version()}
        | {package: _version(package) for package in PACKAGES}
        | {"unmet": _unmet()},
        "devices": _devices(),
        "cpu": _cpu(),
        "precision": _precision(),
        "allocator": _allocator(),
        "memory": _memory(),
        "caches": (caches := _caches()),
        "disk": {"here_free_gib": _free_gib(Path.cwd()), "hub_free_gib": _free_gib(Path(caches["hub"]))},
    }


def advise(facts: Facts) -> list[str]:
    """What to change, one sentence each, most important first; empty when all is well."""
    advice = []
    if unmet := facts["versions"]["unmet"]:
        advice.append(f"Install what is missing or too old: {', '.join(unmet)}. In a checkout `make test` does it.")
    for folder in facts["caches"]["not_writable"]:
        variable = "LASTMILE_CACHE" if folder == facts["caches"]["lastmile"] else "HF_HOME"
        advice.append(f"The cache folder {folder} cannot be written. Set {variable} to a folder of yours.")
    for where, free in (("this folder", facts["disk"]["here_free_gib"]), ("the cache", facts["disk"]["hub_free_gib"])):
        if free < LOW_DISK_GIB:
            advice.append(f"Only {free:g} GiB are free where {where} lies. A run keeps several copies of the model.")
    if (memory := _available_gib(facts["memory"])) is not None and memory < LOW_MEMORY_GIB:
        advice.append(f"Only {memory:g} GiB of memory are available. Stop other programs or take a smaller model.")
    gpus = facts["devices"]["cuda"]
    if gpus and all(gpu["bf16"] for gpu in gpus):
        advice.append("The GPU computes in bf16. Use `hardware.precision=bf16-mixed`.")
    elif gpus:
        advice.append("The GPU has no bf16. Keep `hardware.precision=32-true`: T5, mT5 and PEGASUS overflow in fp16.")
    else:
        advice += _advise_cpu(facts)
    if facts["caches"]["offline"]:
        advice.append("HF_HUB_OFFLINE is set: only what lies in the cache can be loaded. Unset it to download.")
    return advice


def _advise_cpu(facts: Facts) -> list[str]:
    cores, threads, speed = facts["cpu"]["cores"], facts["cpu"]["threads"], facts["precision"]["cpu_bf16_speed"]
    library = facts["allocator"]["tcmalloc"]
    advice = []
    if facts["allocator"]["preloaded"] is None and platform.system() == "Linux":
        todo = f"Set LD_PRELOAD={library}" if library else "Install it (Debian: libtcmalloc-minimal4) and preload it"
        advice.append(
            "tcmalloc is not preloaded. With it a training step took 0.6 to 0.75 of the time, measured on two cores. "
            f"{todo}; `make demo` preloads it where it finds it."
        )
    if threads < cores:
        advice.append(f"torch uses {threads} of {cores} cores. Unset OMP_NUM_THREADS, unless others need the rest.")
    elif threads > cores:
        advice.append(f"torch starts {threads} threads on {cores} cores, which slows it. Set OMP_NUM_THREADS={cores}.")
    if speed >= 1.5:
        advice.append(
            f"This CPU multiplies matrices about {speed:g} times as fast in bf16 as in float32. "
            "Try `hardware.precision=bf16-mixed`; small models may not gain."
        )
    return advice


def _available_gib(memory: dict[str, float | None]) -> float | None:
    known = [memory[name] for name in ("available_gib", "container_limit_gib") if memory[name] is not None]
    return min(known, default=None)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _unmet() -> list[str]:
    """Requirements of lastmile that this environment does not meet, as `package>=version (found other)`."""
    from packaging.requirements import Requirement

    try:
        wanted = [Requirement(line) for line in requires("lastmile") or ()]
    except PackageNotFoundError:
        return ["lastmile (runs from a checkout, is not installed)"]
    needed = [r for r in wanted if r.marker is None or r.marker.evaluate({"extra": ""})]
    found = [(r, _version(r.name)) for r in needed]
    return [
        f"{r.name}{r.specifier} (found {have or 'none'})"
        for r, have in found
        if have is None or not r.specifier.contains(have, prereleases=True)
    ]


def _devices() -> dict[str, Any]:
    import torch

    gpus = []
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        # Older GPUs emulate bf16 and are slow at it; compute capability 8.0 is the first to have it.
        gpus.append(
            {
                "name": properties.name,
                "memory_gib": round(properties.total_memory / GIB, 1),
                "bf16": properties.major >= 8 or torch.version.hip is not None,
            }
        )
    return {"cuda": gpus, "mps": torch.backends.mps.is_available()}


def _cpu() -> dict[str, Any]:
    import torch

    return {
        "model": _first_field(Path("/proc/cpuinfo"), "model name") or platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "threads": torch.get_num_threads(),
        "capability": torch.backends.cpu.get_cpu_capability(),
    }


def _precision() -> dict[str, Any]:
    flags = _first_field(Path("/proc/cpuinfo"), "flags").split()
    return {
        "cpu_bf16_instructions": [flag for flag in ("avx512_bf16", "amx_bf16") if flag in flags],
        "cpu_bf16_speed": _bf16_speed(),
    }


def _bf16_speed() -> float:
    """How many times as fast this CPU multiplies bf16 matrices as float32 ones (768 × 768, best of 15, in turns)."""
    import torch

    matrices = {dtype: torch.ones(768, 768, dtype=dtype) for dtype in (torch.float32, torch.bfloat16)}
    best = dict.fromkeys(matrices, float("inf"))
    for _ in range(15):
        for dtype, matrix in matrices.items():
            best[dtype] = min(best[dtype], _timed(lambda matrix=matrix: matrix @ matrix))
    return round(best[torch.float32] / best[torch.bfloat16], 1)


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _allocator() -> dict[str, Any]:
    """Which allocator is loaded in place of the C library's, and the name of a tcmalloc that could be preloaded."""
    from ctypes.util import find_library

    maps = Path("/proc/self/maps")
    loaded = maps.read_text(errors="replace") if maps.exists() else ""
    names = ("tcmalloc", "jemalloc", "mimalloc")
    return {
        "preloaded": next((name for name in names if f"lib{name}" in loaded), None),
        "tcmalloc": find_library("tcmalloc_minimal") or find_library("tcmalloc"),
    }


def _memory() -> dict[str, Any]:
    total, available = (_first_field(Path("/proc/meminfo"), name).split() for name in ("MemTotal", "MemAvailable"))
    in_gib = [round(int(fields[0]) * 1024 / GIB, 1) if fields else None for fields in (total, available)]
    return {"total_gib": in_gib[0], "available_gib": in_gib[1], "container_limit_gib": _container_limit_gib()}


def _container_limit_gib() -> float | None:
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text().strip() if limit.exists() else "max"
    return None if text == "max" else round(int(text) / GIB, 1)


def _caches() -> dict[str, Any]:
    """Where downloads and prepared corpora are kept, and whether downloads are switched off."""
    from huggingface_hub import constants

    from lastmile.corpus.splits import cache_folder

    folders = {"hf_home": constants.HF_HOME, "hub": constants.HF_HUB_CACHE, "lastmile": str(cache_folder())}
    places = dict.fromkeys((folders["hub"], folders["lastmile"]))
    closed = [place for place in places if not os.access(_nearest_folder(Path(place)), os.W_OK)]
    return {**folders, "not_writable": closed, "offline": constants.HF_HUB_OFFLINE}


def _free_gib(path: Path) -> float:
    return round(shutil.disk_usage(_nearest_folder(path)).free / GIB, 1)


def _nearest_folder(path: Path) -> Path:
    """`path`, or the nearest parent that exists: where a folder that is not made yet would lie."""
    return next(folder for folder in (path.absolute(), *path.absolute().parents) if folder.exists())


def _first_field(file: Path, name: str) -> str:
    """The value of the first line `name: value` of a file of /proc; empty where there is none."""
    if not file.exists():
        return ""
    lines = (line.partition(":") for line in file.read_text(errors="replace").splitlines())
    return next((value.strip() for key, _, value in lines if key.strip() == name), "")


def _readable(value: Any) -> str:
    if isinstance(value, list):
        return "; ".join(map(_readable, value)) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_readable(inner)}" for name, inner in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)

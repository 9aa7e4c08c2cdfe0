"""Figures as Markdown, read from the JSON files of `--out`: never typed by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Found = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Measure:
    """A row of the table.

    Attributes:
        about: What is measured.
        name: Of the result that it is read from.
        value: Reads the number off it.
        told: Writes the number.
        target: The number that was aimed at.
        at_most: The target is a ceiling, not a least value.
        dtype: Of the result; any where None.
    """

    about: str
    name: str
    value: Callable[[Found], float]
    told: Callable[[Found], str]
    target: float
    written: str
    at_most: bool = False
    dtype: str | None = None


def _ratio(about: str, name: str, target: float, dtype: str | None = None) -> Measure:
    def told(found: Found) -> str:
        ratio = found["ratio"]
        return f"{ratio['median']:.2f} × ({ratio['min']:.2f} to {ratio['max']:.2f})"

    return Measure(about, name, lambda found: found["ratio"]["median"], told, target, f"≥ {target:g} ×", dtype=dtype)


def _seconds(about: str, name: str, target: float) -> Measure:
    def told(found: Found) -> str:
        seconds, used = found["ours"]["seconds"], found["processor_seconds"]["median"]
        return "{median:.3g} s ({min:.3g} to {max:.3g})".format(**seconds) + f"; {used:.3g} s of the processor"

    return Measure(
        about, name, lambda found: found["ours"]["seconds"]["median"], told, target, f"≤ {target:g} s", at_most=True
    )


def _share(about: str, name: str, target: float) -> Measure:
    def told(found: Found) -> str:
        ours, theirs = (found[side]["bytes"]["median"] / 2**30 for side in ("ours", "peer"))
        return f"{1 / found['ratio']['median']:.0%} ({ours:.2f} of {theirs:.2f} GiB)"

    return Measure(
        about, name, lambda found: 1 / found["ratio"]["median"], told, target, f"≤ {target:.0%}", at_most=True
    )


def _fraction(about: str, name: str, target: float) -> Measure:
    def told(found: Found) -> str:
        return f"{found['fraction']:.0%} ({found['ours']['seconds']['median']:.3g} s over {found['floor']:.3g} s)"

    return Measure(about, name, lambda found: found["fraction"], told, target, f"≥ {target:.0%}")


MEASURES = (
    _ratio("a whole step, float32, against TRL in float32", "step", 6, "float32"),
    _ratio("a whole step, bfloat16, against the quicker TRL", "step", 8, "bfloat16"),
    _ratio("sampling 8 summaries, against `generate`", "rollout", 3),
    _ratio("the update, against encoder states copied K times", "update", 1.3),
    _ratio("the update, against a plainly written pass on copied states", "update, plainly written", 1.3),
    _ratio("the update, against documents read again for each summary", "update, documents read again", 1.3),
    Measure(
        "difference of their gradients, of the norm: worst parameter in float64 (all in float32)",
        "update",
        lambda found: found["gradients_differ"]["float64"],
        lambda found: "{float64:.1e} ({float32:.1e})".format(**found["gradients_differ"]),
        1e-6,
        "≤ 1e-6",
        at_most=True,
    ),
    Measure(
        "cross-attention cache, share of the expanded one",
        "update",
        lambda found: (
            found["cross_cache_elements"]["ours"] * found["settings"]["samples"] / found["cross_cache_elements"]["peer"]
        ),
        lambda found: f"1/{found['cross_cache_elements']['peer'] / found['cross_cache_elements']['ours']:g}",
        1.0,
        "1/K",
        at_most=True,
    ),
    _share("most memory of a step, share of TRL's", "memory", 0.5),
    _share("the same above libraries, weights, reference and moments", "memory above the fixed", 0.5),
    _ratio("ROUGE, against `rouge_score`, one core", "rouge", 20),
    Measure(
        "all flags, summaries a second on one core",
        "flags",
        lambda found: found["ours"]["summaries_per_second"],
        lambda found: f"{found['ours']['summaries_per_second']:,.0f} ({found['facts']['texts from']})",
        2000,
        "≥ 2,000",
    ),
    Measure(
        "a step's wait for the judge: worker processes beside 1 s of scoring, against none",
        "judge",
        lambda found: found["ratio"]["median"],
        lambda found: (
            f"{found['ratio']['median']:.0f} × ({found['ours']['seconds']['median'] * 1e3:.0f} ms, not "
            f"{found['peer']['seconds']['median'] * 1e3:.0f}; {found['facts']['workers']} workers, "
            f"{found['facts']['texts from']})"
        ),
        5,
        "≥ 5 ×",
    ),
    _ratio("the same with nothing to do meanwhile", "judge, nothing meanwhile", 1.0),
    _ratio("the likelihood stage, against `Seq2SeqTrainer`", "likelihood", 1.2),
    _ratio("the same, which groups by length too", "likelihood, peer groups by length", 1.0),
    _ratio("greedy decoding, against `generate`", "greedy", 1.0),
    _ratio("beam search with 4 beams, against `generate`", "beam 4", 1.0),
    _seconds("`lastmile --help`", "startup, --help", 0.5),
    _seconds("`lastmile tune --data demo`, to the end of its first step", "startup, likelihood", 15),
    _seconds("the same from a checkpoint: first step of policy gradient", "startup, policy gradient", 15),
    _fraction("the update's share of the floor's speed", "update", 0.5),
    _fraction("the sampler's share of the floor's speed", "rollout", 0.3),
)


TEXTS_ALONE = ("rouge", "flags", "judge", "judge, nothing meanwhile", "startup, --help")
"""Results that no model had a part in."""


def markdown(folder: Path) -> str:
    """One row a measure and file; a measure without a file says so. Then where it was measured."""
    found = [one for file in sorted(folder.glob("*.json")) for one in json.loads(file.read_text(encoding="utf-8"))]
    rows = ["| measure | target | median (least to most) | met | shape | command |", "|---|---|---|---|---|---|"]
    for measure in MEASURES:
        of_it = [one for one in found if _fits(measure, one)]
        rows += [_row(measure, one) for one in of_it] or [
            f"| {measure.about} | {measure.written} | not measured | | | |"
        ]
    rows += _growth([one for one in found if one["name"].startswith("scale, ")])
    phases = _phases([one for one in found if one["name"].startswith("phase, ")])
    return "\n".join([*rows, "", *phases, *_machines(found)]).rstrip()


def _fits(measure: Measure, one: Found) -> bool:
    if one["name"] != measure.name or measure.dtype not in (None, one["settings"]["dtype"]):
        return False
    try:
        measure.value(one)
    except (KeyError, TypeError):  # ours alone was timed
        return False
    return True


def _row(measure: Measure, one: Found) -> str:
    value = measure.value(one)
    met = value <= measure.target if measure.at_most else value >= measure.target
    shape = "" if one["name"] in TEXTS_ALONE else f"{one['settings']['shape']}, {one['settings']['dtype']}"
    cells = measure.about, measure.written, measure.told(one), "yes" if met else "no", shape, f"`{one['command']}`"
    return f"| {' | '.join(cells)} |"


def _growth(found: list[Found]) -> list[str]:
    """Time and memory a size; the largest against the smallest is the target."""
    rows = []
    for one in sorted(found, key=lambda one: one["documents"]):
        growth, each = one["growth"]["median"], one["processor_seconds"]["median"] / one["documents"]
        told = (
            f"{each * 1e3:.2f} ms of the processor a document, {growth:.2f} of the smallest; "
            f"{one['peak_bytes'] / 2**20:,.0f} MiB, of it {one['own_bytes'] / 2**20:,.0f} not of mapped files"
        )
        about = one["name"].replace("scale, ", "reading, tokenizing, flagging ")
        rows.append(f"| {about} | ≤ 1.10 | {told} | {'yes' if growth <= 1.1 else 'no'} | | `{one['command']}` |")
    return rows


def _phases(found: list[Found]) -> list[str]:
    """What each phase of a step spends its time with."""
    if not found:
        return []
    kinds = list(found[0]["facts"])
    rows = [
        f"| phase of a step | seconds | of the floor's speed | {' | '.join(kinds)} | shape | command |",
        "|---" * (len(kinds) + 5) + "|",
    ]
    for one in found:
        shares = " | ".join(f"{one['facts'][kind]:.0%}" for kind in kinds)
        seconds, where = one["ours"]["seconds"]["median"], f"{one['settings']['shape']}, {one['settings']['dtype']}"
        phase = one["name"].removeprefix("phase, ")
        rows.append(f"| {phase} | {seconds:.3g} | {one['fraction']:.0%} | {shares} | {where} | `{one['command']}` |")
    return [*rows, ""]


def _machines(found: list[Found]) -> list[str]:
    """Each distinct place once; the load is told as the range it had."""
    places: dict[str, list[float]] = {}
    for one in found:
        where = one["machine"]
        text = (
            f"{where['processor']}, {where['cores']} cores, {where['threads']} threads, device {where['device']}, "
            f"allocator {where['allocator']}, torch {where['torch']}, transformers {where['transformers']}"
        )
        places.setdefault(text, []).append(where["load"])
    return [f"Measured on: {text}; load {min(loads)} to {max(loads)}." for text, loads in places.items()]

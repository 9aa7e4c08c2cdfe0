"""What a benchmark found: as plain data, on the terminal, and in a JSON file."""

from __future__ import annotations

import json
import shlex
import statistics
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.floor import Phase, Rates
from bench.turns import Setup, machine, ratios, spread

Result = dict[str, Any]


def result(
    name: str,
    setup: Setup,
    ours: list[float],
    peer: list[float] | None = None,
    *,
    program: str = "",
    unit: str = "",
    work: float = 0.0,
    phases: list[Phase] | None = None,
    rates: Rates | None = None,
    **more: object,
) -> Result:
    """One line of a benchmark.

    Args:
        name: What was timed; `table` finds it again by this and by the type of numbers.
        setup: What was asked for.
        ours: Seconds of each round.
        peer: Seconds of the peer in the same rounds; None where there is none.
        program: Who the peer is.
        unit: What one second is told in, e.g. `tokens`.
        work: How many of them one turn does.
        phases: What the floor is counted from.
        rates: This machine's, measured in the same run.
        more: What else is worth keeping.
    """
    floor = rates.seconds(phases) if phases and rates else None
    return {
        "name": name,
        "ours": _side(ours, unit, work),
        "peer": None if peer is None else {"program": program} | _side(peer, unit, work),
        "ratio": None if peer is None else ratios(ours, peer),
        "floor": floor,
        "fraction": None if floor is None else floor / statistics.median(ours),
        "rates": rates and {"operations_per_second": rates.operations, "bytes_per_second": rates.bytes},
        **more,
        "settings": asdict(setup),
        "machine": machine(setup.device),
        "command": command(),
    }


def command() -> str:
    """How this run was asked for, but for where it wrote."""
    asked = sys.argv[1:]
    if "--out" in asked:
        place = asked.index("--out")
        asked = asked[:place] + asked[place + 2 :]
    return shlex.join(["python", "-m", "bench", *asked])


def _side(seconds: list[float], unit: str, work: float) -> dict[str, Any]:
    side: dict[str, Any] = {"seconds": spread(seconds)}
    if work:
        side[f"{unit.replace(' ', '_')}_per_second"] = work / statistics.median(seconds)
    return side


def show(found: Result) -> str:
    """A few lines for the terminal."""
    lines = [f"{found['name']}: {_told(found['ours'])}"]
    if found["peer"]:
        ratio = found["ratio"]
        lines.append(f"  {found['peer']['program']}: {_told(found['peer'])}")
        lines.append(f"  ratio {ratio['median']:.2f} ({ratio['min']:.2f} to {ratio['max']:.2f} over the rounds)")
    if found["floor"]:
        rates = found["rates"]
        lines.append(
            f"  floor {found['floor']:.3g} s at {rates['operations_per_second'] / 1e9:.0f} GFLOP/s and "
            f"{rates['bytes_per_second'] / 1e9:.1f} GB/s; {found['fraction']:.0%} of it reached"
        )
    lines += [f"  {name.replace('_', ' ')}: {_plain(value)}" for name, value in found.get("facts", {}).items()]
    where = found["machine"]
    lines.append(
        f"  {where['device']}, {where['threads']} threads, {found['settings']['dtype']}, "
        f"allocator {where['allocator']}, load {where['load']}"
    )
    return "\n".join(lines)


def _told(side: dict[str, Any]) -> str:
    rate = "".join(
        f"{value:,.4g} {key.removesuffix('_per_second')}/s, " for key, value in side.items() if "_per_" in key
    )
    if "bytes" in side:
        return f"{side['bytes']['median'] / 2**30:.2f} GiB"
    seconds = side["seconds"]
    return f"{rate}{seconds['median']:.3g} s ({seconds['min']:.3g} to {seconds['max']:.3g})"


def _plain(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def write(found: list[Result], out: Path | None) -> None:
    """Put results into a file, aside and then renamed."""
    if out is None:
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    aside = out.with_name(f".{out.name}.new")
    aside.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    aside.replace(out)

"""The most memory that a step of policy gradient takes: ours against TRL's, each in a process of its own.

Resident memory of the whole process on a CPU, libraries and all; bytes of PyTorch's allocator on a GPU. Two steps are
made, since the optimizer's moments are there from the first on. A second line tells what stands above that which no
program can do without: libraries (what the process holds before a model is made), weights, frozen reference and the
two moments of AdamW. Each side may cut its step into parts of one document, and the least of its peaks counts.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, replace

from bench.lengths import draw_lengths
from bench.peer import Peer
from bench.places import CHECKOUT
from bench.results import Result, command
from bench.shapes import build_policy
from bench.step import Turns, train_ours, variants
from bench.turns import Setup, held_bytes, machine, peak_bytes, spread
from lastmile.errors import RunError

STEPS = 2


def run(setup: Setup, peer: bool = True) -> list[Result]:
    """The whole process, then what stands above the fixed; `ours` and `peer` are bytes, the ratio is theirs to ours."""
    setup = replace(setup, rounds=1)
    ours = {f"parts: {parts}": _ours_in_a_process(setup, parts) for parts in sorted({1, setup.documents})}
    theirs = _peer(setup) if peer else {}
    facts = {f"MiB of ours, {name}": round(peak / 2**20) for name, (peak, _) in ours.items()}
    facts |= {f"MiB of {name}": round(peak / 2**20) for name, (peak, _) in theirs.items()}
    facts["MiB of it fixed"] = ", ".join(f"{fixed / 2**20:.0f}" for _, fixed in [*ours.values(), *theirs.values()])
    found = []
    for line, taken in (("memory", lambda one: one[0]), ("memory above the fixed", lambda one: one[0] - one[1])):
        mine = min(map(taken, ours.values()))
        other, program = min(((taken(one), name) for name, one in theirs.items()), default=(None, ""))
        found.append(
            {
                "name": line,
                "ours": {"bytes": spread([mine])},
                "peer": {"program": program, "bytes": spread([other])} if theirs else None,
                "ratio": spread([other / mine]) if theirs else None,
                "floor": None,
                "fraction": None,
                "facts": facts,
                "settings": asdict(setup),
                "machine": machine(setup.device),
                "command": command(),
            }
        )
    return found


def _ours_in_a_process(setup: Setup, parts: int) -> tuple[int, int]:
    """The most bytes of a step in so many parts, and how many of them are fixed."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.memory"],
        cwd=CHECKOUT,
        input=json.dumps({"setup": asdict(setup), "parts": parts}),
        text=True,
        stdout=subprocess.PIPE,
    )
    if done.returncode:
        raise RunError("the step of ours failed; its last words stand above")
    told = json.loads(done.stdout.splitlines()[-1])
    return told["peak_bytes"], told["fixed_bytes"]


def _peer(setup: Setup) -> dict[str, tuple[int, int]]:
    """The same of TRL, for mini-batches of all rows and of one document's, and the types of numbers it may use."""
    lengths = draw_lengths(setup.rows, setup.summary_tokens, setup.seed)
    found = {}
    for variant in variants(setup):
        with Peer(setup, *variant) as other:
            answers = [other.ask({"lengths": lengths}) for _ in range(STEPS)]
            found[f"{other.told['program']}, {other.name}"] = answers[-1]["peak_bytes"], other.told["fixed_bytes"]
    return found


def main() -> None:
    """Ours, in this process: the setup comes in on stdin, the bytes go out on stdout."""
    import torch

    asked = json.load(sys.stdin)
    setup = Setup(**asked["setup"])
    torch.set_num_threads(setup.threads)
    libraries = held_bytes(setup.device)
    train_ours(setup, Turns({}, setup.device), asked["parts"])
    peak = peak_bytes(setup.device)
    weights = sum(weight.numel() * weight.element_size() for weight in build_policy(setup.shape).parameters())
    print(json.dumps({"peak_bytes": peak, "fixed_bytes": libraries + 4 * weights}))


if __name__ == "__main__":
    main()

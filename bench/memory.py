"""The most memory that a step of policy gradient takes: ours against TRL's, each in a process of its own.

Resident memory of the whole process on a CPU, libraries and all; bytes of PyTorch's allocator on a GPU. Two steps are
made, since the optimizer's moments are there from the first on.
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
from bench.step import Turns, train_ours, variants
from bench.turns import Setup, machine, peak_bytes, spread
from lastmile.errors import RunError

STEPS = 2


def run(setup: Setup, peer: bool = True) -> list[Result]:
    """Ours, then theirs; `ours` and `peer` are bytes here, and the ratio is theirs to ours."""
    setup = replace(setup, rounds=1)
    ours = _ours_in_a_process(setup)
    theirs, program = _peer(setup) if peer else (None, "")
    return [
        {
            "name": "memory",
            "ours": {"bytes": spread([ours])},
            "peer": {"program": program, "bytes": spread([theirs])} if theirs else None,
            "ratio": spread([theirs / ours]) if theirs else None,
            "floor": None,
            "fraction": None,
            "settings": asdict(setup),
            "machine": machine(setup.device),
            "command": command(),
        }
    ]


def _ours_in_a_process(setup: Setup) -> int:
    done = subprocess.run(
        [sys.executable, "-m", "bench.memory"],
        cwd=CHECKOUT,
        input=json.dumps(asdict(setup)),
        text=True,
        stdout=subprocess.PIPE,
    )
    if done.returncode:
        raise RunError("the step of ours failed; its last words stand above")
    return json.loads(done.stdout.splitlines()[-1])["peak_bytes"]


def _peer(setup: Setup) -> tuple[int, str]:
    """TRL's least: of mini-batches of all rows and of one document's, and of the types of numbers it may use."""
    lengths = draw_lengths(setup.rows, setup.summary_tokens, setup.seed)
    found = []
    for variant in variants(setup):
        with Peer(setup, *variant) as other:
            answers = [other.ask({"lengths": lengths}) for _ in range(STEPS)]
            found.append((answers[-1]["peak_bytes"], f"{other.told['program']}, {other.name}"))
    return min(found)


def main() -> None:
    """Ours, in this process: the setup comes in on stdin, the peak goes out on stdout."""
    import torch

    setup = Setup(**json.load(sys.stdin))
    torch.set_num_threads(setup.threads)
    train_ours(setup, Turns({}, setup.device))
    print(json.dumps({"peak_bytes": peak_bytes(setup.device)}))


if __name__ == "__main__":
    main()

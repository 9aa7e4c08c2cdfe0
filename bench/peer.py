"""A peer that needs libraries of its own: a process that stays alive and does one step when it is told."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from bench.places import peers_folder
from bench.shapes import SHAPES, config_settings
from bench.turns import Setup, allocator
from lastmile.errors import InputError, RunError

SCRIPTS = Path(__file__).parent / "peers"


def peer_python(name: str) -> Path | None:
    """The interpreter of a peer's environment; None where `bench/peers.sh` has not made it."""
    python = peers_folder() / name / "bin" / "python"
    return python if python.exists() else None


class Peer:
    """TRL's PPO behind a pipe.

    Args:
        setup: Shape and sizes; `dtype` may differ from ours.
        dtype: What the peer computes in.
        mini_batch: Rows of one of its forward and backward passes.

    Raises:
        InputError: If its environment is not there.
        RunError: If it does not start, or it runs with another allocator, device or number of threads.
    """

    def __init__(self, setup: Setup, dtype: str, mini_batch: int) -> None:
        self.name = f"{dtype}, mini-batches of {mini_batch}"
        python = peer_python("trl")
        if python is None:
            raise InputError("TRL has no environment here. Make it with `bash bench/peers.sh`, or say `--no-peer`")
        # Its own packages only. An allocator that is preloaded here is preloaded there.
        environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME")}
        self.process = subprocess.Popen(
            [str(python), str(SCRIPTS / "trl_ppo.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self.told = self.ask(
            {
                "family": SHAPES[setup.shape]["family"],
                "config": config_settings(setup.shape),
                "documents": setup.documents,
                "samples": setup.samples,
                "document_tokens": setup.document_tokens,
                "summary_tokens": setup.summary_tokens,
                "mini_batch": mini_batch,
                "dtype": dtype,
                "device": setup.device,
                "threads": setup.threads,
                "seed": setup.seed,
            }
        )
        here = {"threads": setup.threads, "allocator": allocator(), "device": setup.device}
        if unlike := {key: (value, self.told[key]) for key, value in here.items() if self.told[key] != value}:
            self.close()
            raise RunError(f"the peer runs under other conditions (here, there): {unlike}")

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """One line out, one line back.

        Raises:
            RunError: If the peer died or wrote something else than it was told.
        """
        assert self.process.stdin and self.process.stdout
        try:
            self.process.stdin.write(json.dumps(question) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise RunError(f"the peer died with exit code {self.process.wait()}; its last words stand above")
        answer = json.loads(line)
        if "error" in answer:
            raise RunError(f"the peer: {answer['error']}")
        return answer

    def step(self, lengths: list[int]) -> float:
        """Seconds of one step that writes summaries of these lengths."""
        return self.ask({"lengths": lengths})["seconds"]

    def close(self) -> None:
        """Let it end by itself."""
        if self.process.stdin:
            self.process.stdin.close()
        self.process.wait()

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

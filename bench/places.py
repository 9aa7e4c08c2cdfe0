"""Where the peers' packages are. Imports nothing heavy, since it must run before transformers is imported."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

CHECKOUT = Path(__file__).parent.parent.absolute()


def peers_folder() -> Path:
    """`LASTMILE_PEERS`, else `.peers` in the checkout."""
    return Path(os.environ.get("LASTMILE_PEERS") or CHECKOUT / ".peers").absolute()


def add_accelerate() -> bool:
    """Let transformers' Trainer find `accelerate`, which lastmile does without; whether it can.

    transformers looks once and remembers, so this comes before its import.
    """
    if find_spec("accelerate") is None:
        sys.path.append(str(peers_folder() / "accelerate"))
    return find_spec("accelerate") is not None

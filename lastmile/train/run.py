"""The run folder: everything that a run leaves, each file written aside and then renamed."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from lastmile.config import Recipe, dump_recipe, load_recipe
from lastmile.errors import InputError, RunError
from lastmile.judge.profile import TargetProfile
from lastmile.policy.detector import Detector
from lastmile.policy.load import weights_hash
from lastmile.policy.policy import Policy

DETECTOR = "detector"
PACKAGES = ("lastmile", "torch", "transformers", "pytorch-lightning", "datasets", "rouge-score", "tokenizers")


class RunFolder:
    """One run on disk.

    ```
    recipe.yaml      every setting, defaults resolved
    manifest.json    versions, git state, data and model hashes, seed, device, command, time and memory of each stage
    profile.json     what the training targets look like (lengths, names, copying)
    baseline/        the likelihood model: start, reference and rival of stage 2
    best/            the policy-gradient model that the held-out measure chose
    last/            the policy as the last step left it
    detector/        a copy of the learned detector that the recipe charges for, if it does
    metrics.jsonl    one line a logged step
    samples.jsonl    validation summaries
    tensorboard/     the same for the eye
    resume/          what `--resume` needs; removed when the run is complete
    ```
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)

    @classmethod
    def new(cls, path: Path) -> RunFolder:
        """A run to be: refuse a folder that holds anything already. Nothing is written before `begin`.

        Raises:
            InputError: If the folder holds another run, or other files.
        """
        path = Path(path)
        if not is_first_process():
            return cls(path)
        if (path / "recipe.yaml").exists():
            raise InputError(
                f"`{path}` holds another run. Continue it with `lastmile tune --resume {path}`, "
                "or choose another folder with `--out`"
            )
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise InputError(f"`{path}` is not an empty folder. Choose another with `--out`")
        return cls(path)

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """Open an existing run.

        Raises:
            InputError: If there is none.
        """
        if not (Path(path) / "recipe.yaml").is_file():
            raise InputError(f"`{path}` is not a run: it has no recipe.yaml. `lastmile tune` makes one")
        return cls(path)

    def begin(self, recipe: Recipe) -> None:
        """Make the folder and write the recipe; in a run that is resumed, clear away what a kill left half-done."""
        with writing(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        self._undo_half_writes()
        if not (self.path / "recipe.yaml").exists():
            write_text(self.path / "recipe.yaml", dump_recipe(recipe))

    @property
    def recipe(self) -> Recipe:
        """The resolved recipe."""
        return load_recipe(self.path / "recipe.yaml")

    @property
    def manifest(self) -> dict[str, Any]:
        """The manifest so far; empty before the first write."""
        file = self.path / "manifest.json"
        return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}

    def note(self, **facts: Any) -> None:
        """Add facts to the manifest; a mapping is merged into the one that stands there."""
        manifest = self.manifest
        for key, value in facts.items():
            known = manifest.get(key)
            manifest[key] = {**known, **value} if isinstance(known, dict) and isinstance(value, dict) else value
        write_text(self.path / "manifest.json", json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")

    @property
    def profile(self) -> TargetProfile:
        """What the training targets look like."""
        return TargetProfile.from_dict(json.loads((self.path / "profile.json").read_text(encoding="utf-8")))

    def write_profile(self, profile: TargetProfile) -> None:
        """Store the profile of the training targets."""
        write_text(self.path / "profile.json", json.dumps(profile.to_dict(), ensure_ascii=False))

    def ended(self, stage: str) -> bool:
        """Whether a stage is complete."""
        return "ended" in self.manifest.get("stages", {}).get(stage, {})

    @property
    def is_finished(self) -> bool:
        """Whether all stages of the recipe are complete."""
        return self.ended("policy_gradient" if self.recipe.policy_gradient.steps else "likelihood")

    def has(self, checkpoint: str) -> bool:
        """Whether `baseline`, `best`, `last` or `detector` is there, whole."""
        return (self.path / checkpoint / "config.json").is_file()

    def write_policy(self, policy: Policy | Detector, checkpoint: str) -> None:
        """Write a checkpoint folder aside, then swap it in; a kill in between leaves the old or the new one."""
        aside, target, old = (self.path / name for name in (f".{checkpoint}.new", checkpoint, f".{checkpoint}.old"))
        shutil.rmtree(aside, ignore_errors=True)
        with writing(target, aside):
            policy.save(aside)
            shutil.rmtree(old, ignore_errors=True)
            if target.exists():
                os.replace(target, old)
            os.replace(aside, target)
        shutil.rmtree(old, ignore_errors=True)
        self.note(weights={checkpoint: weights_hash(policy)})

    def _undo_half_writes(self) -> None:
        """Take back a swap that a kill interrupted between its two renames, and drop files not renamed yet."""
        for old in self.path.glob(".*.old"):
            target = self.path / old.name[1:-4]
            if not target.exists():
                os.replace(old, target)
        for left in (*self.path.glob(".*.old"), *self.path.glob(".*.new")):
            _remove(left)


@contextmanager
def writing(path: Path, aside: Path | None = None) -> Iterator[None]:
    """Turn a full disk or a forbidden folder into one sentence about `path`; drop `aside`, the half-written file.

    Raises:
        RunError: Whatever the library that wrote has raised.
    """
    try:
        yield
    except Exception as error:
        # When a write fails, torch.save complains about the length of its file, over the reason; the tokenizers library
        # raises no more special a type, with Rust's words for an error of the system.
        cause = error.__context__ if isinstance(error, RuntimeError) else error
        if not (isinstance(cause, OSError | SafetensorError) or "(os error " in str(cause)):
            raise
        if aside is not None:
            _remove(aside)
        raise RunError(f"{path}: cannot be written: {getattr(cause, 'strerror', None) or cause}") from error


def write_text(path: Path, text: str) -> None:
    """Write aside, then rename."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.new")
    with writing(path, aside):
        aside.write_text(text, encoding="utf-8")
        os.replace(aside, path)


def is_first_process() -> bool:
    """Whether this process may write: the only one, or the first of those that train together."""
    ranks = (os.environ.get(name) for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID"))
    return next((rank for rank in ranks if rank is not None), "0") == "0"


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def environment() -> dict[str, Any]:
    """Versions, git state, machine and command of this process."""
    return {
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
        "git": _git_state(),
        "machine": {"system": platform.platform(), "processor": _processor(), "cores": os.cpu_count()},
    }


def _git_state() -> str | None:
    """Commit of the source that runs, `+dirty` with uncommitted changes; None outside a checkout."""
    source = Path(__file__).parent
    try:
        command = ["git", "-C", str(source), "describe", "--always", "--dirty=+dirty", "--abbrev=12"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()

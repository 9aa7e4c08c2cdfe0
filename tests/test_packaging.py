"""What a fresh machine gets: a wheel with every file, pinned dependencies, and clear words from the Makefile."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

CHECKOUT = Path(__file__).parent.parent
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
WANTED = [
    Requirement(line)
    for lines in (PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"].values())
    for line in lines
]
PINS = dict(
    line.split("==") for line in (CHECKOUT / "constraints.txt").read_text().splitlines() if not line.startswith("#")
)
PINS = {canonicalize_name(name): version for name, version in PINS.items()}


def test_the_wheel_has_every_file(tmp_path):
    """Really built, from a copy, so that nothing is left in the checkout."""
    source = tmp_path / "source"
    for name in ("lastmile", "recipes"):
        shutil.copytree(CHECKOUT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(CHECKOUT / name, source)
    command = [sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "--no-build-isolation", "--wheel-dir", tmp_path]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(next(tmp_path.glob("lastmile-*.whl"))) as wheel:
        packed = {name for name in wheel.namelist() if ".dist-info/" not in name}
    wanted = {path.relative_to(source) for path in (source / "lastmile").rglob("*") if path.is_file()}
    recipes = {f"lastmile/recipes/{path.name}" for path in (source / "recipes").iterdir()}
    assert packed == {path.as_posix() for path in wanted} | recipes


def test_every_dependency_is_pinned_within_its_bounds():
    for wanted in WANTED:
        assert wanted.specifier.contains(PINS[canonicalize_name(wanted.name)]), wanted


def test_what_the_dependencies_need_is_pinned_too():
    seen, queue = set(), list(WANTED)
    while queue:
        requirement = queue.pop()
        if requirement.name in seen:
            continue
        seen.add(requirement.name)
        for line in requires(requirement.name) or ():
            inner = Requirement(line)
            # Builds of torch for GPUs bring their own pinned libraries.
            applies = inner.marker is None or inner.marker.evaluate({"extra": ""})
            if applies and not re.match("nvidia|cuda|triton", inner.name):
                queue.append(inner)
    assert {canonicalize_name(name) for name in seen} <= set(PINS)


def test_torch_is_pinned_without_a_build_tag():
    assert "+" not in PINS["torch"]


def test_ci_runs_the_test_command_of_the_readme():
    script = CHECKOUT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert script.read_text().splitlines()[-1] == "exec make test"
    assert "make test" in (CHECKOUT / "README.md").read_text()


@pytest.fixture
def make(tmp_path):
    if not shutil.which("make"):
        pytest.skip("make is not installed")

    def make(*arguments):
        command = ["make", "-C", str(CHECKOUT), f"VENV={tmp_path / 'venv'}", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    return make


def fake_python(folder, body):
    script = folder / "fakepython"
    script.write_text(f"#!/bin/sh\n{body}\n")
    script.chmod(0o755)
    return script


def test_make_without_python(make):
    done = make("demo", "PYTHON=python-of-nowhere")
    assert done.returncode == 2
    assert "no `python-of-nowhere` found. Install Python 3.11 or newer" in done.stderr


def test_make_with_an_old_python(make, tmp_path):
    old = fake_python(tmp_path, 'case "$*" in -V) echo "Python 3.9.2";; *"< (3, 11)"*) exit 1;; esac')
    done = make("test", f"PYTHON={old}")
    assert done.returncode == 2
    assert f"lastmile needs Python 3.11 or newer, `{old}` is Python 3.9.2. Name another:" in done.stderr
    assert not (tmp_path / "venv").exists()


def test_make_with_a_python_that_has_no_venv(make, tmp_path):
    bare = fake_python(tmp_path, 'case "$*" in *ensurepip*) exit 1;; *) exit 0;; esac')
    done = make("demo", f"PYTHON={bare}")
    assert done.returncode == 2
    assert "cannot make environments. On Debian and Ubuntu: apt install python3-venv" in done.stderr


def test_make_demo_tunes_once_then_goes_on_and_compares_each_time(make, tmp_path):
    """With a stand-in for the installed command, which notes how it was called."""
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    for name in ("bin/python", ".installed"):
        (tmp_path / "venv" / name).touch()
    calls, run = tmp_path / "calls", tmp_path / "run"
    command = tmp_path / "venv" / "bin" / "lastmile"
    command.write_text(f'#!/bin/sh\necho "$@" >> {calls}\nmkdir -p {run} && touch {run}/recipe.yaml\n')
    command.chmod(0o755)
    for _ in range(2):
        done = make("demo", f"RUN={run}")
        assert done.returncode == 0, done.stderr
    assert calls.read_text().splitlines() == [
        f"tune --data demo --out {run}",
        f"compare {run}",
        f"tune --resume {run}",
        f"compare {run}",
    ]


def test_make_help_names_every_target_for_people(make):
    done = make("help")
    assert [line.split()[1] for line in done.stdout.splitlines() if line.startswith("  make")] == [
        "help",
        "demo",
        "test",
        "lint",
        "bench",
        "docs",
        "constraints",
        "clean",
    ]

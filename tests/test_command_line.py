"""The command line from outside: as installed, from a checkout, and as a module; quick, and without torch."""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lastmile import __version__

CHECKOUT = Path(__file__).parent.parent
HEAVY = ("torch", "transformers", "datasets", "pytorch_lightning", "tensorboard", "matplotlib", "jinja2", "pyarrow")
WAYS_IN = {
    "installed": [str(Path(sys.executable).with_name("lastmile"))],
    "checkout": [sys.executable, str(CHECKOUT / "cli.py")],
    "module": [sys.executable, "-m", "lastmile"],
}


def shell(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **options)


@pytest.mark.parametrize("way", WAYS_IN)
def test_version(way, tmp_path):
    done = shell(*WAYS_IN[way], "--version", cwd=CHECKOUT if way == "module" else tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"lastmile {__version__}\n", "")


def test_help_loads_nothing_heavy():
    """Each verb imports what it needs inside its function."""
    code = (
        "import sys; sys.argv = ['lastmile', '--help']\n"
        "from lastmile.commands import main\n"
        "try: main()\n"
        f"except SystemExit: print('loaded:', [m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = shell(sys.executable, "-c", code)
    assert done.stdout.splitlines()[-1] == "loaded: []", done.stdout + done.stderr


def test_help_is_quick():
    """Half a second is the aim; three times that, and the best of three, because test machines are busy."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        done = shell(*WAYS_IN["installed"], "--help")
        times.append(time.perf_counter() - start)
        assert done.returncode == 0
    assert min(times) < 1.5, times


def test_recipe_tree_and_records_load_nothing_heavy():
    code = f"import sys, lastmile.config, lastmile.records; print([m for m in {HEAVY!r} if m in sys.modules])"
    assert shell(sys.executable, "-c", code).stdout == "[]\n"


def test_user_error_is_one_message_without_traceback():
    done = shell(*WAYS_IN["installed"], "recipes", "show", "demp")
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"recipe `demp`: not one .* Did you mean `demo`\?.*\n", done.stderr)


@pytest.mark.parametrize("place", ["--debug recipes show demp", "recipes show demp --debug"])
def test_debug_shows_the_traceback_wherever_it_stands(place):
    done = shell(*WAYS_IN["installed"], *place.split())
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "lastmile.errors.InputError: recipe `demp`" in done.stderr


def test_unknown_verb():
    done = shell(*WAYS_IN["installed"], "tuna")
    assert done.returncode == 2
    assert "No such command" in done.stderr
    assert "Traceback" not in done.stderr

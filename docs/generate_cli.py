"""Write `docs/cli.md` from `--help`: `make docs`. With `--check`, say whether the file is stale instead."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# Plain text at a fixed width, whatever terminal this runs in; read by typer when it is imported.
os.environ |= {"TYPER_USE_RICH": "0", "COLUMNS": "100", "NO_COLOR": "1"}

from typer.main import get_command
from typer.testing import CliRunner

from lastmile.commands import app

PAGE = Path(__file__).with_name("cli.md")
HEAD = """# Command line

Written by `make docs` from `--help`; do not edit.
"""


def render() -> str:
    """The whole page: the help of `lastmile`, of each verb, and of each verb's verbs."""
    return "\n".join([HEAD, *_sections(get_command(app), [])])


def _sections(command, words: list[str]) -> list[str]:
    shown = CliRunner().invoke(app, [*words, "--help"], prog_name="lastmile", terminal_width=100)
    if shown.exit_code:
        raise SystemExit(f"lastmile {' '.join(words)} --help failed:\n{shown.output}")
    text = "\n".join(line.rstrip() for line in shown.output.strip().splitlines())
    sections = [f"## {' '.join(['lastmile', *words])}\n\n```text\n{text}\n```\n"]
    for name, inner in getattr(command, "commands", {}).items():
        sections += _sections(inner, [*words, name])
    return sections


if __name__ == "__main__":
    page = render()
    if "--check" not in sys.argv:
        PAGE.write_text(page, encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page:
        raise SystemExit("docs/cli.md is stale: run `make docs`")

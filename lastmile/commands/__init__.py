"""The command line: one file per verb; whatever is heavy is imported inside the command, so that `--help` is quick."""

from __future__ import annotations

import sys

import typer

from lastmile.errors import LastmileError

app = typer.Typer(
    name="lastmile",
    help="The last mile of summarization fine-tuning: tune by policy gradient, then compare honestly.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


def main() -> None:
    """Run the command line; a `LastmileError` becomes one message on stderr and its exit code."""
    try:
        app()
    except LastmileError as error:
        if "--debug" in sys.argv:
            raise
        typer.echo(str(error), err=True)
        sys.exit(error.exit_code)

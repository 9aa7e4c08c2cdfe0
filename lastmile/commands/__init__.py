"""The command line: one file per verb; whatever is heavy is imported inside the command, so that `--help` is quick."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from lastmile import __version__
from lastmile.errors import LastmileError

app = typer.Typer(
    name="lastmile",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lastmile {__version__}")
        raise typer.Exit


@app.callback(epilog="`--debug`, anywhere on the line, shows the traceback of an error.")
def _lastmile(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """The last mile of summarization fine-tuning: tune by policy gradient, then compare honestly.

    Two commands are the whole path: `lastmile tune --data demo`, then `lastmile compare RUN`.
    """


def main() -> None:
    """Run the command line; a `LastmileError` becomes one message on stderr and its exit code."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        app(arguments, prog_name="lastmile")
    except LastmileError as error:
        if "--debug" in sys.argv:
            raise
        typer.echo(str(error), err=True)
        sys.exit(error.exit_code)


# Each verb registers itself with `app` on import; the order here is the order of the help.
import lastmile.commands.tune
import lastmile.commands.compare
import lastmile.commands.evaluate
import lastmile.commands.flag
import lastmile.commands.summarize
import lastmile.commands.data
import lastmile.commands.recipes
import lastmile.commands.doctor

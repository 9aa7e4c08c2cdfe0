"""`lastmile flag`: the faults of summaries, with their places and evidence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from lastmile.commands import app
from lastmile.config import FLAG_NAMES


@app.command("flag")
def flag(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Rows with `document` (or `source`) and `summary`; `.gz` is fine.")
    ],
    out: Annotated[Path, typer.Option(help="JSONL: the same rows, each with its `flags`.")],
    flags: Annotated[str, typer.Option(help="Which flags to look for, with commas between.")] = ",".join(FLAG_NAMES),
    as_json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON.")] = False,
) -> None:
    """Find the faults of summaries: repetition, names and numbers that the document lacks, and more.

    Each row gets `flags`: a list of `name`, `start`, `end`, `text` and `evidence`. Where rows have a `target`, a
    `reference` or several, lengths and copied passages are held against those; else a flag of length is never raised.
    `unsupported_word` marks every content word that is not the document's: most good summaries have some.

    Example: `lastmile flag outputs.jsonl --out flagged.jsonl --flags repetition,unsupported_entity`
    """
    from lastmile.compare.flag_file import flag_file

    names = list(dict.fromkeys(name.strip() for name in flags.split(",") if name.strip()))
    counts = flag_file(file, out, names)
    profile = counts.profile
    typer.echo(
        f"{out}: {counts.summaries} summaries, "
        f"{'names by their capitals' if profile.cased else f'all in lower case: {len(profile.names)} names learnt'}",
        err=True,
    )
    if as_json:
        rates = {name: count / counts.summaries for name, count in counts.flagged.items()}
        found = {"summaries": counts.summaries, "flagged": counts.flagged, "rates": rates, "spans": counts.spans}
        typer.echo(json.dumps(found, indent=2))
        return

    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for head, justify in (("flag", "left"), ("summaries", "right"), ("share", "right"), ("spans", "right")):
        table.add_column(head, justify=justify)
    for name, count in counts.flagged.items():
        table.add_row(name, f"{count:,}", f"{100 * count / counts.summaries:.1f} %", f"{counts.spans[name]:,}")
    Console().print(table)

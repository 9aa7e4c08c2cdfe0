"""`lastmile evaluate`: metrics with intervals for the outputs of any system."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from lastmile.commands import app

Several = Literal["best", "mean", "first"]


@app.command("evaluate")
def evaluate(
    predictions: Annotated[Path, typer.Option(help="Summaries: one a line, or rows with `prediction` or `summary`.")],
    targets: Annotated[Path, typer.Option(help="Targets: one a line, or rows with `summary`, `references`, …")],
    documents: Annotated[
        Path | None, typer.Option(help="Documents, in the same order. Adds flags, novelty, coverage and density.")
    ] = None,
    several: Annotated[Several, typer.Option(help="Which of several targets ROUGE takes.")] = "best",
    bootstrap_samples: Annotated[int, typer.Option(min=100, help="Resamples that the intervals rest on.")] = 2000,
    seed: Annotated[int, typer.Option(help="Of the resamples.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print metrics and signature as JSON.")] = False,
) -> None:
    """Score the outputs of any system: ROUGE and more, each with its 95 % interval, and a signature.

    Files are text (one a line), `.jsonl`, `.json`, `.csv` or `.parquet`, each also `.gz`. Line n of every file belongs
    to the same document. What needs a document is left out unless `--documents` is given.

    Example: `lastmile evaluate --predictions outputs.txt --targets test.jsonl --documents test.jsonl`
    """
    from lastmile.compare.evaluate import evaluate_files

    found = evaluate_files(predictions, targets, documents, several, bootstrap_samples, seed)
    if as_json:
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False, allow_nan=False))
        return
    from lastmile.compare.tables import print_metrics

    print_metrics(found)

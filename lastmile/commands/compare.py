"""`lastmile compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lastmile.commands import app
from lastmile.config import Engine
from lastmile.errors import InputError


@app.command("compare")
def compare_command(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders; several seeds are joined.")],
    predictions: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=FILE", help="Another system's summaries of the test documents, in their order."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the report. Default: `RUN/report`.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="E.g. `compare.decoding.num_beams=4`.")
    ] = None,
    engine: Annotated[
        Engine | None, typer.Option(help="What decodes: `pip install lastmile[ctranslate2]` for the faster ones.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print report.json on stdout.")] = False,
) -> None:
    """Ask honestly whether policy gradient beat the likelihood model with post-processing.

    On the test split: {likelihood, policy gradient} × {raw, post-processed}, lead-3, n-best reranking and the targets;
    metrics and flags with intervals, paired tests with Holm correction. Writes `report.html`, `.md` and `.json`.

    Example: `lastmile compare runs/dialogsum-rloo-seed1 runs/dialogsum-rloo-seed2`
    """
    from lastmile.train.run import RunFolder

    opened = [RunFolder.open(path) for path in runs]
    wrong = [item for item in settings or [] if not item.startswith("compare.")]
    if wrong:
        raise InputError.of(f"`{item}`: only `compare.…` settings can change after training" for item in wrong)
    named = dict(_named(item) for item in predictions or [])

    import json

    from lastmile.compare.read import read_predictions
    from lastmile.compare.report import build_report, print_table, write_report
    from lastmile.compare.runs import compare_runs
    from lastmile.config import parse_recipe

    changed = [*(settings or []), *([f"compare.decoding.engine={engine}"] if engine else [])]
    recipe = parse_recipe(opened[0].recipe.model_dump(mode="json"), changed, where=str(runs[0]))
    others = {name: read_predictions(path) for name, path in named.items()}
    found = compare_runs(opened, recipe.compare, lambda text: typer.echo(text, err=True), others)
    report = build_report(
        found.title,
        found.examples,
        found.systems,
        found.judge.profile,
        recipe.compare,
        several=recipe.compare.targets,
        seed=recipe.seed,
        signature=found.signature,
        curves=found.curves,
        rewards_by_system=found.rewards,
        unseen=found.unseen,
        resources=found.resources,
        learned=found.judge.learned,
    )
    page = write_report(out or opened[0].path / "report", report, found.examples, found.systems)
    if as_json:
        typer.echo(json.dumps(json.loads((page.parent / "report.json").read_text(encoding="utf-8")), indent=2))
    else:
        print_table(report)
    typer.echo(f"Report: {page}", err=True)


def _named(item: str) -> tuple[str, Path]:
    name, separator, file = item.partition("=")
    if not separator or not name or not file:
        raise InputError(f"`--predictions {item}`: written `NAME=FILE`")
    return name, Path(file)

"""`lastmile summarize`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lastmile.commands import app
from lastmile.config import Engine


@app.command("summarize")
def summarize_command(
    documents: Annotated[Path, typer.Argument(metavar="INPUT", help="A `.jsonl`, `.json`, `.csv` or `.parquet` file.")],
    model: Annotated[str, typer.Option(help="A run (its best checkpoint), a folder or a hub name.")],
    out: Annotated[Path, typer.Option(help="JSONL with `id` and `summary`; finished ids are skipped.")],
    document_column: Annotated[str | None, typer.Option(help="Column with the documents.")] = None,
    num_beams: Annotated[int | None, typer.Option(min=1, help="Default: as the run decodes, else 1.")] = None,
    max_new_tokens: Annotated[int | None, typer.Option(min=1, help="Default: as the run decodes, else 64.")] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Documents decoded together.")] = None,
    engine: Annotated[
        Engine | None, typer.Option(help="What computes: `pip install lastmile[ctranslate2]` for the faster ones.")
    ] = None,
    post: Annotated[bool, typer.Option("--post", help="Run the post-processing rules on each summary.")] = False,
) -> None:
    """Summarize a file of documents. Stop it whenever you like: the same command goes on where it stopped.

    Example: `lastmile summarize --model runs/demo-rloo-seed1 articles.jsonl --out summaries.jsonl --post`
    """
    given = {"num_beams": num_beams, "max_new_tokens": max_new_tokens, "batch_size": batch_size, "engine": engine}

    import torch

    from lastmile.config import Compare, Data, Decoding
    from lastmile.corpus.sources import load_documents
    from lastmile.judge.profile import TargetProfile
    from lastmile.policy.load import is_cased, load_policy
    from lastmile.ship.summarize import summarize
    from lastmile.train.run import RunFolder

    split = load_documents(documents, document_column)
    is_run = (Path(model) / "recipe.yaml").is_file()
    recipe = RunFolder.open(Path(model)).recipe if is_run else None
    settings = recipe.compare if recipe else Compare()
    decoding = Decoding.model_validate(
        settings.decoding.model_dump() | {name: value for name, value in given.items() if value is not None}
    )
    policy = load_policy(model).to("cuda" if torch.cuda.is_available() else "cpu")
    profile = RunFolder(Path(model)).profile if is_run else TargetProfile.neutral(is_cased(policy.tokenizer))
    written = summarize(
        policy,
        split,
        out,
        decoding,
        recipe.data if recipe else Data(name=str(documents)),
        rules=settings.post_processing if post else (),
        profile=profile,
    )
    typer.echo(f"{out}: {len(split)} summaries, {written} of them written now", err=True)

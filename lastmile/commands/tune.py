"""`lastmile tune`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from lastmile.commands import app
from lastmile.errors import InputError


@app.command("tune")
def tune_command(
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Settings, e.g. `sampling.num_samples=4`.")
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="`cnn_dm`, `demo`, …, a hub id, a file or a folder; `name#500` for a subset.")
    ] = None,
    recipe: Annotated[str | None, typer.Option(help="A recipe's name or file. Default: the one for the data.")] = None,
    model: Annotated[
        str | None,
        typer.Option(help="A hub name, a folder or a run. A folder or a run counts as tuned: stage 1 is skipped."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Run folder. Default: `runs/DATA-METHOD-seedN`.")] = None,
    resume: Annotated[Path | None, typer.Option(help="Continue this run where it was interrupted.")] = None,
    seed: Annotated[int | None, typer.Option(help="Short for `seed=N`.")] = None,
    document_column: Annotated[str | None, typer.Option(help="Column with the documents.")] = None,
    summary_column: Annotated[str | None, typer.Option(help="Column with the summaries.")] = None,
    accelerator: Annotated[str | None, typer.Option(help="Short for `hardware.accelerator=…`.")] = None,
    devices: Annotated[str | None, typer.Option(help="Short for `hardware.devices=…`.")] = None,
    strategy: Annotated[str | None, typer.Option(help="Short for `hardware.strategy=…`, e.g. `ddp`.")] = None,
    precision: Annotated[str | None, typer.Option(help="Short for `hardware.precision=…`, e.g. `bf16-mixed`.")] = None,
) -> None:
    """Train a summarizer: first by likelihood, then by policy gradient on its own sampled summaries.

    The run folder gets the likelihood model (`baseline`), the best policy-gradient model (`best`), metrics, samples and
    a TensorBoard log. Then ask `lastmile compare RUN` whether it was worth it.

    Example: `lastmile tune --data cnn_dm`, or with your own documents
    `lastmile tune --data my.jsonl --model facebook/bart-base policy_gradient.steps=300`
    """
    words = {
        "data.name": data,
        "data.document_column": document_column,
        "data.summary_column": summary_column,
        "hardware.accelerator": accelerator,
        "hardware.strategy": strategy,
        "hardware.precision": precision,
    }
    given = [f"{key}={_quoted(value)}" for key, value in words.items() if value is not None]
    given += [f"{key}={value}" for key, value in (("seed", seed), ("hardware.devices", devices)) if value is not None]
    if resume is not None:
        if given or overrides or recipe or model or out:
            raise InputError("`--resume RUN` takes its settings from the run; give nothing else beside it")
    elif data is None and recipe is None:
        raise InputError("`--data` is required: a name such as `cnn_dm` or `demo`, a hub id, a file or a folder")

    from lastmile.train.run import RunFolder, is_first_process

    if resume is not None:
        run = RunFolder.open(resume)
        settings = run.recipe
        if run.is_finished:
            typer.echo(f"{run.path}: finished already. Now `lastmile compare {run.path}`", err=True)
            return
    else:
        settings = resolve(data, recipe, model, [*given, *(overrides or [])])
        run = RunFolder.new(out or default_folder(settings))
    from lastmile.train.tune import check_recipe, tune

    check_recipe(settings, run)
    tune(settings, run)
    if is_first_process():
        typer.echo(f"{run.path}: done. Now `lastmile compare {run.path}`", err=True)


def resolve(data: str | None, recipe: str | None, model: str | None, overrides: list[str]):
    """The recipe that the options ask for."""
    from lastmile.config import load_recipe
    from lastmile.recipe_files import default_recipe_for, find_recipe

    path = find_recipe(recipe) if recipe else default_recipe_for(data)
    chosen = []
    if model is not None:
        chosen = [f"model.name={_quoted(model)}", "model.build=null"]
        if Path(model).is_dir():
            chosen.append("likelihood.epochs=0")
    return load_recipe(path, [*chosen, *overrides])


def _quoted(word: str) -> str:
    """A word as YAML that stays this word: data may be called `2024`, `yes` or `a: b`."""
    return json.dumps(word, ensure_ascii=False)


def default_folder(recipe) -> Path:
    """`runs/DATA-METHOD-seedN`, from what the data are called."""
    name = Path(recipe.data.name.rpartition("#")[0] or recipe.data.name).resolve().name.partition(".")[0]
    method = recipe.policy_gradient.method if recipe.policy_gradient.steps else "likelihood"
    return Path("runs") / f"{name}-{method}-seed{recipe.seed}"

"""`lastmile recipes`: list, show, copy and check recipe files."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from lastmile.commands import app
from lastmile.errors import InputError
from lastmile.recipe_files import find_recipe, list_recipes

recipes = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown")
app.add_typer(recipes, name="recipes", help="List, show, copy and check recipes: one file holds one complete run.")


@recipes.command("ls")
def ls(as_json: Annotated[bool, typer.Option("--json", help="Print name, text and path as JSON.")] = False) -> None:
    """List the recipes that come with lastmile.

    Example: `lastmile recipes ls`
    """
    found = list_recipes()
    if as_json:
        rows = [{"name": name, "description": text, "path": str(find_recipe(name))} for name, text in found.items()]
        typer.echo(json.dumps(rows, indent=2))
        return
    width = max(map(len, found))
    for name, text in found.items():
        typer.echo(f"{name:{width}}  {text}")


@recipes.command("show")
def show(name: Annotated[str, typer.Argument(help="A name from `recipes ls`, or a file.")]) -> None:
    """Print a recipe; its header is its manual.

    Example: `lastmile recipes show cnn_dm`
    """
    typer.echo(find_recipe(name).read_text(encoding="utf-8"), nl=False)


@recipes.command("cp")
def cp(
    name: Annotated[str, typer.Argument(help="A name from `recipes ls`, or a file.")],
    destination: Annotated[Path, typer.Argument(help="The new file, or a folder to put it in.")],
) -> None:
    """Copy a recipe to change it. Never writes over a file.

    Example: `lastmile recipes cp cnn_dm my.yaml`, then `lastmile tune --recipe my.yaml`
    """
    source = find_recipe(name)
    target = destination / source.name if destination.is_dir() else destination
    if target.suffix not in (".yaml", ".yml"):
        raise InputError(f"{target}: a recipe file ends in `.yaml`, or give a folder that exists")
    if target.exists():
        raise InputError(f"{target}: exists already. Choose another name, or remove it first")
    if not target.parent.is_dir():
        raise InputError(f"{target.parent}: no such folder. Make it first")
    aside = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        aside.write_bytes(source.read_bytes())
        aside.replace(target)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise InputError(f"{target}: cannot be written: {error.strerror}") from None
    typer.echo(f"{target} written", err=True)


@recipes.command("check")
def check(files: Annotated[list[str], typer.Argument(help="Files, or names from `recipes ls`.")]) -> None:
    """Report every problem of every file at once.

    Exit status 2 if there is one.

    Example: `lastmile recipes check my.yaml`
    """
    from lastmile.config import load_recipe

    problems = []
    for file in files:
        try:
            load_recipe(find_recipe(file))
        except InputError as error:
            problems.append(str(error))
        else:
            typer.echo(f"{file}: fine")
    if problems:
        raise InputError.of(problems)

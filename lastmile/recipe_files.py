"""Where the recipes that come with lastmile lie, and which of them a data set gets."""

from __future__ import annotations

from pathlib import Path

from lastmile.errors import InputError, did_you_mean

BRING_YOUR_OWN = "default"


def list_recipes() -> dict[str, str]:
    """Name of each recipe to what its first header line says of it, sorted by name."""
    return {path.stem: _first_line(path) for path in sorted(_folder().glob("*.yaml"))}


def find_recipe(name_or_path: str | Path) -> Path:
    """The recipe file of a name (`cnn_dm`) or a path (`my/recipe.yaml`).

    A word without a folder and without `.yaml` is a name; everything else is a path.

    Raises:
        InputError: If there is no such recipe, with the nearest name.
    """
    text = str(name_or_path)
    if "/" in text or "\\" in text or text.endswith((".yaml", ".yml")):
        path = Path(name_or_path)
        if not path.is_file():
            raise InputError(f"{path}: no such recipe file. `lastmile recipes ls` lists those that come with lastmile")
        return path
    path = _folder() / f"{text}.yaml"
    if not path.is_file():
        raise InputError(
            f"recipe `{text}`: not one that comes with lastmile.{did_you_mean(text, list_recipes())} "
            "`lastmile recipes ls` lists them; a file of your own ends in `.yaml`"
        )
    return path


def default_recipe_for(data_name: str) -> Path:
    """The recipe that `--data` gets when none is named.

    A data set with a recipe of its own name gets that one (`cnn_dm`, `xsum`, `dialogsum`, `demo`; `cnn_dm#500` is
    still `cnn_dm`); everything else, files and hub ids included, gets `default`.
    """
    name = data_name.partition("#")[0]
    return find_recipe(name if name in _DATA_SETS else BRING_YOUR_OWN)


# Not every recipe is named after data: a folder called `t5` must not be taken for the recipe.
_DATA_SETS = ("cnn_dm", "demo", "dialogsum", "xsum")


def _folder() -> Path:
    """`recipes/` lies inside the package when installed from a wheel, and beside it in a checkout."""
    here = Path(__file__).parent
    return next(folder for folder in (here / "recipes", here.parent / "recipes") if folder.is_dir())


def _first_line(path: Path) -> str:
    with path.open(encoding="utf-8") as lines:
        return lines.readline().lstrip("# ").strip().removeprefix(f"{path.stem}: ")

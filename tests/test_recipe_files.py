"""Recipes are found by name and by path, are complete, valid and short."""

from pathlib import Path

import pytest
import yaml

from lastmile.config import Recipe, dump_recipe, load_recipe
from lastmile.errors import InputError
from lastmile.recipe_files import default_recipe_for, find_recipe, list_recipes

NAMES = ["cnn_dm", "default", "demo", "dialogsum", "likelihood_only", "t5", "xsum"]


def test_the_recipes_that_come_with_lastmile():
    found = list_recipes()
    assert list(found) == NAMES
    assert all(len(text) > 20 and "#" not in text for text in found.values()), found


@pytest.mark.parametrize("name", NAMES)
def test_row15_recipe_has_a_manual_with_what_was_measured_and_is_short(name):
    lines = find_recipe(name).read_text(encoding="utf-8").splitlines()
    header = [line for line in lines if line.startswith("#")]
    assert header == lines[: len(header)], "the manual is one block at the top"
    assert header[0].startswith(f"# {name}: ")
    assert any("lastmile tune" in line for line in header)
    assert any("Hardware:" in line for line in header)
    assert any("Measured" in line for line in header)
    assert len(lines) < 60
    assert max(map(len, lines)) <= 120


@pytest.mark.parametrize("name", NAMES)
def test_recipe_names_every_setting(name):
    """No inheritance: what runs is what the file says, whatever a later version's defaults are."""
    path = find_recipe(name)
    written, resolved = (set(_leaves(tree)) for tree in (yaml.safe_load(path.read_text()), _resolved(path)))
    assert resolved - written == set(), "a setting of the tree is left to its default"


def _resolved(path: Path):
    return yaml.safe_load(dump_recipe(load_recipe(path)))


def _leaves(tree, where=""):
    """Dotted names of the settings that are not null; lists count as one setting."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from _leaves(value, f"{where}.{key}" if where else key)
    elif tree is not None:
        yield where


def test_what_the_recipes_promise():
    recipes: dict[str, Recipe] = {name: load_recipe(find_recipe(name)) for name in NAMES}
    assert recipes["likelihood_only"].policy_gradient.steps == 0
    assert recipes["demo"].model.build is not None
    assert all(recipes[name].data.name == name for name in ("cnn_dm", "demo", "dialogsum", "xsum"))
    assert recipes["cnn_dm"].likelihood.epochs == recipes["xsum"].likelihood.epochs == 0, "tuned by their authors"
    assert recipes["t5"].data.prefix == "summarize: "
    assert all(recipe.hardware.precision != "16-mixed" for recipe in recipes.values())


@pytest.mark.parametrize(
    ("data", "recipe"),
    [
        ("cnn_dm", "cnn_dm"),
        ("cnn_dm#500", "cnn_dm"),
        ("xsum", "xsum"),
        ("demo", "demo"),
        ("dialogsum", "dialogsum"),
        ("samsum", "default"),
        ("t5", "default"),
        ("my/notes.jsonl", "default"),
        ("someone/some_set", "default"),
    ],
)
def test_default_recipe_for(data, recipe):
    assert default_recipe_for(data).stem == recipe


def test_a_path_is_a_path_and_a_word_is_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mine = tmp_path / "demo.yaml"
    mine.write_text("seed: 2\n")
    (tmp_path / "demo").mkdir()
    assert find_recipe("demo.yaml") == Path("demo.yaml")
    assert find_recipe(mine) == mine
    assert find_recipe("demo").parent != tmp_path


def test_unknown_name_and_path():
    with pytest.raises(InputError) as error:
        find_recipe("cnn_dn")
    assert str(error.value) == (
        "recipe `cnn_dn`: not one that comes with lastmile. Did you mean `cnn_dm`? "
        "`lastmile recipes ls` lists them; a file of your own ends in `.yaml`"
    )
    with pytest.raises(InputError, match=r"^nowhere/demo: no such recipe file"):
        find_recipe("nowhere/demo")
    with pytest.raises(InputError) as error:
        find_recipe("nowhere/x.yaml")
    assert str(error.value) == (
        "nowhere/x.yaml: no such recipe file. `lastmile recipes ls` lists those that come with lastmile"
    )

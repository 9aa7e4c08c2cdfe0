"""A document walks corpus → policy → judge → learn → train → compare → ship → commands; imports point backwards."""

import ast
import sys
from pathlib import Path

import pytest

import lastmile

PACKAGE = Path(lastmile.__file__).parent
WALK = ["corpus", "policy", "judge", "learn", "train", "compare", "ship", "commands"]
FILE_CALLS = {"open", "read_text", "write_text", "read_bytes", "write_bytes", "Path", "unlink", "mkdir"}
MODULES = sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE.parent).with_suffix("").as_posix().removesuffix("/__init__")


def imports(path: Path, typing_too: bool = False) -> set[str]:
    """What a module imports anywhere in it, as `a/b/c`; imports for type checkers alone count only if asked."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING") and not typing_too:
            node.body = []
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: import by full name"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.replace(".", "/") for name in found}


def rooms(names: set[str]) -> set[str]:
    return {name.split("/")[1] for name in names if name.startswith("lastmile/") and name.split("/")[1] in WALK}


def third_party(names: set[str]) -> set[str]:
    return {name.split("/")[0] for name in names} - {"lastmile"} - set(sys.stdlib_module_names)


def room(name: str) -> list[Path]:
    return sorted((PACKAGE / name).rglob("*.py"))


def test_every_folder_has_its_place_in_the_walk():
    assert {path.parent.name for path in PACKAGE.glob("*/__init__.py")} == set(WALK)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_point_backwards(path):
    parts = name_of(path).split("/")
    here = parts[1] if len(parts) > 1 and parts[1] in WALK else None
    if here is None and parts[-1] == "__main__":
        return
    allowed = WALK[: WALK.index(here) + 1] if here else []
    assert rooms(imports(path, typing_too=True)) <= set(allowed)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_module_is_short_and_well_named(path):
    assert path.read_text(encoding="utf-8").count("\n") <= 400
    assert path.stem not in {"utils", "util", "helpers", "common", "manager", "misc"}


@pytest.mark.parametrize("path", room("judge") + room("learn"), ids=name_of)
def test_judge_and_learn_are_pure(path):
    assert "pytorch_lightning" not in third_party(imports(path))
    calls = [node.func for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    opened = {ast.unparse(call) for call in calls if ast.unparse(call).split(".")[-1] in FILE_CALLS}
    assert not opened, "judge and learn open no files"


@pytest.mark.parametrize("path", room("judge"), ids=name_of)
def test_judge_needs_no_torch(path):
    assert "torch" not in third_party(imports(path))


@pytest.mark.parametrize("path", room("learn"), ids=name_of)
def test_learn_is_tensor_maths_and_nothing_else(path):
    names = imports(path)
    assert third_party(names) <= {"torch"}
    own = {name.split("/")[1] for name in names if name.startswith("lastmile/")}
    assert own <= {"learn", "records", "errors"}

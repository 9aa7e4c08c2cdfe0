"""`lastmile recipes`, from outside."""

import json

from lastmile.recipe_files import find_recipe, list_recipes


def test_ls(run):
    status, out, err = run("recipes", "ls")
    assert (status, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()] == list(list_recipes())


def test_ls_json(run):
    _, out, _ = run("recipes", "ls", "--json")
    rows = json.loads(out)
    assert {row["name"] for row in rows} == set(list_recipes())
    assert all(row["description"] and row["path"].endswith(f"{row['name']}.yaml") for row in rows)


def test_show_prints_the_file_as_it_is(run):
    assert run("recipes", "show", "demo") == (0, find_recipe("demo").read_text(encoding="utf-8"), "")


def test_cp_to_a_file_and_into_a_folder(run, tmp_path):
    assert run("recipes", "cp", "demo", tmp_path / "my.yaml")[0] == 0
    assert run("recipes", "cp", "xsum", tmp_path)[0] == 0
    assert (tmp_path / "my.yaml").read_bytes() == find_recipe("demo").read_bytes()
    assert (tmp_path / "xsum.yaml").read_bytes() == find_recipe("xsum").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"my.yaml", "xsum.yaml"}, "nothing is left aside"


def test_cp_never_writes_over_a_file(run, tmp_path):
    mine = tmp_path / "my.yaml"
    mine.write_text("precious")
    assert run("recipes", "cp", "demo", mine) == (
        2,
        "",
        f"{mine}: exists already. Choose another name, or remove it first\n",
    )
    assert mine.read_text() == "precious"


def test_cp_to_places_that_are_not_there(run, tmp_path):
    assert run("recipes", "cp", "demo", tmp_path / "new" / "my.yaml") == (
        2,
        "",
        f"{tmp_path / 'new'}: no such folder. Make it first\n",
    )
    assert run("recipes", "cp", "demo", tmp_path / "new") == (
        2,
        "",
        f"{tmp_path / 'new'}: a recipe file ends in `.yaml`, or give a folder that exists\n",
    )


def test_check_all_that_come_with_lastmile(run):
    names = list(list_recipes())
    assert run("recipes", "check", *names) == (0, "".join(f"{name}: fine\n" for name in names), "")


def test_check_reports_every_problem_of_every_file(run, tmp_path):
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    first.write_text("data: {name: demo}\nmodel: {name: m}\nsampling: {num_sample: 4, temperature: -1}\n")
    second.write_text("- not a mapping\n")
    status, out, err = run("recipes", "check", first, "demo", second, "nope")
    assert (status, out) == (2, "demo: fine\n")
    assert err.splitlines() == [
        f"{first}: `sampling.temperature`: input should be greater than 0, got `-1`",
        f"{first}: `sampling.num_sample`: unknown key. Did you mean `num_samples`?",
        f"{second}: a recipe is a mapping of sections, got list",
        "recipe `nope`: not one that comes with lastmile. `lastmile recipes ls` lists them; "
        "a file of your own ends in `.yaml`",
    ]

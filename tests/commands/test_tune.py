"""`lastmile tune`, from outside: what people type, what they are told, which files are left."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small import finished_run, metrics, small_recipe, tiny_checkpoint, write_corpus, write_rows

from lastmile.commands.tune import default_folder
from lastmile.config import dump_recipe
from lastmile.recipe_files import find_recipe
from lastmile.train.run import RunFolder


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch) -> Path:
    """An empty folder to work in."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def small(tmp_path) -> Path:
    """A recipe file of a few seconds."""
    file = tmp_path / "small.yaml"
    file.write_text(dump_recipe(small_recipe(write_corpus(tmp_path / "data"))))
    return file


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def refusal(run, *arguments) -> str:
    """What a refused command says; it exits with 2, prints no traceback and leaves nothing."""
    before = files_in(Path.cwd())
    status, out, err = run("tune", *arguments)
    assert status == 2, err
    assert out == "" and "Traceback" not in err
    assert files_in(Path.cwd()) == before
    return err.rstrip("\n")


def test_the_whole_path_and_a_second_call(run, small, here):
    status, out, err = run("tune", "--recipe", small, "--out", "one", "--seed", "3")
    assert (status, out) == (0, "")
    assert err.endswith("one: done. Now `lastmile compare one`\n")
    assert "policy gradient ended at step 3: all steps done" in err
    done = RunFolder.open(here / "one")
    assert done.is_finished and done.recipe.seed == 3
    assert done.manifest["environment"]["command"].startswith("lastmile tune --recipe ")
    before = files_in(here)
    assert run("tune", "--resume", "one") == (0, "", "one: finished already. Now `lastmile compare one`\n")
    assert refusal(run, "--recipe", small, "--out", "one") == (
        "`one` holds another run. Continue it with `lastmile tune --resume one`, or choose another folder with `--out`"
    )
    assert files_in(here) == before


def test_a_model_folder_counts_as_tuned_and_the_run_gets_a_name(run, small, tmp_path):
    status, _, err = run(
        "tune", "--data", tmp_path / "data", "--recipe", small, "--model", tiny_checkpoint("t5"),
        "policy_gradient.steps=1", "--precision", "bf16-mixed", "--devices", "1", "--accelerator", "cpu",
    )  # fmt: skip
    assert status == 0, err
    done = RunFolder.open(Path("runs/data-rloo-seed1"))
    assert done.manifest["stages"]["likelihood"] == {"ended": "skipped: the model is tuned already"}
    assert done.recipe.hardware.precision == "bf16-mixed"
    assert {row["stage"] for row in metrics(done)} == {"policy_gradient"}


def test_a_run_is_a_model_too(run, small, tmp_path):
    before = finished_run()
    status, _, err = run("tune", "--recipe", small, "--model", before.path, "--out", "more", "policy_gradient.steps=1")
    assert status == 0, err
    assert RunFolder.open(Path("more")).manifest["weights"]["baseline"] == before.manifest["weights"]["best"]


@pytest.mark.parametrize("name", ["2024", "1e3", "yes", "my: data", "{a}", "Zoë 😀"])
def test_data_may_be_called_anything(run, small, name, here):
    write_corpus(here / name, train=4, validation=1, test=1)
    told = refusal(run, "--recipe", small, "--data", name)
    assert told.endswith("must be at most the 4 training documents, got 8")


def test_without_data(run):
    assert refusal(run) == ("`--data` is required: a name such as `cnn_dm` or `demo`, a hub id, a file or a folder")


def test_resume_takes_nothing_beside_it(run, here):
    told = "`--resume RUN` takes its settings from the run; give nothing else beside it"
    assert refusal(run, "--resume", "one", "--seed", "2") == told
    assert refusal(run, "--resume", "one", "policy_gradient.steps=9") == told
    assert refusal(run, "--resume", "one") == "`one` is not a run: it has no recipe.yaml. `lastmile tune` makes one"


def test_an_unknown_key(run):
    assert refusal(run, "--data", "demo", "policy_gradient.lerning_rate=1e-5") == (
        f"{find_recipe('demo')}: `policy_gradient.lerning_rate`: unknown key. Did you mean `learning_rate`?"
    )


def test_an_unknown_recipe(run):
    assert refusal(run, "--data", "demo", "--recipe", "dialogsun").startswith(
        "recipe `dialogsun`: not one that comes with lastmile. Did you mean `dialogsum`?"
    )


def test_several_problems_come_at_once(run):
    where = find_recipe("demo")
    odd = ("likelihood.documents_per_step=15", "policy_gradient.documents_per_step=16", "hardware.accumulate=3")
    assert refusal(run, "--data", "demo", "sampling.num_samples=1", *odd).split("\n") == [
        f"{where}: `sampling.num_samples` must be at least 2 for `method: rloo`, got 1",
        f"{where}: `policy_gradient.documents_per_step` must be a multiple of `hardware.accumulate`, got 16 and 3",
    ]
    assert refusal(run, "--data", "demo", "sampling.temperature=0", "sedd=3", "likelihood.epochs=x").split("\n") == [
        f"{where}: `likelihood.epochs`: input should be a valid number, unable to parse string as a number, got `x`",
        f"{where}: `sampling.temperature`: input should be greater than 0, got `0`",
        f"{where}: `sedd`: unknown key. Did you mean `seed`?",
    ]


def test_row09_fp16_with_t5(run, small):
    told = refusal(run, "--recipe", small, "--model", tiny_checkpoint("t5"), "--precision", "16-mixed")
    assert told == "`hardware.precision=16-mixed` overflows T5 activations. Use `bf16-mixed`"


def test_a_decoder_only_model(run, small, tmp_path):
    model = tmp_path / "gpt"
    model.mkdir()
    (model / "config.json").write_text(json.dumps({"model_type": "gpt2"}))
    assert refusal(run, "--recipe", small, "--model", model) == (
        f"`{model}` is a gpt2 model without an encoder; lastmile trains encoder-decoders (bart, pegasus, t5, mt5). "
        "Choose one of these, e.g. `facebook/bart-base`"
    )


def test_a_model_that_is_not_there(run, small, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    told = refusal(run, "--recipe", small, "--model", "facebook/bart-base", "--out", "one")
    assert told.startswith("`facebook/bart-base` is neither a folder here nor a model that could be fetched: ")
    assert told.endswith("Without network, set HF_HUB_OFFLINE=1 and use a model that is in the cache")
    assert "\n" not in told


def test_a_column_that_is_not_there(run, small, here):
    write_rows(here / "my.jsonl", [{"body": "A document.", "note": "A summary."}] * 3)
    told = refusal(run, "--recipe", small, "--data", "my.jsonl", "--document-column", "bodi")
    assert told.startswith("my.jsonl: no column `bodi`. Did you mean `body`?")


def test_bad_rows_are_told_by_line_and_leave_no_run(run, small, here):
    rows = [{"document": f"Document {n}.", "summary": f"Summary {n}."} for n in range(30)]
    rows[4]["document"] = rows[9]["document"] = " "
    write_rows(here / "my.jsonl", rows)
    told = refusal(run, "--recipe", small, "--data", "my.jsonl").split("\n")
    assert [line.split(":")[0] for line in told[:2]] == ["my.jsonl line 5", "my.jsonl line 10"]


def test_row23_a_reward_that_raises_is_one_sentence_and_debug_shows_where(run, small, here):
    (here / "mine.py").write_text(
        "def grumble(examples, summaries):\n"
        "    if any(text not in e.targets for e, text in zip(examples, summaries)):\n"
        "        raise KeyError('teapot')\n"
        "    return [1.0] * len(summaries)\n"
    )
    arguments = ["--recipe", small, "rewards=[{kind: python, path: 'mine:grumble'}]", "likelihood.epochs=0"]
    status, out, err = run("tune", *arguments, "--out", "one")
    assert (status, out) == (1, "") and "Traceback" not in err
    last = err.splitlines()[-1]
    assert last.startswith("reward `grumble` raised KeyError: 'teapot' on document `train-")
    assert last.endswith("`. `lastmile tune --resume one` goes on from the last validation")
    (here / "mine.py").write_text("def grumble(examples, summaries):\n    return [1.0] * len(summaries)\n")


@pytest.mark.parametrize(
    ("data", "folder"),
    [("a/b/my.data.jsonl", "my-rloo-seed1"), ("owner/name#500", "name-rloo-seed1"), (".", "here-rloo-seed1")],
)
def test_a_run_is_named_after_its_data(data, folder):
    assert default_folder(small_recipe(data)) == Path("runs", folder)


def test_models_and_data_come_from_the_hub_and_then_from_the_cache(hub, tmp_path, here):
    """The real client against a loopback server; then without a network."""
    articles = tmp_path / "articles"
    for split, count in (("train", 50), ("validation", 3), ("test", 3)):
        rows = [{"article": f"Story {n} of {split}.", "highlights": f"It is {n} .", "id": f"{n}"} for n in range(count)]
        (articles / "3.0.0").mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(rows), articles / "3.0.0" / f"{split}-00000-of-00001.parquet")
    files = "".join(f"  - {{split: {split}, path: 3.0.0/{split}-*}}\n" for split in ("train", "validation", "test"))
    (articles / "README.md").write_text(f"---\nconfigs:\n- config_name: 3.0.0\n  data_files:\n{files}---\n")
    hub.add("datasets", "abisee/cnn_dailymail", articles)
    hub.add("models", "tiny/bart", tiny_checkpoint())
    recipe = small_recipe("cnn_dm", "policy_gradient.steps=1", "likelihood.epochs=0.2")
    (here / "small.yaml").write_text(dump_recipe(recipe))

    def tune(out: str, **more: str) -> RunFolder:
        command = ["tune", "--recipe", "small.yaml", "--data", "cnn_dm#40", "--model", "tiny/bart", "--out", out]
        environment = hub.environment(tmp_path, **more)
        done = subprocess.run(
            [sys.executable, "-m", "lastmile", *command], env=environment, capture_output=True, text=True, timeout=400
        )
        assert done.returncode == 0, done.stderr
        return RunFolder.open(here / out)

    online = tune("online")
    assert online.manifest["data"]["train"] == 40
    assert any("/tiny/bart/resolve/" in request for request in hub.requests)
    hub.stop()
    offline = tune("offline", HF_HUB_OFFLINE="1")
    assert metrics(online) == metrics(offline) and len(metrics(online, "policy_gradient", "train")) == 1
    assert online.manifest["weights"] == offline.manifest["weights"]


def test_help_teaches(run):
    status, out, _ = run("tune", "--help")
    assert status == 0
    for word in ("--data", "--resume", "--model", "Example:", "lastmile compare RUN"):
        assert word in " ".join(out.replace("│", " ").split())

"""`lastmile compare`, from outside."""

from __future__ import annotations

import json
import shutil

import pytest
from small import finished_run, write_rows


@pytest.fixture
def finished(tmp_path):
    return shutil.copytree(finished_run().path, tmp_path / "run-1")


def test_one_run(run, finished):
    status, out, err = run("compare", finished)
    assert status == 0, err
    assert "policy gradient + post" in out and "lead-3" in out and "rougeL" not in err
    assert err.endswith(f"Report: {finished / 'report' / 'report.html'}\n")
    report = finished / "report"
    assert sorted(path.name for path in report.iterdir()) == [
        "report.html",
        "report.json",
        "report.md",
        "summaries.jsonl",
    ]
    tree = json.loads((report / "report.json").read_text())
    assert tree["documents"] == 6
    assert tree["signature"]["decoding"]["num_beams"] == 1
    assert "policy gradient" in (report / "report.html").read_text()


def test_json_is_all_that_stdout_gets_and_settings_change(run, finished, tmp_path):
    theirs = write_rows(tmp_path / "theirs.jsonl", [{"summary": f"Summary {n}."} for n in range(6)])
    other = shutil.copytree(finished_run(2).path, tmp_path / "run-2")
    command = ["compare", finished, other, "--json", "--predictions", f"theirs={theirs}", "--out", tmp_path / "report"]
    command += ["--set", "compare.decoding.num_beams=2", "--set", "compare.rerank_candidates=0"]
    status, out, err = run(*command)
    assert status == 0, err
    tree = json.loads(out)
    assert tree == json.loads((tmp_path / "report" / "report.json").read_text())
    assert tree["signature"]["decoding"]["num_beams"] == 2
    names = [system["name"] for system in tree["systems"]]
    assert "theirs" in names and "likelihood n-best" not in names
    assert len([row for row in tree["runs"] if row["name"] == "policy gradient"]) == 2
    assert not (finished / "report").exists()
    status, again, err = run(*command)
    assert json.loads(again) == tree and "documents decoded" not in err


def test_refusals(run, finished, tmp_path):
    def refusal(*arguments) -> str:
        status, out, err = run("compare", *arguments)
        assert (status, out) == (2, ""), err
        return err.rstrip("\n")

    assert refusal(tmp_path) == f"`{tmp_path}` is not a run: it has no recipe.yaml. `lastmile tune` makes one"
    assert refusal(finished, "--set", "seed=2") == "`seed=2`: only `compare.…` settings can change after training"
    assert refusal(finished, "--set", "compare.beams=2") == f"{finished}: `compare.beams`: unknown key."
    assert refusal(finished, "--predictions", "theirs.txt") == "`--predictions theirs.txt`: written `NAME=FILE`"
    missing = tmp_path / "missing.txt"
    assert refusal(finished, "--predictions", f"theirs={missing}") == f"{missing}: no such file"
    manifest = json.loads((finished / "manifest.json").read_text())
    del manifest["stages"]["policy_gradient"]
    (finished / "manifest.json").write_text(json.dumps(manifest))
    assert refusal(finished) == (f"`{finished}` is not finished. Continue it with `lastmile tune --resume {finished}`")
    assert not (finished / "report").exists() and not (finished / "decoded").exists()

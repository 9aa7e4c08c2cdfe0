"""`lastmile summarize`, from outside."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from small import finished_run, tiny_checkpoint, write_articles


@pytest.fixture
def articles(tmp_path) -> Path:
    return write_articles(tmp_path / "articles.jsonl")


def rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def test_the_command_writes_as_the_run_decodes(run, articles, tmp_path):
    finished, out = finished_run(), tmp_path / "out.jsonl"
    status, stdout, err = run("summarize", "--model", finished.path, articles, "--out", out, "--post")
    assert (status, stdout) == (0, ""), err
    assert err.endswith(f"{out}: 7 summaries, 7 of them written now\n")
    found = rows(out)
    assert {row["model"] for row in found} == {finished.manifest["weights"]["best"][:12]}
    assert all("changed" in row for row in found)
    assert run("summarize", "--model", finished.path, articles, "--out", out, "--post")[2].endswith(
        f"{out}: 7 summaries, 0 of them written now\n"
    )
    status, _, err = run("summarize", "--model", finished.path, articles, "--out", out, "--num-beams", "2", "--post")
    assert status == 2 and "with other settings" in err


def test_the_command_refuses_in_words(run, articles, tmp_path):
    out = tmp_path / "out.jsonl"
    status, _, err = run("summarize", "--model", tmp_path / "nothing", articles, "--out", out)
    assert status == 2 and err.startswith(f"`{tmp_path / 'nothing'}` is neither a folder here nor a model ")
    status, _, err = run("summarize", "--model", tiny_checkpoint(), tmp_path / "nothing.jsonl", "--out", out)
    assert status == 2 and err == f"{tmp_path / 'nothing.jsonl'}: no such file\n"
    status, _, err = run("summarize", "--model", tiny_checkpoint(), articles, "--out", out, "--num-beams", "0")
    assert status == 2 and "--num-beams" in err and "Traceback" not in err
    assert not out.exists()

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from deaths import dying_summarize
from small import taught_checkpoint, tiny_checkpoint, write_articles, write_rows
from tiny import SENTENCES

import lastmile.ship.summarize
from lastmile.config import Data, Decoding
from lastmile.corpus.sources import load_documents
from lastmile.errors import InputError, RunError
from lastmile.judge.profile import TargetProfile
from lastmile.policy.load import load_policy, weights_hash
from lastmile.ship.summarize import summarize

DECODING = Decoding(max_new_tokens=12, batch_size=2)


@pytest.fixture
def articles(tmp_path) -> Path:
    """Seven documents."""
    return write_articles(tmp_path / "articles.jsonl")


def write(articles: Path, out: Path, decoding: Decoding = DECODING, model: Path | None = None, **more) -> int:
    policy = load_policy(str(model or taught_checkpoint()))
    data = Data(name="articles", max_document_tokens=64, **more.pop("data", {}))
    return summarize(policy, load_documents(articles), out, decoding, data, progress=False, **more)


def rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def test_records_come_in_the_order_of_the_documents(articles, tmp_path):
    assert write(articles, tmp_path / "new" / "out.jsonl") == 7
    found = rows(tmp_path / "new" / "out.jsonl")
    assert [row["id"] for row in found] == [f"a{n}" for n in range(7)]
    assert found[0].keys() == {"id", "summary", "ended", "model", "settings"}
    assert {row["model"] for row in found} == {weights_hash(load_policy(str(taught_checkpoint())))[:12]}
    assert len({row["summary"] for row in found}) == 3
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["out.jsonl"]


def test_killed_and_called_again_it_goes_on(articles, tmp_path, monkeypatch):
    write(articles, tmp_path / "whole.jsonl")
    out = tmp_path / "out.jsonl"
    process = dying_summarize(2, taught_checkpoint(), articles, out, DECODING)
    process.join(120)
    assert process.exitcode == -signal.SIGKILL
    assert not out.exists()
    written = []
    real = lastmile.ship.summarize.decode_batch
    monkeypatch.setattr(
        lastmile.ship.summarize,
        "decode_batch",
        lambda policy, batch, settings: written.append(len(batch.examples)) or real(policy, batch, settings),
    )
    assert write(articles, out) == 3 and written == [2, 1]
    assert out.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert not out.with_name("out.jsonl.partial").exists()
    assert write(articles, out) == 0 and written == [2, 1]


def test_new_documents_alone_are_written(articles, tmp_path):
    out = tmp_path / "out.jsonl"
    write(articles, out)
    before = rows(out)
    more = [{"id": "new", "document": SENTENCES[0]}, *(json.loads(line) for line in articles.read_text().splitlines())]
    assert write(write_rows(tmp_path / "more.jsonl", more), out) == 1
    assert rows(out)[1:] == before and rows(out)[0]["id"] == "new"


def test_what_another_model_or_other_settings_wrote_is_refused(articles, tmp_path):
    out = tmp_path / "out.jsonl"
    write(articles, out)
    before = out.read_bytes()
    mine, theirs = (weights_hash(load_policy(str(m)))[:12] for m in (taught_checkpoint(), tiny_checkpoint("t5")))
    with pytest.raises(InputError) as error:
        write(articles, out, model=tiny_checkpoint("t5"))
    assert str(error.value) == f"`{out}` holds summaries of model {mine}, not of {theirs}. Choose another `--out`"
    other = {"decoding": Decoding(max_new_tokens=5)}, {"data": {"prefix": "summarize: "}}
    for change in (*other, {"rules": ["whitespace"], "profile": TargetProfile.neutral(cased=True)}):
        with pytest.raises(InputError) as error:
            write(articles, out, **change)
        assert str(error.value) == (
            f"`{out}` holds summaries of the same model with other settings (decoding, token limits, "
            "post-processing). Repeat those, or choose another `--out`"
        )
    assert write(articles, out, Decoding(max_new_tokens=12, batch_size=5)) == 0
    assert out.read_bytes() == before


def test_a_file_of_something_else_is_refused(articles, tmp_path):
    for text in ("Dear diary,\nit rained.\n", "[1, 2]\n[3]\n", '{"summary": "a"}\n'):
        (tmp_path / "diary.jsonl").write_text(text)
        with pytest.raises(InputError) as error:
            write(articles, tmp_path / "diary.jsonl")
        assert str(error.value) == (
            f"{tmp_path / 'diary.jsonl'} line 1: was not written by `summarize`. Choose another `--out`"
        )
        assert (tmp_path / "diary.jsonl").read_text() == text


def test_line_breaks_of_unicode_stay_inside_their_record(articles, tmp_path, monkeypatch):
    real = lastmile.ship.summarize.decode_batch

    def odd(policy, batch, settings):
        return [type(s)(f"one\u2028two\x85{s.text}") for s in real(policy, batch, settings)]

    monkeypatch.setattr(lastmile.ship.summarize, "decode_batch", odd)
    assert write(articles, tmp_path / "out.jsonl") == 7
    assert write(articles, tmp_path / "out.jsonl") == 0
    assert all(row["summary"].startswith("one\u2028two\x85") for row in rows(tmp_path / "out.jsonl"))


def test_post_processing_says_what_it_changed(articles, tmp_path):
    neutral = TargetProfile.neutral(cased=True)
    write(articles, tmp_path / "out.jsonl", rules=["unfinished"], profile=neutral)
    write(articles, tmp_path / "raw.jsonl")
    pairs = list(zip(rows(tmp_path / "out.jsonl"), rows(tmp_path / "raw.jsonl"), strict=True))
    assert all((post["summary"] != raw["summary"]) == (post["changed"] == ["unfinished"]) for post, raw in pairs)
    assert all(post["changed"] in ([], ["unfinished"]) for post, _ in pairs)


def test_a_folder_that_cannot_be_written_to(articles, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="file: cannot be written: "):
        write(articles, tmp_path / "file" / "out.jsonl")


def test_another_engine_writes_the_same_summaries(articles, tmp_path):
    pytest.importorskip("ctranslate2")
    write(articles, tmp_path / "ours.jsonl")
    write(articles, tmp_path / "theirs.jsonl", DECODING.model_copy(update={"engine": "ctranslate2"}))
    ours, theirs = rows(tmp_path / "ours.jsonl"), rows(tmp_path / "theirs.jsonl")
    assert [row["summary"] for row in ours] == [row["summary"] for row in theirs]
    assert ours[0]["settings"] != theirs[0]["settings"]

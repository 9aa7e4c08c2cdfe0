"""`lastmile flag`: every row keeps its place and gains its flags; bad rows are named by line."""

import gzip
import json

import pytest

ROWS = [
    {"id": 1, "source": "A storm hit the coast.", "summary": "A storm storm hit Oslo.", "target": "A storm hit."},
    {"id": 2, "document": "Été : 20 boats sank.", "summary": "Été. Twenty boats sank", "ended": False},
    {"id": 3, "source": "Rain.", "summary": ""},
]


def write(path, rows):
    lines = (row if isinstance(row, str) else json.dumps(row) for row in rows)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def read(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_rows_gain_their_flags(run, tmp_path):
    file, out = write(tmp_path / "in.jsonl", ROWS), tmp_path / "new folder" / "out.jsonl"
    status, stdout, stderr = run("flag", file, "--out", out)
    assert status == 0, stderr
    written = read(out)
    assert [{k: v for k, v in row.items() if k != "flags"} for row in written] == ROWS
    found = [[(flag["name"], flag["text"]) for flag in row["flags"]] for row in written]
    # The one target has three words, and copies three.
    assert found[0] == [("length", ""), ("repetition", "storm"), ("unsupported_entity", "Oslo")]
    assert found[1] == [("length", ""), ("unfinished", "sank")]
    assert found[2] == [("empty", "")]
    for row in written:
        for flag in row["flags"]:
            assert set(flag) == {"name", "start", "end", "text", "evidence"}
            assert row["summary"][flag["start"] : flag["end"]] == flag["text"]
    assert "Été" in out.read_text(encoding="utf-8"), "written as people read it"
    assert "repetition" in stdout and "33.3 %" in stdout
    assert "3 summaries, names by their capitals" in stderr
    assert list(out.parent.iterdir()) == [out], "nothing left aside"


def test_json_counts_and_chosen_flags(run, tmp_path):
    file, out = write(tmp_path / "in.jsonl", ROWS), tmp_path / "out.jsonl"
    status, stdout, _ = run("flag", file, "--out", out, "--json", "--flags", "repetition, empty")
    assert status == 0
    assert json.loads(stdout) == {
        "summaries": 3,
        "flagged": {"repetition": 1, "empty": 1},
        "rates": {"repetition": 1 / 3, "empty": 1 / 3},
        "spans": {"repetition": 1, "empty": 1},
    }
    assert [len(row["flags"]) for row in read(out)] == [1, 0, 1]


def test_without_case_names_are_learnt_from_the_documents(run, tmp_path):
    documents = ["We saw Oslo. Then Oslo saw us.", "It rained."]
    rows = [{"source": text, "summary": "it rained in oslo."} for text in documents]
    status, _, stderr = run("flag", write(tmp_path / "in.jsonl", rows), "--out", tmp_path / "out.jsonl")
    assert (status, "all in lower case: 1 names learnt" in stderr) == (0, True)
    found = [[flag["name"] for flag in row["flags"]] for row in read(tmp_path / "out.jsonl")]
    assert found[1] == ["unsupported_entity"]
    assert "unsupported_entity" not in found[0]


def test_gzip_both_ways_and_in_place(run, tmp_path):
    file = tmp_path / "rows.jsonl.gz"
    with gzip.open(file, "wt", encoding="utf-8") as lines:
        lines.writelines(json.dumps(row) + "\n" for row in ROWS)
    assert run("flag", file, "--out", file)[0] == 0
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        assert all("flags" in json.loads(line) for line in lines)


def test_a_row_with_half_a_character_elsewhere_survives(run, tmp_path):
    file = write(tmp_path / "in.jsonl", ['{"source": "Rain.", "summary": "Rain.", "note": "\\ud800"}'])
    assert run("flag", file, "--out", tmp_path / "out.jsonl")[0] == 0
    assert read(tmp_path / "out.jsonl")[0]["note"] == "\ud800"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ('{"source": "a", "summary"', "not readable as JSON"),
        ({"summary": "a"}, "a document is wanted: `document` or `source`"),
        ({"source": "a"}, "a `summary` is wanted, got none"),
        ({"source": " ", "summary": "a"}, "`source` is empty"),
        ({"source": "a", "summary": None}, "`summary` must be text, got NoneType"),
        ({"document": 3, "summary": "a"}, "`document` must be text, got int"),
        ('{"source": "a", "summary": "\\ud800"}', "`summary` holds half a character (a lone surrogate)"),
    ],
)
def test_bad_rows_are_named_and_nothing_is_written(run, tmp_path, row, message):
    file = write(tmp_path / "in.jsonl", [ROWS[0], "", row, row])
    status, stdout, stderr = run("flag", file, "--out", tmp_path / "out.jsonl")
    assert (status, stdout) == (2, "")
    for number, line in zip((3, 4), stderr.splitlines(), strict=True):
        assert line.startswith(f"in.jsonl line {number}: {message}")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl"]


def test_other_bad_input(run, tmp_path):
    file = write(tmp_path / "in.jsonl", ROWS)
    out = tmp_path / "out.jsonl"
    assert run("flag", tmp_path / "none.jsonl", "--out", out)[::2] == (2, f"{tmp_path}/none.jsonl: no such file\n")
    assert run("flag", write(tmp_path / "empty.jsonl", []), "--out", out)[2] == (
        "empty.jsonl: at least one row is wanted, got none\n"
    )
    status, _, stderr = run("flag", file, "--out", out, "--flags", "emty,repetition")
    assert (status, stderr.splitlines()[0]) == (2, "`emty`: no such flag. Did you mean `empty`?")
    assert stderr.splitlines()[1].startswith("Flags: repetition, unsupported_entity, ")
    assert run("flag", file, "--out", out, "--flags", ",")[2].startswith("no flag named\nFlags: ")
    assert not out.exists()


def test_an_output_that_cannot_be_written(run, tmp_path):
    file = write(tmp_path / "in.jsonl", ROWS)
    (tmp_path / "taken").write_text("")
    status, _, stderr = run("flag", file, "--out", tmp_path / "taken" / "out.jsonl")
    assert status == 1
    assert f"{tmp_path}/taken/out.jsonl: cannot be written: " in stderr

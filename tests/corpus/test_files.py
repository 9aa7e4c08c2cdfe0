from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lastmile.corpus.files import Problem, Row, file_format, read_rows, refuse
from lastmile.errors import InputError

ROWS = [
    {"article": "Grüße aus Köln.", "highlights": "Grüße."},
    {"article": 'Line\nbreak, "quoted".', "highlights": "b"},
]


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def as_parquet() -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(ROWS), sink)
    return sink.getvalue().to_pybytes()


CONTENTS = {
    ".jsonl": "\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS).encode(),
    ".json": json.dumps(ROWS, indent=2).encode(),
    ".csv": 'article,highlights\nGrüße aus Köln.,Grüße.\n"Line\nbreak, ""quoted"".",b\n'.encode(),
    ".parquet": as_parquet(),
}


def problems(path: Path) -> list[str]:
    return [str(item) for item in read_rows(path) if isinstance(item, Problem)]


@pytest.mark.parametrize("packed", ["", ".gz"])
@pytest.mark.parametrize("ending", CONTENTS)
def test_every_format_gives_the_same_rows(tmp_path, ending, packed):
    path = write(tmp_path / f"data{ending}{packed}", CONTENTS[ending])
    assert [item.fields for item in read_rows(path)] == ROWS


@pytest.mark.parametrize("ending", [".jsonl", ".json", ".csv"])
def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path, ending):
    path = write(tmp_path / f"data{ending}", b"\xef\xbb\xbf" + CONTENTS[ending])
    assert [item.fields for item in read_rows(path)] == ROWS


def test_rows_know_their_place(tmp_path):
    lines = write(tmp_path / "a.jsonl", b'{"a": 1}\n\n{"a": 2}\n')
    assert [row.where for row in read_rows(lines)] == ["a.jsonl line 1", "a.jsonl line 3"]
    table = write(tmp_path / "a.csv", b'x,y\n"1\n2",3\n\n4,5\n')
    assert [row.where for row in read_rows(table)] == ["a.csv line 2", "a.csv line 5"]
    assert [row.where for row in read_rows(write(tmp_path / "a.json", b'[{"a": 1}]'))] == ["a.json row 1"]


def test_json_lines_under_a_json_name_are_read_as_lines(tmp_path):
    path = write(tmp_path / "a.json", CONTENTS[".jsonl"])
    assert [row.fields for row in read_rows(path)] == ROWS


def test_broken_json_is_named_by_line_and_reading_goes_on(tmp_path):
    path = write(tmp_path / "train.jsonl", b'{"a": 1}\n{"a": \n[1, 2]\n{"a": 4}\n')
    assert problems(path) == [
        "train.jsonl line 2: not readable as JSON: expecting value at character 6",
        "train.jsonl line 3: a row must be a JSON object, got [1, 2]",
    ]
    assert [item.fields for item in read_rows(path) if isinstance(item, Row)] == [{"a": 1}, {"a": 4}]


def test_broken_json_document_is_named_by_line(tmp_path):
    path = write(tmp_path / "train.json", b'[\n{"a": 1},\n{"a" 2}]')
    assert problems(path) == ["train.json line 3: not readable as JSON: expecting ':' delimiter at character 6"]


@pytest.mark.parametrize(
    ("name", "data", "place"),
    [
        ("a.jsonl", b'{"a": "fine"}\n{"a": "caf\xe9"}\n', "line 2: byte 11 of the line"),
        ("a.json", b'[\n{"a": "caf\xe9"}]', "line 2: byte 11 of the line"),
        ("a.csv", b"x,y\n1,2\ncaf\xe9,2\n", "line 3: byte 4 of the line"),
    ],
)
def test_wrong_encoding_is_named_by_line_and_byte(tmp_path, name, data, place):
    assert problems(write(tmp_path / name, data)) == [f"{name} {place} (0xe9) is not UTF-8. Save the file as UTF-8"]


def test_broken_csv(tmp_path):
    path = write(tmp_path / "a.csv", b'x,y\n1,2\n1,2,3\n"open,2\n')
    assert problems(path) == [
        "a.csv line 3: has 3 fields, the header has 2",
        "a.csv line 4: not readable as CSV: unexpected end of data",
    ]


def test_csv_fields_above_the_default_limit_are_read(tmp_path):
    path = write(tmp_path / "a.csv", b"x,y\n" + b"a" * 200_000 + b",2\n")
    assert [len(row.fields["x"]) for row in read_rows(path)] == [200_000]


def test_damaged_files(tmp_path):
    whole = gzip.compress(CONTENTS[".jsonl"])
    (tmp_path / "cut.jsonl.gz").write_bytes(whole[:-9])
    assert problems(tmp_path / "cut.jsonl.gz")[-1].startswith("cut.jsonl.gz: not readable as gzip: ")
    (tmp_path / "no.jsonl.gz").write_bytes(b"plain")
    assert problems(tmp_path / "no.jsonl.gz")[0].startswith("no.jsonl.gz: not readable as gzip: ")
    (tmp_path / "a.parquet").write_bytes(b"PAR1 but not really")
    assert problems(tmp_path / "a.parquet")[0].startswith("a.parquet: not readable as Parquet after row 0: ")


def test_files_that_are_not_there_or_not_known(tmp_path):
    with pytest.raises(InputError, match=r"gone\.jsonl: no such file$"):
        list(read_rows(tmp_path / "gone.jsonl"))
    with pytest.raises(InputError, match=r"must end in one of \.jsonl, \.json, \.csv, \.parquet \(or the same with"):
        list(read_rows(write(tmp_path / "a.txt", b"x")))
    assert file_format(Path("A.JSONL.GZ")) == ".jsonl"


def test_all_problems_at_once_but_not_endlessly():
    refuse([])
    with pytest.raises(InputError) as caught:
        refuse(Problem("empty", f"a.jsonl line {line}", "`document` is empty") for line in range(1, 24))
    lines = str(caught.value).split("\n")
    assert len(lines) == 21
    assert lines[19:] == ["a.jsonl line 20: `document` is empty", "and 3 more"]

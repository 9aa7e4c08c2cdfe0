import gzip
import json

import pytest

from lastmile.compare.read import file_hash, read_documents, read_predictions, read_targets
from lastmile.errors import InputError
from lastmile.records import Summary


def write(path, text):
    data = text.encode() if isinstance(text, str) else text
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def rows(path, *fields):
    return write(path, "".join(json.dumps(row) + "\n" for row in fields))


def test_one_a_line_keeps_empty_lines_and_rare_line_breaks(tmp_path):
    text = "first\n\nthird \u2028 goes on \x0b and on\r\nlast"
    for name in ("p.txt", "p.txt.gz"):
        found = read_predictions(write(tmp_path / name, text))
        assert [summary.text for summary in found] == ["first", "", "third \u2028 goes on \x0b and on", "last"]
    assert len(read_predictions(write(tmp_path / "q.txt", text + "\n"))) == 4
    assert read_predictions(write(tmp_path / "none.txt", "")) == []


def test_rows_with_named_fields(tmp_path):
    path = rows(tmp_path / "p.jsonl", {"prediction": "a", "summary": "target"}, {"summary": "b", "ended": False})
    assert read_predictions(path) == [Summary("a"), Summary("b", ended=False)]
    path = rows(tmp_path / "t.jsonl", {"summary": "a"}, {"summary": "a", "references": ["a", "b"]}, {"targets": ["c"]})
    assert read_targets(path) == [("a",), ("a", "b"), ("c",)]
    path = rows(tmp_path / "d.jsonl.gz", {"document": "a"}, {"dialogue": "b"}, {"source": "c"})
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())))
    assert read_documents(path) == ["a", "b", "c"]


def test_missing_fields_are_told_all_at_once(tmp_path):
    path = rows(tmp_path / "p.jsonl", {"x": "a"}, {"summary": "b"}, {"summary": 3})
    with pytest.raises(InputError) as error:
        read_predictions(path)
    wanted = "a prediction is wanted: one of `prediction`, `summary`, `output`, `generated`, `text`"
    assert str(error.value) == f"p.jsonl line 1: {wanted}\np.jsonl line 3: {wanted}"
    with pytest.raises(InputError, match=r"p\.jsonl line 1: a target is wanted, got none"):
        read_targets(path)
    with pytest.raises(InputError, match=r"d\.txt line 2: a document is wanted, got none"):
        read_documents(write(tmp_path / "d.txt", "a\n \nb\n"))
    with pytest.raises(InputError, match=r"t\.txt line 2: a target is wanted, got none"):
        read_targets(write(tmp_path / "t.txt", "a\n\nb\n"))


def test_broken_rows_are_told_with_their_line(tmp_path):
    with pytest.raises(InputError, match=r"b\.jsonl line 2: not readable as JSON"):
        read_predictions(write(tmp_path / "b.jsonl", '{"summary": "a"}\n{"summary": \n'))


@pytest.mark.parametrize(
    ("name", "data", "wanted"),
    [
        ("x.txt", None, "x.txt: no such file"),
        ("x.txt", b"fine\n\xff\n", "x.txt line 2: not UTF-8. Save the file as UTF-8"),
        ("x.txt.gz", b"not gzip", "x.txt.gz: not readable as gzip"),
    ],
)
def test_unreadable_files(tmp_path, name, data, wanted):
    path = tmp_path / name
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(InputError) as error:
        read_predictions(path)
    assert str(error.value) == f"{tmp_path}/{wanted}"


def test_a_cut_off_gzip_file_is_told(tmp_path):
    path = write(tmp_path / "x.txt.gz", "some text\n" * 100)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match="not readable as gzip: the file is cut off or damaged"):
        read_predictions(path)


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(InputError, match="Is a directory"):
        read_predictions(tmp_path)


def test_hash_is_of_the_bytes(tmp_path):
    path = write(tmp_path / "x.txt", "abc")
    assert file_hash(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

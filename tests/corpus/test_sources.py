from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from lastmile.config import Data
from lastmile.corpus.sources import find_sources, load_corpus, load_documents, split_name
from lastmile.errors import InputError
from lastmile.records import Example


def rows(name: str, count: int) -> list[dict]:
    return [{"id": f"{name}{n}", "article": f"{name} article {n}.", "highlights": f"{name} {n}."} for n in range(count)]


def write(path: Path, found: list[dict]) -> Path:
    text = "".join(json.dumps(row) + "\n" for row in found)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.fixture
def folder(tmp_path) -> Path:
    for name, count in (("train", 40), ("dev", 10), ("test", 10)):
        write(tmp_path / "mine" / f"{name}.jsonl.gz", rows(name, count))
    (tmp_path / "mine" / "README.md").write_text("not data")
    return tmp_path / "mine"


def refused(data: Data | str, **options) -> str:
    with pytest.raises(InputError) as caught:
        load_corpus(data if isinstance(data, Data) else Data(name=data), **options)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_a_folder(folder, capsys):
    corpus = load_corpus(Data(name=str(folder)))
    assert (corpus.name, len(corpus.train), len(corpus.validation), len(corpus.test)) == (str(folder), 40, 10, 10)
    assert corpus.test[3] == Example("test3", "test article 3.", ("test 3.",))
    assert capsys.readouterr().err == ""


def test_the_fingerprint_is_of_the_content(folder, tmp_path):
    first = load_corpus(Data(name=str(folder))).fingerprint
    assert len(first) == 64 and load_corpus(Data(name=str(folder))).fingerprint == first
    folder.rename(tmp_path / "elsewhere")
    assert load_corpus(Data(name=str(tmp_path / "elsewhere"))).fingerprint == first
    write(tmp_path / "elsewhere" / "test.jsonl.gz", [*rows("test", 9), {"article": "new", "highlights": "new"}])
    changed = load_corpus(Data(name=str(tmp_path / "elsewhere")))
    assert changed.fingerprint != first and changed.test[9].document == "new"


def test_a_subset_is_taken_of_every_split(folder):
    corpus = load_corpus(Data(name=f"{folder}#8"), seed=3)
    assert [len(split) for split in (corpus.train, corpus.validation, corpus.test)] == [8, 8, 8]
    assert len(load_corpus(Data(name=f"{folder}#20")).test) == 10
    assert split_name("a#b#7") == ("a#b", 7)
    for wrong in ("demo#", "demo#0", "demo#ten"):
        assert refused(wrong) == (
            f"`{wrong}`: after `#` stands how many examples to take of each split, e.g. `demo#500`"
        )


def test_a_file_alone_is_split_and_says_so(tmp_path, capsys):
    path = write(tmp_path / "all.jsonl", rows("a", 100))
    corpus = load_corpus(Data(name=str(path)))
    assert [len(split) for split in (corpus.train, corpus.validation, corpus.test)] == [90, 5, 5]
    assert capsys.readouterr().err == (
        f"{path}: has no validation or test split; taken from train by document, seed 1: "
        "90 train, 5 validation, 5 test\n"
    )
    assert load_corpus(Data(name=str(path))).fingerprint == corpus.fingerprint
    assert load_corpus(Data(name=str(path)), seed=2).fingerprint != corpus.fingerprint


def test_shards_are_one_split(tmp_path):
    for shard in range(2):
        write(tmp_path / "f" / f"train-0000{shard}-of-00002.jsonl", rows(f"s{shard}-", 30))
    corpus = load_corpus(Data(name=str(tmp_path / "f")))
    assert len(corpus.train) + len(corpus.validation) + len(corpus.test) == 60


def test_columns_by_name(tmp_path):
    path = write(tmp_path / "a.jsonl", [{"body": f"b{n}", "gist": f"g{n}"} for n in range(9)])
    corpus = load_corpus(Data(name=str(path), document_column="body", summary_column="gist"))
    assert corpus.train[0].document.startswith("b") and corpus.train[0].target.startswith("g")
    assert refused(Data(name=str(path), document_column="bdy", summary_column="gist")) == (
        "a.jsonl: no column `bdy`. Did you mean `body`? Columns found: `body`, `gist`"
    )


def test_all_bad_rows_are_told_at_once_and_nothing_is_kept(folder, capsys):
    bad = rows("train", 30)
    bad[16]["article"] = "  "
    bad[18]["highlights"] = None
    write(folder / "train.jsonl", bad)
    (folder / "train.jsonl.gz").unlink()
    with (folder / "train.jsonl").open("ab") as file:
        file.write(b'{"article": \n{"article": "caf\xe9"}\n')
    write(folder / "test.jsonl.gz", [{"article": "a", "highlights": 5}])
    expected = (
        "train.jsonl line 17: `article` is empty\n"
        "train.jsonl line 19: `highlights` is empty\n"
        "train.jsonl line 31: not readable as JSON: expecting value at character 12\n"
        "train.jsonl line 32: byte 17 of the line (0xe9) is not UTF-8. Save the file as UTF-8\n"
        "test.jsonl.gz line 1: `highlights` must be text, got int"
    )
    assert refused(str(folder)) == expected
    assert refused(str(folder)) == expected


def test_a_folder_without_a_train_file(folder):
    (folder / "train.jsonl.gz").unlink()
    assert refused(str(folder)) == f"{folder}: no train split. Found only: validation, test"
    corpus = load_corpus(Data(name=str(folder)), splits=("test",))
    assert [len(split) for split in (corpus.train, corpus.validation, corpus.test)] == [0, 10, 10]


def test_a_folder_without_data(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    assert refused(str(tmp_path)) == (
        f"{tmp_path}: no train file. A folder holds files called train, validation (or dev) and test, each .jsonl, "
        ".json, .csv, .parquet or one of these with .gz; found `notes.txt`"
    )


def test_two_files_for_one_split(folder):
    write(folder / "validation.jsonl", rows("v", 2))
    assert refused(str(folder)) == (
        f"{folder}: several files for the validation split: `dev.jsonl.gz`, `validation.jsonl`. Keep one"
    )


def test_train_documents_in_test(folder):
    write(folder / "test.jsonl.gz", rows("train", 2))
    assert refused(str(folder)).startswith(
        f"{folder}: train and test share 2 documents (train.jsonl.gz line 1 = test.jsonl.gz line 1, "
    )
    assert len(load_corpus(Data(name=str(folder), shared_documents="drop")).train) == 38
    assert len(load_corpus(Data(name=str(folder), shared_documents="keep")).train) == 40


def test_names_that_are_nothing(tmp_path):
    assert refused("samsun").startswith("`samsun`: no such data. Did you mean `samsum`? Give a file, a folder, a hub")
    assert refused("gone.jsonl") == "gone.jsonl: no such file or folder"
    assert refused(str(tmp_path / "gone")) == f"{tmp_path}/gone: no such file or folder"
    (tmp_path / "notes.txt").write_text("x")
    assert "must end in one of .jsonl" in refused(str(tmp_path / "notes.txt"))
    assert refused(str(write(tmp_path / "empty.jsonl", []))) == "empty.jsonl: holds no rows"


def test_a_source_is_found_without_reading_it(folder):
    (folder / "train.jsonl.gz").write_bytes(b"damaged")
    assert list(find_sources(Data(name=str(folder)))) == ["train", "validation", "test"]
    assert refused(str(folder)).startswith("train.jsonl.gz: not readable as gzip")


def test_documents_to_summarize_need_no_targets(tmp_path):
    path = write(tmp_path / "new.jsonl", [{"id": "x", "text": "One."}, {"text": "Two."}])
    assert list(load_documents(path)) == [Example("x", "One."), Example("0000001", "Two.")]
    assert load_documents(path, document_column="text").where(1) == "new.jsonl line 2"


def test_documents_to_summarize_must_be_there(tmp_path):
    path = write(tmp_path / "new.jsonl", [{"text": ""}])
    with pytest.raises(InputError, match=r"^new\.jsonl line 1: `text` is empty$"):
        load_documents(path)
    with pytest.raises(InputError, match=r"no column `txt`. Did you mean `text`\?"):
        load_documents(path, document_column="txt")


def test_settings_that_do_not_apply_are_refused(folder):
    assert refused(Data(name=str(folder), config="a", revision="b")) == (
        f"{folder}: takes no `data.config` and no `data.revision`; leave out what does not apply"
    )
    assert refused(Data(name="demo#9", document_column="text")) == (
        "demo#9: takes no `data.document_column`; leave out what does not apply"
    )


def test_demo_is_cut_by_its_number():
    corpus = load_corpus(Data(name="demo#20"))
    assert [len(split) for split in (corpus.train, corpus.validation, corpus.test)] == [20, 20, 20]

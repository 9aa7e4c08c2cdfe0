from __future__ import annotations

import errno
import pickle

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastmile.corpus import splits
from lastmile.corpus.splits import (
    ArrowSplit,
    cached_split,
    document_hash,
    row_digest,
    split_fingerprint,
    write_split,
)
from lastmile.errors import RunError
from lastmile.records import Example

EXAMPLES = [Example(str(n), f"Document {n} ü.", (f"Target {n}.", "Other.")) for n in range(1200)]
texts = st.text(max_size=8)


@pytest.fixture
def split(tmp_path) -> ArrowSplit:
    write_split(tmp_path / "a.arrow", ((f"a.jsonl line {n + 1}", example) for n, example in enumerate(EXAMPLES)))
    return ArrowSplit(tmp_path / "a.arrow")


def test_examples_come_back_from_disk(split):
    assert len(split) == 1200
    assert list(split) == EXAMPLES
    assert split[-1] == EXAMPLES[-1]
    assert split.where(1199) == "a.jsonl line 1200"
    with pytest.raises(IndexError):
        split[1200]


def test_a_selection_is_a_split(split):
    part = split.select([5, 3, 700]).select([2, 0])
    assert list(part) == [EXAMPLES[700], EXAMPLES[5]]
    assert part.where(0) == "a.jsonl line 701"
    assert part.document_hashes.tolist() == [document_hash(EXAMPLES[n].document) for n in (700, 5)]
    assert list(split.select([])) == []


@given(st.lists(st.integers(0, 1199), max_size=30), st.booleans())
def test_a_pass_in_file_order_gives_what_indexing_gives(rows, in_order):
    cached = cached_split("same", lambda: (("", example) for example in EXAMPLES))
    part = cached.select(sorted(rows) if in_order else rows)
    assert list(part) == [part[index] for index in range(len(part))]


def test_a_split_travels_to_other_processes_by_its_path(split):
    sent = pickle.dumps(split.select([1, 2]))
    assert len(sent) < 1000
    assert list(pickle.loads(sent)) == EXAMPLES[1:3]


def test_the_fingerprint_is_of_the_rows_wherever_they_lie(split):
    assert split.fingerprint == split_fingerprint(EXAMPLES)
    assert split.select(range(10)).fingerprint == split_fingerprint(EXAMPLES[:10])
    assert split_fingerprint(EXAMPLES[:10]) != split_fingerprint(EXAMPLES[9::-1])


@given(st.lists(texts, min_size=1, max_size=4), st.lists(texts, min_size=1, max_size=4))
def test_digests_tell_examples_apart(one, other):
    examples = [Example("i", parts[0], tuple(parts[1:])) for parts in (one, other)]
    assert (row_digest(examples[0]) == row_digest(examples[1])) == (one == other)
    assert row_digest(Example("i", "d", facts={"a": ("b",)})) != row_digest(Example("i", "d", ("a", "b")))


def test_repeated_ids_are_made_unique(tmp_path):
    rows = [Example("a", "1"), Example("a", "2"), Example("a~2", "3"), Example("a", "4")]
    write_split(tmp_path / "a.arrow", (("", row) for row in rows))
    assert [example.id for example in ArrowSplit(tmp_path / "a.arrow")] == ["a", "a~2", "a~2~2", "a~3"]


def test_documents_are_the_same_whatever_their_white_space():
    assert document_hash("a  b\n c ") == document_hash("a b c") != document_hash("a bc")


def test_a_split_is_made_once(tmp_path):
    first = cached_split("key", lambda: [("line 1", EXAMPLES[0])])
    again = cached_split("key", lambda: pytest.fail("made twice"))
    assert list(first) == list(again) == EXAMPLES[:1]


def test_what_fails_leaves_nothing_behind(tmp_path):
    def broken():
        yield "line 1", EXAMPLES[0]
        raise KeyError("x")

    with pytest.raises(KeyError):
        cached_split("key", broken)
    assert [file for file in splits.cache_folder().rglob("*") if file.is_file()] == []


def test_a_damaged_file_of_the_cache_is_named():
    cached_split("key", lambda: [("line 1", EXAMPLES[0])])
    path = splits.cache_folder() / "corpus" / "key.arrow"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(RunError) as caught:
        cached_split("key", lambda: pytest.fail("made twice"))
    assert str(caught.value) == f"{path}: this file of the cache is damaged. Delete it and start again"


def test_a_full_disk_is_one_sentence_and_no_file(monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pa, "OSFile", full)
    with pytest.raises(RunError) as caught:
        cached_split("key", lambda: [("line 1", EXAMPLES[0])])
    folder = splits.cache_folder() / "corpus"
    assert str(caught.value) == (
        f"{folder}: cannot write the cache: No space left on device. "
        "Free some space, or set LASTMILE_CACHE to a folder elsewhere"
    )
    assert list(folder.iterdir()) == []


def test_the_cache_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.delenv("LASTMILE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert splits.cache_folder() == tmp_path / "lastmile"
    assert np.uint64(document_hash("a")) == document_hash("a")

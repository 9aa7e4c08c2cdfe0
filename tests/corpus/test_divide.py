from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastmile.corpus.divide import SPLITS, carve, draw, settle_shared, shared_documents
from lastmile.corpus.splits import ArrowSplit, cached_split
from lastmile.errors import InputError
from lastmile.records import Example


def split_of(name: str, *documents: str) -> ArrowSplit:
    rows = ((f"{name} line {n}", Example(str(n), document, ("t",))) for n, document in enumerate(documents, 1))
    return cached_split(hashlib.sha256(repr((name, documents)).encode()).hexdigest(), lambda: rows)


def documents(split: ArrowSplit) -> list[str]:
    return [example.document for example in split]


def test_shares_order_and_seed(capsys):
    train = split_of("a", *(f"d{n}" for n in range(200)))
    parts = carve({"train": train}, seed=1, name="a.jsonl")
    assert [len(parts[split]) for split in SPLITS] == [180, 10, 10]
    assert sorted(text for split in SPLITS for text in documents(parts[split])) == sorted(documents(train))
    assert capsys.readouterr().err == (
        "a.jsonl: has no validation or test split; taken from train by document, seed 1: "
        "180 train, 10 validation, 10 test\n"
    )
    again = carve({"train": split_of("b", *(f"d{n}" for n in reversed(range(200))))}, seed=1, name="b")
    assert set(documents(again["test"])) == set(documents(parts["test"]))
    other = carve({"train": train}, seed=2, name="a")
    assert set(documents(other["test"])) != set(documents(parts["test"]))


def test_only_what_is_absent_is_taken():
    test = split_of("t", "x", "y")
    parts = carve({"train": split_of("a", *(f"d{n}" for n in range(40))), "test": test}, seed=1, name="a")
    assert parts["test"] is test
    assert [len(parts["train"]), len(parts["validation"])] == [38, 2]


@given(st.lists(st.sampled_from("abcdefgh"), min_size=3, max_size=30).filter(lambda found: len(set(found)) > 2))
def test_equal_documents_stay_together_and_no_split_is_empty(rows):
    parts = carve({"train": split_of("a", *rows)}, seed=1, name="a")
    assert all(len(parts[split]) for split in SPLITS)
    assert not any(shared_documents(parts[one], parts[two]) for one in SPLITS for two in SPLITS if one != two)


def test_too_few_documents_to_split():
    with pytest.raises(InputError) as caught:
        carve({"train": split_of("a", "x", "y", "y")}, seed=1, name="a.jsonl")
    assert str(caught.value) == (
        "a.jsonl: 2 different documents are too few to take test and validation from; at least 3 are needed"
    )


def overlapping() -> dict[str, ArrowSplit]:
    return {
        "train": split_of("train.jsonl", "a", "b", "c", "b", "d"),
        "validation": split_of("dev.jsonl", "d", "e", "f"),
        "test": split_of("test.jsonl", "f", " b", "g", "c"),
    }


def test_train_and_test_must_not_share_documents():
    with pytest.raises(InputError) as caught:
        settle_shared(overlapping(), "folder", "refuse")
    assert str(caught.value) == (
        "folder: train and test share 2 documents (train.jsonl line 2 = test.jsonl line 2, "
        "train.jsonl line 3 = test.jsonl line 4). Take them out of train (`lastmile data check` lists them), or set "
        "`data.shared_documents=drop` to have that done on loading (`keep` reports on them all the same)"
    )


def test_shared_documents_are_left_out_on_request(capsys):
    parts = settle_shared(overlapping(), "folder", "drop")
    assert {split: documents(parts[split]) for split in SPLITS} == {
        "train": ["a"],
        "validation": ["d", "e"],
        "test": ["f", " b", "g", "c"],
    }
    assert capsys.readouterr().err == (
        "folder: train and test share 2 documents; rows left out of train: 3\n"
        "folder: train and validation share 1 document; rows left out of train: 1\n"
        "folder: validation and test share 1 document; rows left out of validation: 1\n"
    )


def test_shared_documents_are_kept_and_told_on_request(capsys):
    parts = settle_shared(overlapping(), "folder", "keep")
    assert [len(parts[split]) for split in SPLITS] == [5, 3, 4]
    assert len(capsys.readouterr().err.splitlines()) == 3


def test_other_pairs_are_told(capsys):
    parts = overlapping() | {"test": split_of("test.jsonl", "f")}
    settle_shared(parts, "folder", "refuse")
    assert capsys.readouterr().err.splitlines() == [
        "folder: train and validation share 1 document (train.jsonl line 5 = dev.jsonl line 1); "
        "`lastmile data check` lists them",
        "folder: validation and test share 1 document (dev.jsonl line 3 = test.jsonl line 1); "
        "`lastmile data check` lists them",
    ]


def test_a_small_draw_is_a_part_of_a_large_one():
    part = split_of("a", *(f"d{n:03}" for n in range(100)))
    small, large = documents(draw(part, 10, seed=3)), documents(draw(part, 50, seed=3))
    assert len(small) == 10 and set(small) < set(large)
    assert large == sorted(large)
    assert documents(draw(part, 10, seed=4)) != small
    assert documents(draw(part, 1000, seed=3)) == documents(part)

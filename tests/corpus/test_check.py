from __future__ import annotations

import json

from lastmile.config import Data
from lastmile.corpus.check import check_data


def write(path, *lines: dict | bytes) -> None:
    path.write_bytes(b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines))


def row(document: str, summary: str = "s") -> dict:
    return {"document": document, "summary": summary}


def test_everything_wrong_is_found_in_its_place(tmp_path):
    write(
        tmp_path / "train.jsonl",
        row("one"),
        row(""),
        row("two  words"),
        b'{"document": "caf\xe9"}',
        b'{"document": ',
        row("two words"),
        row("a b c d e"),
        {"summary": "s"},
        row("it\ufffds"),
    )
    write(tmp_path / "valid.jsonl", row("three"), row("one"))
    write(tmp_path / "test.jsonl", row("three"), row("four"), row("one"))
    found = check_data(Data(name=str(tmp_path)), max_words=4)
    assert {split: findings.examples for split, findings in found.items()} == {"train": 5, "validation": 2, "test": 3}
    assert [(problem.kind, str(problem)) for problem in found["train"].problems] == [
        ("empty", "train.jsonl line 2: `document` is empty"),
        ("encoding", "train.jsonl line 4: byte 18 of the line (0xe9) is not UTF-8. Save the file as UTF-8"),
        ("syntax", "train.jsonl line 5: not readable as JSON: expecting value at character 13"),
        ("duplicate", "train.jsonl line 6: same as train.jsonl line 3"),
        ("long", "train.jsonl line 7: 5 words, more than 4"),
        ("column", "train.jsonl line 8: no `document` in this row"),
        ("encoding", "train.jsonl line 9: holds U+FFFD: decoded wrongly by an earlier program"),
    ]
    assert [str(problem) for problem in found["validation"].problems] == [
        "valid.jsonl line 2: same as train.jsonl line 1"
    ]
    assert [(problem.kind, str(problem)) for problem in found["test"].problems] == [
        ("shared", "test.jsonl line 1: same as valid.jsonl line 1"),
        ("shared", "test.jsonl line 3: same as train.jsonl line 1"),
    ]


def test_a_clean_corpus_has_no_findings(tmp_path):
    write(tmp_path / "all.jsonl", *(row(f"document {n}") for n in range(5)))
    found = check_data(Data(name=str(tmp_path / "all.jsonl")))
    assert {split: (findings.examples, findings.problems) for split, findings in found.items()} == {"train": (5, ())}

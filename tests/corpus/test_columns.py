from __future__ import annotations

import pytest

from lastmile.corpus.columns import Columns, recognise, to_example
from lastmile.corpus.files import Row
from lastmile.errors import InputError
from lastmile.records import Example


def columns_of(*found: str, document=None, summary=None) -> tuple[str, str]:
    columns = recognise(found, "train.jsonl", document=document, summary=summary)
    return columns.document, columns.targets[0]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (("article", "highlights", "id"), ("article", "highlights")),
        (("document", "summary", "id"), ("document", "summary")),
        (("id", "dialogue", "summary", "topic"), ("dialogue", "summary")),
        (("text", "summary", "title"), ("text", "summary")),
        (("id", "source", "summary", "topic"), ("source", "summary")),
        (("source", "references"), ("source", "references")),
        (("ups", "documents", "title", "tldr"), ("documents", "tldr")),
        (("email_body", "subject_line"), ("email_body", "subject_line")),
        (("article", "abstract"), ("article", "abstract")),
        (("dialogue", "summary1", "summary2", "summary3"), ("dialogue", "summary1")),
    ],
)
def test_the_usual_data_sets_are_recognised(found, expected):
    assert columns_of(*found) == expected


def test_named_columns_go_first():
    assert columns_of("document", "body", "summary", "gist", document="body", summary="gist") == ("body", "gist")
    assert columns_of("document", "summary", summary="document", document="summary") == ("summary", "document")


def test_unknown_columns_are_told_with_those_found_all_at_once():
    with pytest.raises(InputError) as caught:
        recognise(["articel", "highlight"], "train.jsonl", document="article", summary="highlights")
    assert str(caught.value) == (
        "train.jsonl: no column `article`. Did you mean `articel`? Columns found: `articel`, `highlight`\n"
        "train.jsonl: no column `highlights`. Did you mean `highlight`? Columns found: `articel`, `highlight`"
    )
    with pytest.raises(InputError) as caught:
        recognise(["body", "gist"], "train.jsonl", document=None, summary=None)
    assert str(caught.value) == (
        "train.jsonl: no document column recognised. Name it with `--document-column`. Columns found: `body`, `gist`\n"
        "train.jsonl: no summary column recognised. Name it with `--summary-column`. Columns found: `body`, `gist`"
    )


def example_of(fields: dict, **options) -> Example | list[str]:
    columns = recognise(fields, "a.jsonl", document=None, summary=None)
    made = to_example(Row("a.jsonl line 17", fields), 16, columns, **options)
    return made if isinstance(made, Example) else [str(problem) for problem in made]


def test_the_summary_is_the_first_of_several_targets():
    fields = {"source": "d", "references": ["b", "a", "c", "c"], "summary": "a"}
    assert example_of(fields).targets == ("a", "b", "c", "c")
    assert example_of({"article": "d", "highlights": ["x", "y"]}).targets == ("x", "y")
    assert example_of({"source": "d", "summary": "a", "references": [], "summary2": "", "summary3": "b"}).targets == (
        "a",
        "b",
    )
    assert example_of({"dialogue": "d", "summary1": "x", "summary2": "y", "summary3": "z"}).targets == ("x", "y", "z")


def test_ids_are_kept_and_made_where_missing():
    assert example_of({"id": 5, "document": "d", "summary": "s"}).id == "5"
    for unusable in (" ", None, ["a"], "half \ud83d"):
        assert example_of({"id": unusable, "document": "d", "summary": "s"}).id == "0000016"


def test_paragraphs_of_a_document_are_lines():
    assert example_of({"article": ["one", "two"], "abstract": "s"}).document == "one\ntwo"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"document": " \n", "summary": "s"}, ["`document` is empty"]),
        ({"document": None, "summary": ""}, ["`document` is empty", "`summary` is empty"]),
        ({"document": "d", "references": []}, ["`references` is empty"]),
        ({"document": "d", "references": ["a", " "]}, ["`references[1]` is empty"]),
        ({"document": 7, "summary": "s"}, ["`document` must be text, got int"]),
        ({"document": "d", "summary": ["a", 3]}, ["`summary[1]` must be text, got int"]),
        ({"document": "half \ud83d", "summary": "s"}, ["`document` holds half a character (a lone surrogate)"]),
    ],
)
def test_what_is_no_example_says_why(fields, expected):
    assert example_of(fields) == [f"a.jsonl line 17: {text}" for text in expected]


def test_a_row_without_the_column_of_the_others():
    made = to_example(Row("a.jsonl line 2", {"summary": "s"}), 1, Columns("document", ("summary",)))
    assert [str(problem) for problem in made] == ["a.jsonl line 2: no `document` in this row"]


def test_clean_up_that_leaves_nothing_is_a_problem():
    assert example_of({"document": "x", "summary": "s"}, clean=lambda text: "") == [
        "a.jsonl line 17: `document` is empty after clean-up"
    ]

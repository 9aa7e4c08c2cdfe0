"""What is said twice, and what may be."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lastmile.judge.document import Text
from lastmile.judge.names import name_places
from lastmile.judge.repetition import find_repetitions


def find(summary, cased=True, known=()):
    text = Text(summary)
    return find_repetitions(text, name_places(text, cased, known), 20)


@pytest.mark.parametrize(
    ("summary", "flagged"),
    [
        ("He went to the the shop.", ["the"]),
        ("She has a new new car.", ["new"]),
        (
            "He left because he was turned down because he was turned down.",
            ["because he was turned down"],
        ),
        ("They agree to go there, they agree to go there.", ["they agree to go there"]),
        ("a b a b a b", ["a b a b"]),
        ("The storm closed two schools. The storm closed two schools.", ["The storm closed two schools"]),
        (
            "The old bridge was closed by heavy rain. The bridge, old as it was, closed.",
            ["The bridge, old as it was, closed"],
        ),
        (
            "The storm closed two old schools. The storm closed two old churches.",
            ["The storm closed two old"],
        ),
        ("Rain hit the northern coast road. Trees fell on the northern coast road.", ["the northern coast road"]),
        ("I know he wants to be there. She knows he wants to be there too.", ["he wants to be there"]),
    ],
)
def test_said_twice(summary, flagged):
    assert [flag.text for flag in find(summary)] == flagged


@pytest.mark.parametrize(
    "summary",
    [
        "",
        "One sentence without any word twice.",
        "It is very, very cold, and they had had enough.",
        "Karl Ove Berg met the mayor. The mayor thanked Karl Ove Berg.",
        "#Person1#'s car is red. #Person1#'s house is blue.",
        "He asked one of the men. She asked one of the women.",
        "The bridge was closed. The bridge was not closed.",
        "Smith likes the old house. Jones bought the old house.",
        "She likes tea. He likes tea.",
        "He paid 20 dollars for lunch. He paid 30 dollars for lunch.",
        "The score was 2 2 after an hour.",
        "He sang with Duran Duran.",
        "They left for work. For work they need a car.",
    ],
)
def test_may_be_said_again(summary):
    assert find(summary) == ()


def test_without_case_known_names_may_come_again():
    summary = "karl ove berg met the mayor. the mayor thanked karl ove berg."
    assert [flag.text for flag in find(summary, cased=False)] == ["the mayor thanked karl ove berg"]
    assert find(summary, cased=False, known={"karl", "ove", "berg"}) == ()


def test_span_evidence_and_cost():
    summary = "Ann said so. The northern coast road is flooded. Trees fell on the northern coast road."
    (flag,) = find(summary)
    assert (flag.start, flag.end) == (summary.index("the northern"), len(summary) - 1)
    assert flag.evidence == "The northern coast road"
    assert flag.cost == 4 / 20


@given(
    st.lists(st.sampled_from(["Rain", "fell", "on", "the", "old", "road", ".", "Ann's", "5", "not", ","]), max_size=40)
)
@settings(max_examples=400, deadline=None)
def test_spans_lie_in_the_text_apart_from_each_other(words):
    summary = " ".join(words)
    end = 0
    for flag in find(summary):
        assert end <= flag.start < flag.end <= len(summary)
        assert flag.text == summary[flag.start : flag.end]
        assert flag.cost > 0
        end = flag.end


@given(st.lists(st.sampled_from(["bridge", "closed", "by", "rain", "of", "Bergen", "5"]), max_size=8, unique=True))
def test_a_sentence_said_again_is_always_found(words):
    sentence = " ".join(["The", "storm", "felled", "trees", *words]) + "."
    flags = find(f"{sentence} {sentence}")
    assert "".join(flag.text for flag in flags) == sentence[:-1]

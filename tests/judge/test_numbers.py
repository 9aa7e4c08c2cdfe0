"""Numbers read to values."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lastmile.judge import numbers
from lastmile.judge.document import Document, Text, _nearest
from lastmile.judge.numbers import clock, is_supported
from lastmile.judge.support import find_unsupported_numbers


def read(text):
    found = Text(text)
    return [(found.between(number.first, number.last), set(number.readings)) for number in found.numbers]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("twenty-five dogs", [("twenty-five", {25})]),
        ("two hundred and twenty five thousand and six", [("two hundred and twenty five thousand and six", {225_006})]),
        ("one, two, three", [("one", {1}), ("two", {2}), ("three", {3})]),
        ("five and six", [("five", {5}), ("six", {6})]),
        ("a dozen, two dozen", [("dozen", {12}), ("two dozen", {24})]),
        ("half a million", [("million", {500_000})]),
        ("$3.5m or 20k", [("3.5m", {3_500_000}), ("20k", {20_000})]),
        ("3 m long", [("3", {3})]),
        ("1,200 and 1.200", [("1,200", {1200}), ("1.200", {1200, 1.2})]),
        ("2-1", [("2", {2}), ("1", {1})]),
        ("the 5th and fifth", [("5th", {5}), ("fifth", {5})]),
        ("5:30", [("5:30", {clock(330)})]),
        ("17:00", [("17:00", {clock(300), 17, 5})]),
        ("5pm", [("5pm", {5, clock(300)})]),
        ("the 1980s, the 90s", [("1980s", {1980}), ("90s", {90, 1990})]),
        ("25-year-old", [("25", {25})]),
        ("#Person1# has an A380", []),
        ("a second later", [("second", {2})]),
        ("99:99", [("99:99", {99})]),
        ("1:2:3:4.5", [("1:2:3:4.5", {clock(62)})]),
        ("٣ apples", [("٣", {3})]),
    ],
)
def test_readings(text, expected):
    assert read(text) == expected


def test_times_half_a_day_apart_are_one_reading():
    assert clock(5 * 60) == clock(17 * 60) != clock(6 * 60)
    assert clock(0) < 0, "no number of things is a time"


@given(st.integers(0, 10**9))
def test_a_number_supports_itself_with_and_without_separators(value):
    for document, summary in ((f"{value}", f"{value:,}"), (f"{value:,}", f"{value}")):
        (number,) = Text(summary).numbers
        assert is_supported(number, Document(document).values, hedged=False)


@pytest.mark.parametrize(
    ("document", "summary", "supported"),
    [
        ("It costs 20, 000 a year.", "20,000", True),
        ("It costs 20 000 a year.", "20,000", True),
        ("It costs 2, 500, 000 a year.", "2.5 million", True),
        ("It costs 2, 500, 000 a year.", "500", True),  # the groups stay what they are by themselves
        ("It costs 20, 000 a year.", "30,000", False),
        ("Ring 3, 45, 600.", "345600", False),  # no groups of three
        ("In 1995, 200 came.", "1995200", False),  # a year is no first group
        ("They took 20 and 000.", "20000", False),
        ("Lot 020, 000.", "20000", False),
    ],
)
def test_thousands_written_apart(document, summary, supported):
    (number,) = Text(summary).numbers
    assert is_supported(number, Document(document).values, hedged=False) is supported


@pytest.mark.parametrize(
    ("document", "summary", "flagged"),
    [
        ("It costs 20,000 a year.", "It costs 20, 000.", []),
        ("It costs 20000 a year.", "It costs 20, 000.", []),
        ("It costs twenty thousand a year.", "It costs 20 000.", []),
        ("It costs $2.5 million.", "It costs $2, 500, 000.", []),
        ("They spent 2,500 million.", "They spent 2, 500 million.", []),
        ("They spent 2, 500 million.", "They spent 2.5 billion.", []),
        ("They made 19,987 of them.", "They made nearly 20, 000.", []),
        ("It costs 20000 a year.", "It costs 30, 000.", ["30", "000"]),
        ("It costs 20000 a year.", "Of 20, 300 came.", ["20", "300"]),
        ("In 1920000 lots.", "In 1920, 000.", ["1920", "000"]),  # a year is no first group
        ("There are 111222 lots.", "Lots of 111, 222 and 7.", ["7"]),
        ("They had 3 million, 500 fled.", "There were 3,500.", ["3,500"]),  # no group stands behind a scale
    ],
)
def test_thousands_written_apart_in_a_summary(document, summary, flagged):
    assert [flag.text for flag in find_unsupported_numbers(Text(summary), Document(document), 20)] == flagged


@pytest.mark.parametrize("sentence", ["{} ", "Boat {} sank. "])
def test_thousands_of_numbers_take_time_in_proportion(monkeypatch, sentence):
    """A number is held against its two neighbours among the values; like sentences look for their evidence once."""
    looked = []
    monkeypatch.setattr(numbers, "_rounds_to", lambda value, *rest: looked.append(value))
    _nearest.cache_clear()
    count = 3000
    document = Document("".join(sentence.format(20 * k + 10_013) for k in range(count)))
    summary = Text("".join(sentence.format(20 * k + 10_003) for k in range(count)))
    assert len(find_unsupported_numbers(summary, document, 20)) == count
    assert len(looked) <= 2 * count
    assert _nearest.cache_info().misses == 1


near = st.sampled_from([9, 9.5, 10, 10.4, 95, 99, 100, 104, 950, 1000, 1044, 1990, 2010])
amounts = st.one_of(near, st.integers(-720, 40), st.integers(0, 10**7)).map(float)


@example(9.0, [9.5, 10.0], True, False)  # values below 10 are rounded to nothing
@given(amounts, st.lists(amounts, max_size=8), st.booleans(), st.booleans())
def test_the_neighbours_of_a_number_tell_what_all_values_would(claim, values, hedged, vague):
    def says(value):
        if vague:
            return 0 < claim <= value
        return claim > 0 and value >= 10 and numbers._rounds_to(value, claim, hedged)

    number = numbers.Number(0, 0, frozenset((claim,)), vague=vague)
    ordered = tuple(sorted(set(values)))
    assert is_supported(number, ordered, hedged) == (claim in ordered or any(map(says, ordered)))


soup = st.lists(
    st.sampled_from(["hundred", "trillion", "dozen", "half", "nineteen", "past", "to", "9", "and", "5:30", "90s"])
)


@given(st.text("0123456789.,:- amk½", max_size=40) | st.text(max_size=30) | soup.map(" ".join))
def test_any_text_can_be_read(text):
    document = Document(text)
    assert all(is_supported(number, document.values, False) for number in document.numbers if number.readings)
    for number in document.numbers:
        is_supported(number, Document("9 hundred thousand").values, hedged=True)


def test_a_model_that_loops_makes_no_number_too_large():
    (first, *_) = Text("hundred " * 400).numbers
    assert first.readings == {100}


def test_rounding_needs_two_digits_or_a_hedge_and_no_year():
    def supported(document, summary, hedged=False):
        return is_supported(Text(summary).numbers[0], Document(document).values, hedged)

    assert supported("1,187 votes", "1,200")
    assert not supported("1,187 votes", "1,000")
    assert supported("1,087 votes", "1,000", hedged=True)
    assert not supported("19", "20")
    assert supported("19", "20", hedged=True)
    assert not supported("15", "20", hedged=True)
    assert not supported("in 2012", "2010", hedged=True)

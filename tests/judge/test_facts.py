from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lastmile.corpus import demo_words
from lastmile.corpus.demo import demo_corpus
from lastmile.corpus.demo_facts import NUMBER_WORDS
from lastmile.corpus.demo_stories import STORIES
from lastmile.errors import InputError
from lastmile.judge.facts import _forms, _vocabulary, unsupported_facts
from lastmile.records import Example

CORPUS = demo_corpus()
EVERYTHING = [*CORPUS.train, *CORPUS.validation, *CORPUS.test]
WIRE = Example(
    "wire",
    "At least 12 people lost their lives on Tuesday in an accident near Ravenford in which a bus overturned. Another "
    "40 people were injured and taken to hospital. Police blamed black ice for the accident. A similar accident near "
    "Oakmere last winter cost seven lives. Rescue work was led by Ada Verlock, a local fire officer.",
    (),
    {
        "dead": ("12", "twelve"),
        "day": ("Tuesday",),
        "town": ("Ravenford",),
        "vehicle": ("bus",),
        "hurt": ("40", "forty"),
        "cause": ("ice", "black ice", "a patch of ice"),
        "other_town": ("Oakmere",),
        "earlier_dead": ("seven", "7"),
        "rescuer": ("Ada Verlock", "Verlock"),
    },
)
GOOD = "A bus crash near Ravenford has left 12 people dead and 40 hurt. Police blame ice."


def flagged(summary: str) -> list[tuple[str, str]]:
    return [(flag.name, flag.text) for flag in unsupported_facts(WIRE, summary)]


@pytest.mark.parametrize(
    "summary",
    [
        GOOD,
        GOOD.lower(),
        GOOD.upper(),
        GOOD.replace("12", "twelve").replace(" ice", " black ice"),
        "Verlock led the rescue.",
        "Ada Verlock's work was hard",
        "Twelve people died and 40 were hurt when the bus crashed near Ravenford on Tuesday",
        "",
        "...",
    ],
)
def test_what_the_document_supports_is_not_flagged(summary):
    assert flagged(summary) == []


@pytest.mark.parametrize(
    ("summary", "absent"),
    [
        ("A bus crash near Ravenham has left 12 people dead and 40 hurt.", ["Ravenham"]),
        ("A tram crash near Ravenford has left 12 people dead and 40 hurt.", ["tram"]),
        ("A bus crash near Ravenford has left 13 people dead and forty-one hurt.", ["13", "forty-one"]),
        ("12 people died when a bus crashed near Ravenford on Monday.", ["Monday"]),
        ("Marlo Venn led the rescue.", ["Marlo Venn"]),
        ("Ada Lock led the rescue.", ["Ada Lock"]),
        ("Marlo Verlock led the rescue.", ["Marlo"]),
        ("Police blame Raven", ["Raven"]),
        ("Police blame a patch of fog.", ["patch", "fog"]),
        ("12 people died in Ravenfordford on May 3", ["Ravenfordford", "May", "3"]),
        ("It did $4.2 million of damage.", ["$4.2 million"]),
        ("They won 3-1.", ["3-1"]),
        ("12th people died", ["12th"]),
        ("MARLO marlo", ["MARLO marlo"]),
    ],
)
def test_what_no_fact_says_is_absent(summary, absent):
    assert flagged(summary) == [("absent_fact", text) for text in absent]


@pytest.mark.parametrize(
    ("summary", "misplaced"),
    [
        ("A bus crash near Ravenford has left seven people dead and 40 hurt. Police blame ice.", ["seven"]),
        ("A bus crash near Oakmere has left 40 people dead and 12 hurt.", ["Oakmere", "40", "12"]),
        ("Forty people died and 12 were hurt when a bus crashed near Ravenford on Tuesday.", ["Forty", "12"]),
        ("Ada Verlock is the new mayor of Ravenford.", ["Ada Verlock"]),
    ],
)
def test_a_fact_in_another_facts_place_is_misplaced(summary, misplaced):
    found = flagged(summary)
    assert set(found) >= {("misplaced_fact", text) for text in misplaced}
    assert {name for name, _ in found} == {"misplaced_fact"}


def test_flags_say_where_and_why():
    (flag,) = unsupported_facts(WIRE, "A bus crash near Oakmere has left 12 people dead and 40 hurt.")
    assert (flag.name, flag.start, flag.end, flag.text, flag.cost) == ("misplaced_fact", 17, 24, "Oakmere", 1.0)
    assert flag.evidence == "`town` is Ravenford"
    flags = unsupported_facts(WIRE, "Ada Verlock is the new mayor of Ravenford.")
    assert flags[0].evidence == "no `winner` is told"
    (flag,) = unsupported_facts(WIRE, "A van crash near Ravenford has left 12 people dead and 40 hurt.")
    assert (flag.text, flag.evidence) == ("van", "no fact of the document")


def test_a_document_without_facts_is_refused():
    with pytest.raises(InputError) as caught:
        unsupported_facts(Example("a-17", "Text."), "Text.")
    assert str(caught.value) == ("document `a-17` has no stored facts to count against; only `demo` documents have")


def test_no_target_of_the_whole_corpus_has_a_flag():
    flagged = [e.id for e in EVERYTHING for target in e.targets if unsupported_facts(e, target)]
    assert flagged == []


def test_no_document_has_an_absent_fact():
    assert [
        e.id for e in CORPUS.validation if any(f.name == "absent_fact" for f in unsupported_facts(e, e.document))
    ] == []


def test_fixed_words_tell_no_fact():
    """What makes the count exact: every form of every fact has a word that stories are not told with."""
    lists = [value for name, value in vars(demo_words).items() if name.isupper()]
    forms = [
        form for options in lists for option in options for form in ((option,) if isinstance(option, str) else option)
    ]
    parts = {*demo_words.TOWN_STARTS, *demo_words.TOWN_ENDS, *demo_words.COMPANY_STARTS, *demo_words.COMPANY_ENDS}
    parts |= {*demo_words.SURNAME_STARTS, *demo_words.SURNAME_ENDS}
    assert [form for form in forms if form not in parts and _vocabulary().issuperset(_forms(form))] == []
    assert not _vocabulary() & (NUMBER_WORDS | {day.lower() for day in (*demo_words.DAYS, *demo_words.MONTHS)})
    names = {
        word
        for e in EVERYTHING
        for forms in e.facts.values()
        for form in forms
        if form.istitle()
        for word in _forms(form)
    }
    assert not _vocabulary() & names - {"the"}


@st.composite
def told_facts(draw) -> tuple[Example, str, str]:
    """An example, a fact that its target tells, and the form that stands there."""
    example = draw(st.sampled_from(EVERYTHING))
    told = [
        (name, form)
        for name, forms in example.facts.items()
        for form in forms
        if re.search(rf"(?<!\w){re.escape(form)}(?!\w)", example.target)
    ]
    whole = [(name, form) for name, form in told if not any(form != other and form in other for _, other in told)]
    return example, *draw(st.sampled_from(whole))


def put(example: Example, old: str, new: str) -> str:
    return re.sub(rf"(?<!\w){re.escape(old)}(?!\w)", lambda _: new, example.target, count=1)


def kind(example: Example, name: str):
    return next(story for story in STORIES if example.facts.keys() <= story.facts.keys()).facts[name]


@settings(max_examples=150, deadline=None)
@given(told_facts(), st.sampled_from(EVERYTHING))
def test_a_fact_of_another_document_is_flagged(chosen, other):
    example, _, form = chosen
    own = {f.lower() for forms in example.facts.values() for f in forms}
    for forms in other.facts.values():
        for foreign in forms:
            if foreign.lower() not in own:
                assert unsupported_facts(example, put(example, form, foreign)), (form, foreign)


@settings(max_examples=150, deadline=None)
@given(told_facts(), st.integers(0, 10**6))
def test_another_number_is_flagged(chosen, number):
    example, _, form = chosen
    if re.search(r"\d", form) and str(number) not in {f for forms in example.facts.values() for f in forms}:
        wrong = put(example, form, re.sub(r"\d[\d.,]*", str(number), form, count=1))
        assert unsupported_facts(example, wrong) or wrong == example.target


@settings(max_examples=150, deadline=None)
@given(told_facts())
def test_a_distractor_in_the_place_of_a_fact_is_misplaced(chosen):
    example, name, form = chosen
    for other, forms in example.facts.items():
        if other != name and kind(example, other).pattern == kind(example, name).pattern:
            for distractor in forms:
                flags = unsupported_facts(example, put(example, form, distractor))
                assert [flag.name for flag in flags] == ["misplaced_fact"], (form, distractor)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(EVERYTHING), st.sampled_from(EVERYTHING), st.text())
def test_any_text_gives_flags_in_order_without_overlap(example, other, noise):
    half = example.target[: len(example.target) // 2]
    for summary in (noise, half + noise, noise + example.document, half + other.target, other.target + half):
        flags = unsupported_facts(example, summary)
        assert all(before.end <= after.start for before, after in itertools.pairwise(flags))
        assert all(summary[flag.start : flag.end] == flag.text for flag in flags)


def test_fixed_words_beside_a_name_are_not_part_of_it():
    example = next(example for example in EVERYTHING if "buyer" in example.facts)
    facts = {name: forms[-1] for name, forms in example.facts.items()}
    said = "The {buyer} has bought a {work} by {artist} for {price}. " * 2
    said += "{price} is what {buyer} has paid for a {work} by {artist} in {town}."
    assert unsupported_facts(example, said.format(**facts)) == []
    swapped = facts | {"artist": facts["buyer"], "buyer": facts["artist"]}
    flags = unsupported_facts(example, said.format(**swapped))
    assert [flag.text for flag in flags] == [facts["artist"], facts["buyer"]] * 3

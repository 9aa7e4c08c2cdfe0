"""Copying, shape, profile, and all flags together."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lastmile.config import FLAG_NAMES
from lastmile.errors import InputError
from lastmile.judge.copying import find_copies, longest_copy
from lastmile.judge.document import Text, read_document
from lastmile.judge.flags import find_flags
from lastmile.judge.profile import TargetProfile, profile_targets
from lastmile.judge.shape import find_empty, find_length, find_unfinished, is_punctuated
from lastmile.records import Example, Summary

DOCUMENT = (
    "A storm hit the western coast on Monday night. Firefighters in Bergen pulled 12 people out of a flooded tunnel. "
    "Mayor Ann Smith said the road to Oslo stays closed until Friday."
)
PROFILE = TargetProfile(
    words_low=5, words_high=30, typical_words=10, copied_words_high=8, punctuated_share=0.99, cased=True
)


def names_of(summary, ended=True, profile=PROFILE):
    return [flag.name for flag in find_flags(DOCUMENT, Summary(summary, ended), profile)]


def test_copies_longer_than_targets_copy():
    summary = Text("Reports say FIREFIGHTERS in Bergen pulled 12 people out of a tunnel; the road to Oslo is closed.")
    (flag,) = find_copies(summary, read_document(DOCUMENT), longest_allowed=8, typical_words=10)
    assert flag.text == "FIREFIGHTERS in Bergen pulled 12 people out of a"
    assert flag.evidence == "Firefighters in Bergen pulled 12 people out of a"
    assert flag.cost == pytest.approx(1 / 10), "one word beyond eight"
    assert longest_copy(summary.lower, read_document(DOCUMENT).lower) == 9
    assert longest_copy(["zebra"], read_document(DOCUMENT).lower) == 0
    assert find_copies(summary, read_document(DOCUMENT), 9, 10) == ()


@pytest.mark.parametrize(
    ("summary", "ended", "share", "reason"),
    [
        ("The storm hit.", False, 0.0, "cut at the length limit"),
        ("The storm hit the", True, 0.0, "ends on `the`"),
        ("The storm hit", True, 0.95, "no final punctuation"),
        ("The storm hit", True, 0.5, None),
        ("The storm hit.", True, 1.0, None),
        ('She said: "It is over."', True, 1.0, None),
        ("Is it over?) ", True, 1.0, None),
        ("", False, 1.0, None),
    ],
)
def test_unfinished(summary, ended, share, reason):
    flags = find_unfinished(Text(summary), ended, share)
    assert [flag.evidence for flag in flags] == ([reason] if reason else [])
    assert all(flag.text == summary.rstrip(" .").split()[-1] and flag.cost == 1 for flag in flags)


def test_empty_and_length():
    for empty in ("", "  \n", "...", "#"):
        (flag,) = find_empty(Text(empty))
        assert (flag.start, flag.end, flag.cost) == (0, 0, 1.0)
        assert find_length(Text(empty), 5, 10) == (), "empty, not short"
    assert find_empty(Text("no")) == ()
    (short,) = find_length(Text("one two three four"), 5, 10)
    assert (short.cost, short.evidence) == (pytest.approx(1 / 5), "4 words; most targets have 5 to 10")
    (long,) = find_length(Text("word " * 15), 5, 10)
    assert long.cost == pytest.approx(5 / 10)
    assert find_length(Text("word " * 5), 5, 10) == find_length(Text("word " * 10), 5, 10) == ()


def test_is_punctuated():
    assert [is_punctuated(text) for text in ("a.", "a!”  ", "a", "a,", "")] == [True, True, False, False, False]


def test_all_flags_of_a_bad_summary_in_order():
    summary = "Mayor Tom Smith met the the 30 divers in London and the"
    assert names_of(summary) == [
        "unsupported_entity",
        "unsupported_word",
        "repetition",
        "unsupported_number",
        "unsupported_word",
        "unsupported_entity",
        "unfinished",
    ]
    assert names_of(summary * 4)[0] == "length", "of the whole summary, so it starts at 0"
    assert names_of("", ended=False) == ["empty"]


def test_a_good_summary_has_none():
    assert names_of("A storm on the western coast flooded a tunnel near Bergen.") == []
    assert names_of("Ann Smith, the mayor, says the Oslo road will be closed.") == []


def test_only_the_flags_asked_for():
    summary = Summary("Tom Smith met met 30 divers", True)
    for name in FLAG_NAMES:
        assert {flag.name for flag in find_flags(DOCUMENT, summary, PROFILE, [name])} <= {name}
    assert find_flags(DOCUMENT, summary, PROFILE, ()) == ()
    with pytest.raises(InputError, match=r"^`repetitions`: no such flag. Did you mean `repetition`\?$"):
        find_flags(DOCUMENT, summary, PROFILE, ["repetitions"])


def test_costs_do_not_shrink_with_the_summary():
    """Word faults are measured in typical target words: padding a summary with good words pays nothing."""
    short, padded = "He met London.", "He met London. The storm hit the western coast on a night."
    for text in (short, padded):
        (flag,) = find_flags(DOCUMENT, Summary(text), PROFILE, ["unsupported_entity"])
        assert flag.cost == 1 / 10


@given(
    summary=st.text(max_size=80)
    | st.lists(st.sampled_from([*DOCUMENT.split(), "London", "the", "30", "thousands", "O'Neil"])).map(" ".join),
    ended=st.booleans(),
    cased=st.booleans(),
)
@settings(max_examples=500, deadline=None)
def test_spans_fit_the_text(summary, ended, cased):
    profile = TargetProfile.from_dict(PROFILE.to_dict() | {"cased": cased, "names": ["london"]})
    starts = []
    for flag in find_flags(DOCUMENT, Summary(summary, ended), profile):
        assert 0 <= flag.start <= flag.end <= len(summary)
        assert flag.text == summary[flag.start : flag.end]
        assert (flag.start == flag.end) == (flag.name in ("empty", "length"))
        assert flag.cost > 0
        assert flag.evidence
        starts.append(flag.start)
    assert starts == sorted(starts)


@pytest.mark.parametrize("sentence", [s.strip() + "." for s in DOCUMENT.split(".") if s.strip()])
def test_a_sentence_of_the_document_is_copied_and_nothing_worse(sentence):
    assert set(names_of(sentence)) <= {"copy", "length"}


def test_profile_by_hand():
    examples = [
        Example("a", "The mayor of Bergen met the mayor of Oslo, so Bergen was glad.", ("One two three.", "Four five")),
        Example("b", "On Monday we saw the Red house, a red door and red ink.", ("The sky was grey",)),
    ]
    profile = profile_targets(iter(examples), cased=False)
    assert (profile.typical_words, profile.punctuated_share, profile.cased) == (3.0, 1 / 3, False)
    # Lengths 3, 2, 4: the 2.5 % point lies 5 % of the way from 2 to 3, the 97.5 % point 95 % of the way from 3 to 4.
    assert (profile.words_low, profile.words_high) == (pytest.approx(2.05), pytest.approx(3.95))
    # Longest copies 0, 0 and `the` = 1: the 95 % point lies 90 % of the way from 0 to 1.
    assert profile.copied_words_high == pytest.approx(0.9)
    assert profile.names == {"bergen", "oslo", "monday"}, "`Red` is small twice; `The` opens sentences"


def test_profile_takes_names_from_documents_without_targets():
    examples = [Example(str(i), "Then Bergen won.", ()) for i in range(3)]
    profile = profile_targets(examples, cased=True)
    assert profile == TargetProfile.neutral(True, frozenset({"bergen"}))
    text = "word " * 500
    assert [flag.name for flag in find_flags("word", Summary(text + "."), profile, ["length"])] == []


def test_profile_reads_no_more_than_its_limit():
    def endless():
        while True:
            yield Example("a", "A storm hit.", ("A storm.",))

    assert profile_targets(endless(), cased=True, limit=10).typical_words == 2


def test_profile_goes_through_json():
    profile = profile_targets([Example("a", "Ann saw Bergen, and Bergen saw Ann.", ("It is so.",))], cased=True)
    assert TargetProfile.from_dict(json.loads(json.dumps(profile.to_dict()))) == profile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lastmile.compare.postprocess import RULES, post_process, post_processed
from lastmile.compare.systems import System
from lastmile.config import Compare
from lastmile.corpus.text import words
from lastmile.errors import InputError
from lastmile.judge.profile import TargetProfile
from lastmile.records import Example, Summary

PROFILE = TargetProfile.neutral(cased=True)
DOCUMENT = "Ann Low sold 12 boats in Genoa on Monday. The market was busy."


def mended(rule, text, *, ended=True, document=DOCUMENT, max_words=30):
    return post_process(document, Summary(text, ended), (rule,), PROFILE, max_words)[0]


def test_the_rules_are_those_of_the_recipe():
    assert tuple(RULES) == Compare().post_processing


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("  a\t b  c ", "a b c"), ("a \n\n b", "a\nb"), ("a b", "a b"), (" \n ", "")],
)
def test_whitespace(text, wanted):
    assert mended("whitespace", text).text == wanted


def test_unfinished_last_sentence_goes():
    summary = mended("unfinished", "Ann sold boats. The market was", ended=False)
    assert summary == Summary("Ann sold boats.", ended=True)


def test_an_only_sentence_stays_though_unfinished():
    assert mended("unfinished", "The market was", ended=False) == Summary("The market was", ended=False)


def test_finished_summaries_are_left_alone():
    assert mended("unfinished", "Ann sold boats. The market was busy.").text == "Ann sold boats. The market was busy."


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Ann sold boats. ann sold boats!", "Ann sold boats."),
        # word for word a part of an earlier sentence
        ("Ann sold boats in Genoa. Sold boats in Genoa.", "Ann sold boats in Genoa."),
        # 11 of 12 words are shared: 0.92
        (
            "The busy market in Genoa sold many boats to visitors on Monday. "
            "The busy market in Genoa sold many boats to visitors Monday.",
            "The busy market in Genoa sold many boats to visitors on Monday.",
        ),
        ("Ann sold boats. It rained. Ann sold boats. It rained on.", "Ann sold boats. It rained. It rained on."),
    ],
)
def test_repeated_sentences_go(text, wanted):
    assert mended("duplicate_sentences", text).text == wanted


@pytest.mark.parametrize(
    "text",
    [
        # the numbers differ, though 15 of 17 words are the same: 0.88
        "On Monday Ann Low sold 12 boats in Genoa while the market was busy as ever. "
        "On Monday Ann Low sold 13 boats in Genoa while the market was busy as ever.",
        "Ann met Bob in Genoa. Ann met Carl in Genoa.",
        "He said it was so. So it was.",
    ],
)
def test_sentences_that_say_something_new_stay(text):
    assert mended("duplicate_sentences", text).text == text


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("She went to the bank to the bank to the bank.", "She went to the bank."),
        ("the the market", "the market"),
        ("fast , fast , fast , forward", "fast , forward"),
        ("The Market, the market was busy.", "The Market was busy."),
        ("very very very busy", "very busy"),
    ],
)
def test_repeats_are_collapsed(text, wanted):
    assert mended("repeated_ngrams", text).text == wanted


@pytest.mark.parametrize(
    "text",
    [
        "very very busy",
        "He had had enough.",
        "He said no. No one came.",
        "She was sad. She was sad for a week.",
        "It costs 5 5 times.",
        "She won 6-4 6-4.",
        "from 12 to 12 boats",
        "well , well-educated people",
        "#Person1# tells #Person2# #Person2# missed the stop.",
        'the "sit-in" in Genoa',
        "Low & Low sold boats",
    ],
)
def test_what_is_rightly_doubled_stays(text):
    assert mended("repeated_ngrams", text).text == text


def test_what_the_document_doubles_is_no_slip():
    text = "Tian Tian sold boats."
    assert mended("repeated_ngrams", text).text == "Tian sold boats."
    assert mended("repeated_ngrams", text, document="The panda Tian Tian is ill.").text == text


def test_length_is_cut_at_a_sentence_end():
    text = "One two three. Four five six. Seven eight."
    assert mended("length", text, max_words=7).text == "One two three. Four five six."
    assert mended("length", text, max_words=1).text == "One two three."
    assert mended("length", text, max_words=8).text == text


def test_a_summary_cut_before_its_broken_end_has_ended():
    assert mended("length", "One two three. Four five", ended=False, max_words=3) == Summary("One two three.", True)


def test_the_default_length_is_the_targets():
    profile = TargetProfile(1, 3, 3, 25, 1.0, True)
    assert post_process(DOCUMENT, Summary("One two three. Four."), ("length",), profile)[0].text == "One two three."


def test_unsupported_sentences_go():
    assert mended("unsupported", "Ann sold boats in Genoa. She met Zarathustra.").text == "Ann sold boats in Genoa."
    assert mended("unsupported", "Ann sold 977 boats. The market was busy.").text == "The market was busy."


def test_where_nothing_is_supported_the_least_wrong_sentence_stays():
    text = "She met Zarathustra and Nostradamus. She paid 977."
    assert mended("unsupported", text).text == "She paid 977."


def test_rules_run_in_order_and_are_named():
    text = "Ann  sold boats. Ann sold boats. The market was"
    summary, changed = post_process(DOCUMENT, Summary(text, False), Compare().post_processing, PROFILE, 30)
    assert summary == Summary("Ann sold boats.", True)
    assert changed == ("whitespace", "unfinished", "duplicate_sentences")


def test_unknown_rules_are_refused():
    with pytest.raises(InputError) as error:
        post_process(DOCUMENT, Summary("x"), ("whitespaces", "length"), PROFILE)
    assert str(error.value) == "`whitespaces`: no such post-processing rule. Did you mean `whitespace`?"


def test_a_system_keeps_count_of_each_rule():
    examples = [Example(str(i), DOCUMENT) for i in range(3)]
    system = System("likelihood", (Summary("a  b"), Summary("the the boat"), Summary("a  a a")), family="likelihood")
    mended = post_processed(system, examples, ("whitespace", "repeated_ngrams"), PROFILE)
    assert mended.name == "likelihood + post"
    assert mended.family == "likelihood" and mended.post_processed
    assert mended.changed == {"whitespace": 2, "repeated_ngrams": 2}
    assert [summary.text for summary in mended.summaries] == ["a b", "the boat", "a"]


PIECES = st.sampled_from(["Ann", "boats", "Zarathustra", "12", "977", "the", ".", "?", ",", "\n", "sold", "very"])


@settings(max_examples=150, deadline=None)
@given(st.lists(PIECES, max_size=25).map(" ".join), st.booleans(), st.integers(1, 8))
def test_words_are_only_taken_away_and_never_all_of_them(text, ended, max_words):
    rules = Compare().post_processing
    once, changed = post_process(DOCUMENT, Summary(text, ended), rules, PROFILE, max_words)
    assert bool(once.text) == bool(text.strip())
    assert bool(words(once.text)) == bool(words(text))
    assert set(changed) <= set(rules)
    before = iter(word.text for word in words(text))
    assert all(word.text in before for word in words(once.text)), "in the same order, nothing added"

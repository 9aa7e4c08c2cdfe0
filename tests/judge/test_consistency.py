"""The fitted detector: what it must rank, what it must keep to, and that its file and its signals belong together."""

import json
import math
import pkgutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lastmile.corpus.text import words
from lastmile.errors import InputError
from lastmile.judge.consistency import (
    Consistency,
    Logistic,
    edited_probability,
    fitted,
    judge_consistency,
    precision_targets,
    span_probability,
    thresholds,
)
from lastmile.judge.document import Text, read_document
from lastmile.judge.grounding import FAR, Grounding, closeness, core_words, read_ground, sentence_numbers
from lastmile.judge.redundancy import redundancy, redundancy_signals
from lastmile.judge.signals import SUPPORTS

DOCUMENT = (
    "The harbour board of Port Ellis voted on Tuesday to deepen the northern channel. Chairwoman Greta Lund said the "
    "work would cost 14 million euros and take two years. Fishermen fear that dredging will bury their oyster "
    "beds. Their spokesman, Owen Pike, wants the board to pay for new beds first. The ferry company Nordline backs it."
)
FAITHFUL = "The Port Ellis harbour board voted to deepen the northern channel for 14 million euros."
INVENTED = "The Bremen city council voted to close the airport after 30 protests."
SPLICED = "Greta Lund wants oyster beds for the ferry company on Tuesday."


def test_faithful_above_spliced_above_invented():
    faithful, spliced, invented = (judge_consistency(DOCUMENT, text) for text in (FAITHFUL, SPLICED, INVENTED))
    assert faithful.probability > spliced.probability > invented.probability
    assert faithful.signals["pair_support"] > 0.9 > spliced.signals["pair_support"] > 0.2
    assert invented.signals["wrong_numbers"] == invented.signals["wrong_names"] == 1.0


def test_words_are_those_of_the_text_and_invented_ones_stand_out():
    text = "The harbour board's chairwoman doesn't want a casino in Port Ellis."
    found = judge_consistency(DOCUMENT, text)
    assert len(found.words) == len(words(text))
    by_word = dict(zip((w.text for w in words(text)), found.words, strict=True))
    assert by_word["casino"] > by_word["harbour"]
    assert by_word["casino"] > by_word["Port"]


def test_a_span_is_as_bad_as_its_worst_word():
    text = "The board wants a casino."
    found = judge_consistency(DOCUMENT, text)
    assert span_probability(found, text, 0, len(text)) == max(found.words)
    assert span_probability(found, text, 4, 9) == found.words[1]
    assert math.isnan(span_probability(found, text, 3, 4))


def test_a_summary_without_a_word_is_unknown():
    for empty in ("", " \n", "..."):
        found = judge_consistency(DOCUMENT, empty)
        assert (found.probability, found.signals, found.words) == (0.5, {}, ())
        assert edited_probability(found) == 0.5
        assert not any(found.inconsistent(target) for target in (None, *precision_targets()))


def test_a_document_without_a_word_supports_nothing():
    found = judge_consistency("", FAITHFUL)
    assert found.probability < 0.3
    assert found.signals["pair_support"] < 0.01


def test_tokenized_text_reads_like_plain_text():
    plain = judge_consistency(DOCUMENT, "The board's spokesman didn't agree.")
    cut = judge_consistency(DOCUMENT, "The board 's spokesman did n't agree .")
    for name in ("novel_1grams", "novel_2grams", "contained", "pair_support"):
        assert plain.signals[name] == cut.signals[name]


def test_the_file_has_provenance_known_signals_and_their_signs():
    data = json.loads(pkgutil.get_data("lastmile.judge", "consistency.json"))
    assert data["provenance"]["command"] == "python bench/fit_consistency.py"
    for part in ("summary", "edited"):
        assert set(data[part]["weights"]) <= set(SUPPORTS)
        assert all(weight * SUPPORTS[name] > 0 for name, weight in data[part]["weights"].items())
    assert set(judge_consistency(DOCUMENT, FAITHFUL).signals) == set(SUPPORTS)
    assert set(data["redundancy"]["weights"]) <= set(redundancy_signals(Text(FAITHFUL), True))
    assert set(fitted()) == {"summary", "edited", "word", "redundancy"}


def test_thresholds_are_those_of_the_file_and_of_the_number_of_sentences():
    found = thresholds()
    assert set(found) == {"one_sentence", "several_sentences", "word"}
    assert all(0 < threshold < 1 for threshold in found.values())
    assert found["one_sentence"] < found["several_sentences"]
    for target in (None, *precision_targets()):
        for num_sentences, name in ((1, "one_sentence"), (2, "several_sentences"), (8, "several_sentences")):
            at = thresholds(target)[name]
            signals = {"sentences": float(num_sentences)}
            said = [Consistency(p, signals, ()).inconsistent(target) for p in (at - 0.01, at, at + 0.01)]
            assert said == [True, False, False]
    assert judge_consistency(DOCUMENT, "The board agreed.").signals["sentences"] == 1
    assert judge_consistency(DOCUMENT, "The board agreed. He left.").signals["sentences"] == 2


def test_a_higher_precision_means_fewer_alarms():
    loose, strict = map(thresholds, precision_targets())
    assert precision_targets() == (0.8, 0.9)
    assert strict["one_sentence"] < loose["one_sentence"] and strict["several_sentences"] < loose["several_sentences"]
    assert thresholds()["word"] < loose["word"] < strict["word"]
    with pytest.raises(InputError) as caught:
        thresholds(0.85)
    assert str(caught.value) == (
        "`precision` must be a target that a threshold was chosen for, `0.8`, `0.9`, got `0.85`"
    )


def test_logistic_by_hand():
    # 1 / (1 + exp(−(1 + 2 · 0.5 − 2))) = 1 / 2.
    assert Logistic(1.0, {"a": 2.0, "b": -2.0})({"a": 0.5, "b": 1.0, "c": 9.0}) == 0.5
    assert Logistic(1e6, {})({}) == pytest.approx(1.0)


def test_closeness_by_hand():
    # 25 words: 20 beyond the five that count as neighbours, which is the half-way distance.
    assert [closeness(d) for d in (1, 5, 25, 65)] == [1.0, 1.0, 0.5, 0.25]
    assert closeness(FAR) < 1e-4


def test_pairs_and_their_distance_by_hand():
    document = read_document("Ann Berg sold the boat. Tom bought a house.")
    grounding = Grounding(Text("Ann sold the house."), read_ground(document))
    # Ann(0) … sold(2): 2. sold(2) … house(8): 6 words and one border, 6 + 8. Ann … house: 8 + 8.
    assert sorted(grounding.pairs) == [(0, 1, 2), (0, 3, 16), (1, 3, 14)]


def test_sentences_with_and_without_capitals():
    assert sentence_numbers(Text("Mr. Berg left. He was ill.")) == [0, 0, 0, 1, 1, 1]
    assert sentence_numbers(Text("mr. berg left . he was ill .")) == [0, 0, 0, 1, 1, 1]
    assert sentence_numbers(Text("He paid approx. five euros.")) == [0] * 5
    assert sentence_numbers(Text("One line\nanother line")) == [0, 0, 1, 1]


def test_core_words_drop_what_hangs_on_others():
    assert core_words(Text("The club 's men did n't sing, it's late"))[1] == [
        "the", "club", "men", "did", "sing", "it", "late",
    ]  # fmt: skip


@given(
    st.text(max_size=60)
    | st.lists(st.sampled_from([*DOCUMENT.split(), "zebra", "n't", "'s", "99", "not"])).map(" ".join)
)
@settings(max_examples=200, deadline=None)
def test_any_text_has_a_probability_for_each_word(summary):
    found = judge_consistency(DOCUMENT, summary)
    assert 0 <= found.probability <= 1
    assert len(found.words) == len(words(summary))
    assert all(0 <= p <= 1 for p in found.words)
    assert 0 <= redundancy(summary) <= 1


@pytest.mark.parametrize("word", ["zebra", "Lisbon", "77"])
def test_an_invented_word_never_helps(word):
    spoiled = FAITHFUL.replace("northern", word)
    assert judge_consistency(DOCUMENT, spoiled).probability < judge_consistency(DOCUMENT, FAITHFUL).probability


def test_redundancy_rises_with_what_comes_again():
    once = "The board voted to deepen the channel. Fishermen fear for their oyster beds."
    reworded = "The board voted to deepen the channel. The board's vote will deepen the channel."
    twice = "The board voted to deepen the channel. The board voted to deepen the channel."
    loop = "The channel the channel the channel the channel the channel the channel."
    values = [redundancy(text) for text in (once, reworded, twice, loop)]
    assert values == sorted(values)
    assert values[0] < 0.2 < 0.5 < values[2]
    assert redundancy("") == 0.0

"""ROUGE equals `rouge_score`, for any text, any number of sentences and targets."""

import random
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score import rouge_scorer

from lastmile.corpus.text import sentences
from lastmile.errors import InputError
from lastmile.judge.rouge import ROUGE_TYPES, Rouge, has_tokens

ORACLES = {stemmed: rouge_scorer.RougeScorer(list(ROUGE_TYPES), use_stemmer=stemmed) for stemmed in (True, False)}
OURS = {stemmed: Rouge(use_stemmer=stemmed) for stemmed in (True, False)}

# Few different words, so that there is much to match in many ways; each sentence ends in a way the splitter sees.
small_words = st.sampled_from(
    ["the", "cat", "cats", "sat", "sitting", "on", "mat", "running", "run", "US", "u.s", "1,200"]
)
small_texts = st.lists(st.lists(small_words, max_size=9).map(" ".join), max_size=5).map(". Then ".join)
odd_texts = st.text(max_size=60) | st.text("aıİKſßΣéＡ１²Ⅷ .!?\n\u2028\u00a0'’-", max_size=40)


def on_lines(text):
    return "\n".join(sentence.text for sentence in sentences(text))


def assert_equal(target, summary, stemmed=True):
    """R1, R2, RL on the text as it is; Lsum on one sentence a line, which is what rouge_score asks for."""
    ours, plain = OURS[stemmed].score([target], summary), ORACLES[stemmed].score(target, summary)
    plain["rougeLsum"] = ORACLES[stemmed].score(on_lines(target), on_lines(summary))["rougeLsum"]
    for name in ROUGE_TYPES:
        expected = (plain[name].precision, plain[name].recall, plain[name].fmeasure)
        assert ours[name] == pytest.approx(expected, abs=1e-12, rel=0), (name, target, summary)


@given(target=small_texts, summary=small_texts, stemmed=st.booleans())
@settings(max_examples=800, deadline=None)
def test_row19_equal_on_sentences_that_match_in_many_ways(target, summary, stemmed):
    assert_equal(target, summary, stemmed)


@given(target=odd_texts, summary=odd_texts, stemmed=st.booleans())
@settings(max_examples=500, deadline=None)
def test_equal_on_odd_unicode(target, summary, stemmed):
    assert_equal(target, summary, stemmed)


@given(base=odd_texts | small_texts, seed=st.integers(0, 2**16))
@settings(max_examples=500, deadline=None)
def test_equal_on_a_shuffled_copy(base, seed):
    pieces = re.split(r"(\s+)", base)
    random.Random(seed).shuffle(pieces)
    assert_equal(base, "".join(pieces))


@pytest.mark.parametrize(
    ("target", "summary"),
    [
        ("", ""),
        ("", "a cat"),
        ("a cat", "..."),
        ("夏天", "夏天"),
        ("aa aa", "aa"),
        ("The cat sat.\nThe cat ran.", "The cat ran and sat. The cat."),
        ("one word", "word"),
        ("x " * 300 + "y " * 300, "y " * 200 + "x " * 500),
    ],
)
def test_equal_at_the_edges(target, summary):
    assert_equal(target, summary)


def test_by_hand():
    # Unigrams shared: the, cat, mat = 3 of 4 target and 3 of 5 summary words. F1 = 2·(3/5)(3/4) / (3/5 + 3/4) = 2/3.
    # Bigrams shared: (the, cat) = 1 of 3 and 1 of 4. LCS: the cat mat = 3.
    scores = Rouge().score(["the cat on mat"], "the cat saw a mat")
    assert scores["rouge1"] == pytest.approx((3 / 5, 3 / 4, 2 / 3))
    assert scores["rouge2"] == pytest.approx((1 / 4, 1 / 3, 2 / 7))
    assert scores["rougeL"] == pytest.approx((3 / 5, 3 / 4, 2 / 3))


def test_row19_lsum_takes_the_union_over_sentences_and_counts_no_word_twice():
    # Lin's example: target w1 w2 w3 w4 w5; sentences w1 w2 w6 w7 w8 and w1 w3 w8 w9 w5. Union w1 w2 w3 w5: 4 of 5.
    score = Rouge(("rougeLsum",)).score(["aa bb cc dd ee."], "aa bb ff gg hh.\naa cc hh ii ee.")["rougeLsum"]
    assert score.recall == pytest.approx(4 / 5)
    assert score.precision == pytest.approx(4 / 10)


@given(targets=st.lists(small_texts, min_size=1, max_size=4), summary=small_texts)
@settings(max_examples=200, deadline=None)
def test_several_targets(targets, summary):
    best, mean, first = (OURS[True].score(targets, summary, several) for several in ("best", "mean", "first"))
    alone = [OURS[True].score([target], summary) for target in targets]
    for name in ROUGE_TYPES:
        assert best[name] == alone[int(np.argmax([scores[name].f1 for scores in alone]))][name], "as score_multi"
        for at in range(3):
            assert mean[name][at] == pytest.approx(np.mean([scores[name][at] for scores in alone]))
        assert first[name] == alone[0][name]


def test_only_the_types_asked_for_in_their_order():
    assert list(Rouge(("rougeL", "rouge1")).score(["a"], "a")) == ["rougeL", "rouge1"]


@given(odd_texts)
@settings(deadline=None)
def test_has_tokens_says_whether_anything_can_match(text):
    assert has_tokens(text) == (ORACLES[True].score(text, text)["rouge1"].fmeasure == 1)


def test_errors():
    with pytest.raises(InputError, match=r"^ROUGE needs at least one target, got none$"):
        Rouge().score([], "a")
    with pytest.raises(InputError, match=r"^`several` must be one of best, mean, first, got `all`$"):
        Rouge().score(["a"], "a", "all")
    with pytest.raises(InputError, match=r"must be among rouge1, rouge2, rougeL, rougeLsum, got `rouge3`, `bleu`$"):
        Rouge(("rouge1", "rouge3", "bleu"))
    with pytest.raises(InputError, match=r"got none$"):
        Rouge(())

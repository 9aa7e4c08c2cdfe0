"""Semantic support: greedy matching by hand, documents read once, and models that see nothing but the word."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from readers import encoder_checkpoint
from tiny import SENTENCES

import lastmile.judge.semantic
from lastmile.corpus.text import words
from lastmile.judge.semantic import Semantic, load_semantic

VECTORS = {"rain": (1, 0), "snow": (0.6, 0.8), "sun": (0, 1), "night": (-1, 0)}


class Table:
    """An encoder by hand: each word's vector, wherever it stands; remembers what it read."""

    def __init__(self):
        self.texts = []

    def read(self, texts):
        self.texts += texts
        return [np.array([VECTORS[w.text] for w in words(t)], dtype=np.float32).reshape(-1, 2) for t in texts]


@pytest.fixture
def semantic():
    return Semantic(Table())


def test_each_word_takes_its_best_match_and_the_score_is_their_mean(semantic):
    # rain: 1 with itself. sun: max(0 · 1 + 1 · 0, 0.6 · 0 + 0.8 · 1) = 0.8 with snow. night: max(−1, −0.6) < 0.
    assert semantic.words([("rain snow", "sun rain night")])[0] == pytest.approx([0.8, 1.0, 0.0], abs=1e-6)
    assert semantic([("rain snow", "sun rain night")])[0] == pytest.approx(0.6, abs=1e-6)


def test_nothing_to_read(semantic):
    scores = semantic([("rain", ""), ("rain", "… !"), ("", "rain sun"), ("", "")])
    assert np.isnan(scores[[0, 1, 3]]).all(), "a summary without a word has no score"
    assert scores[2] == 0, "a document without a word supports nothing"
    assert semantic([]).shape == (0,)


def test_a_document_is_read_once_for_all_its_summaries(semantic):
    semantic([("rain", "sun"), ("rain", "snow"), ("sun", "rain")])
    semantic([("rain", "night")])
    assert semantic.encoder.texts == ["rain", "sun", "sun", "snow", "rain", "night"]


def test_the_cache_is_bounded_and_drops_what_was_not_asked_for_longest(semantic, monkeypatch):
    monkeypatch.setattr(lastmile.judge.semantic, "CACHE_BYTES", 16)  # two words of two float32 each
    for document in ("rain", "sun", "rain", "snow"):
        semantic([(document, "night")])
    assert list(semantic._kept) == ["rain", "snow"]
    # A document that no longer fits is read again, to the same scores.
    assert semantic([("sun rain snow", "sun")])[0] == 1
    assert semantic([("sun", "snow")])[0] == pytest.approx(0.8)


def test_many_pairs_are_read_in_parts_with_the_same_scores(semantic, monkeypatch):
    pairs = [(one, other) for one in ("rain", "snow sun", "night rain") for other in ("rain", "snow", "sun sun")]
    whole = semantic(pairs)
    monkeypatch.setattr(lastmile.judge.semantic, "PAIRS_AT_A_TIME", 2)
    monkeypatch.setattr(lastmile.judge.semantic, "CACHE_BYTES", 0)
    assert (Semantic(Table())(pairs) == whole).all()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return load_semantic(encoder_checkpoint(tmp_path_factory.mktemp("encoders") / "bert"))


@pytest.fixture(scope="module")
def by_word(tmp_path_factory):
    """An encoder that sees no context: a word is the same wherever it stands."""
    return load_semantic(encoder_checkpoint(tmp_path_factory.mktemp("encoders") / "flat", flat=True))


def test_scores_do_not_depend_on_batch_or_cache(tiny):
    pairs = [(" ".join(SENTENCES), text) for text in SENTENCES] + [(SENTENCES[0], SENTENCES[1]), (SENTENCES[0], "Rain")]
    together = tiny(pairs)
    alone = [Semantic(tiny.encoder)([pair])[0] for pair in pairs]
    assert together == pytest.approx(np.array(alone), abs=1e-5)
    assert (tiny(pairs) == together).all()
    # To the bit, whatever was read before: a run that is resumed must come to the same numbers.
    fresh, seasoned = Semantic(tiny.encoder), Semantic(tiny.encoder)
    seasoned([(" ".join(SENTENCES[:2]), "Rain"), pairs[0]])
    assert (fresh(pairs) == seasoned(pairs)).all()


@given(st.sampled_from(SENTENCES), st.sampled_from(SENTENCES))
def test_a_copy_scores_1_and_other_words_no_more(by_word, document, other):
    found = words(document)
    (copied,) = by_word([(document, document[found[1].end : found[6].end])])
    assert copied == pytest.approx(1, abs=1e-5)
    assert by_word([(document, other)])[0] <= copied + 1e-6


def test_scores_lie_in_0_to_1_and_carry_no_gradient(tiny):
    found = tiny.words([(SENTENCES[0], " ".join(SENTENCES))])[0]
    assert found.dtype == np.float32 and found.min() >= 0 and found.max() <= 1
    assert not any(parameter.requires_grad for parameter in tiny.encoder.model.parameters())

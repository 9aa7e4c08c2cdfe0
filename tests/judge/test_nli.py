"""Support by inference: the best sentence for each claim, by hand; what is shared is asked once."""

import numpy as np
import pytest
from readers import nli_checkpoint
from tiny import SENTENCES

import lastmile.judge.nli
from lastmile.judge.nli import Entailment, load_entailment

RAIN, SUN, SNOW = "Rain fell.", "The sun shone.", "Snow lay."
SAYS = {(RAIN, RAIN): 0.9, (SUN, RAIN): 0.2, (RAIN, SUN): 0.1, (SUN, SUN): 0.7, (RAIN, SNOW): 0.3, (SUN, SNOW): 0.4}


class Table:
    """A classifier by hand; remembers what it was asked."""

    def __init__(self):
        self.asked = []

    def pieces(self, text):
        return [text]

    def entailments(self, pairs):
        self.asked += pairs
        return np.array([SAYS[pair] for pair in pairs], dtype=np.float32)


@pytest.fixture
def entailment():
    return Entailment(Table())


def test_the_best_sentence_for_each_and_the_mean_over_the_summary(entailment):
    # Rain: max(0.9, 0.2). Snow: max(0.3, 0.4). Their mean: 0.65.
    assert entailment.sentences([(f"{RAIN} {SUN}", f"{RAIN} {SNOW}")])[0] == pytest.approx([0.9, 0.4])
    assert entailment([(f"{RAIN} {SUN}", f"{RAIN} {SNOW}")])[0] == pytest.approx(0.65)


def test_nothing_to_read(entailment):
    scores = entailment([(RAIN, ""), (RAIN, "…\n!"), ("", SUN)])
    assert np.isnan(scores[:2]).all() and scores[2] == 0
    assert entailment([]).shape == (0,) and entailment.model.asked == []


def test_sentences_without_words_have_no_part(entailment):
    assert entailment([(f"{RAIN}\n!!\n{SUN}", f"{SUN}\n–")])[0] == pytest.approx(0.7)
    assert entailment.model.asked == [(RAIN, SUN), (SUN, SUN)]


def test_what_samples_share_is_asked_once(entailment):
    document = f"{RAIN} {SUN}"
    entailment([(document, f"{RAIN} {SNOW}"), (document, f"{SNOW} {SUN}"), (document, RAIN)])
    entailment([(document, SNOW)])
    assert entailment.model.asked == [(d, s) for s in (RAIN, SNOW, SUN) for d in (RAIN, SUN)]


def test_the_cache_is_bounded_and_drops_what_was_not_asked_for_longest(entailment, monkeypatch):
    monkeypatch.setattr(lastmile.judge.nli, "CACHED_SENTENCES", 2)
    for sentence in (RAIN, SUN, RAIN, SNOW):
        entailment([(RAIN, sentence)])
    assert list(entailment._kept) == [(RAIN, RAIN), (RAIN, SNOW)]
    assert entailment([(RAIN, f"{RAIN} {SUN} {SNOW}")])[0] == pytest.approx((0.9 + 0.1 + 0.3) / 3)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return load_entailment(nli_checkpoint(tmp_path_factory.mktemp("nli") / "bert"))


def test_scores_do_not_depend_on_batch_or_cache(tiny, monkeypatch):
    pairs = [(" ".join(SENTENCES[:3]), text) for text in SENTENCES] + [(SENTENCES[0], " ".join(SENTENCES))]
    together = tiny(pairs)
    assert together == pytest.approx(np.array([Entailment(tiny.model)([pair])[0] for pair in pairs]), abs=1e-5)
    assert (tiny(pairs) == together).all()
    # To the bit, whatever was read before: a run that is resumed must come to the same numbers.
    fresh, seasoned = Entailment(tiny.model), Entailment(tiny.model)
    seasoned([pairs[3], (SENTENCES[0], SENTENCES[1])])
    assert (fresh(pairs) == seasoned(pairs)).all()
    monkeypatch.setattr(lastmile.judge.nli, "PAIRS_AT_A_TIME", 2)
    assert Entailment(tiny.model)(pairs) == pytest.approx(together, abs=1e-5)
    assert together.std() > 1e-3 and together.min() >= 0 and together.max() <= 1


def test_sentences_too_long_for_the_model_are_read_in_parts(tiny):
    endless = " and ".join(["rain fell on the islands"] * 40)
    parts = tiny.model.pieces(endless)
    assert len(parts) > 2
    expected = [max(tiny.model.entailments([(d, s) for d in parts])) for s in parts]
    assert tiny.sentences([(endless, endless)])[0] == pytest.approx(np.array(expected), abs=1e-5)

from __future__ import annotations

import pytest

from lastmile.corpus.describe import Lengths, describe, sample
from lastmile.records import Example

SPLIT = [
    Example("a", "Kim won the cup on Monday.", ("kim WON the race.", "Kim won.")),  # copied: kim won the = 3 of 4
    Example("b", "It rained.", ("Sun!",)),  # copied: nothing of 1
]


class Letters:
    """A tokenizer of one token a character and two special ones."""

    def __call__(self, texts, add_special_tokens=True, verbose=True):
        return {"input_ids": [[0] * (len(text) + 2 * add_special_tokens) for text in texts]}


def test_figures_by_hand():
    described = describe(SPLIT, tokenizer=Letters(), prefix="p:", max_document_tokens=20, max_summary_tokens=17)
    assert (described.examples, described.sampled, described.targets) == (2, 2, 1.5)
    assert described.document_words == Lengths(mean=4, median=4, p95=pytest.approx(5.8), longest=6)
    assert described.target_words.mean == 2.5
    assert described.coverage == pytest.approx((3 / 4 + 0) / 2)
    assert described.density == pytest.approx((9 / 4 + 0) / 2)
    # 2 of prefix, 26 and 10 characters, 2 special tokens: 30 and 14 tokens, of which the first is above 20.
    assert described.document_tokens == Lengths(mean=22, median=22, p95=pytest.approx(29.2), longest=30, cut=0.5)
    # 17 and 4 characters and the end marker: 18 and 5, of which the first is above 17.
    assert (described.target_tokens.longest, described.target_tokens.cut) == (18, 0.5)


def test_without_a_tokenizer_no_tokens_are_told():
    described = describe(SPLIT)
    assert described.document_tokens is None and described.target_tokens is None


def test_a_target_without_words_has_no_share():
    assert describe([*SPLIT, Example("c", "x", (":-)",))]).coverage == pytest.approx(3 / 8)
    assert describe([Example("c", "x", (":-)",))]).coverage is None


def test_a_sample_is_seeded_and_no_larger_than_the_split():
    split = [Example(str(n), "d", ("t",)) for n in range(100)]
    drawn = [example.id for example in sample(split, 10, seed=1)]
    assert drawn == [example.id for example in sample(split, 10, seed=1)]
    assert drawn != [example.id for example in sample(split, 10, seed=2)]
    assert len(set(drawn)) == 10 and describe(split, count=10).sampled == 10
    assert len(sample(split, 1000, seed=1)) == 100

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from lastmile.corpus import tokens
from lastmile.corpus.splits import cache_folder
from lastmile.corpus.tokens import TokenizedSplit, bucketed_batches, tokenize_split, tokenizer_hash
from lastmile.records import Example

WORDS = [f"w{n}" for n in range(60)]
# Family to template, named special tokens and the model's end marker: BERT-style tokenizers have no `eos_token`.
FAMILIES = {
    "bart": ("<s> $A </s>", {"bos_token": "<s>", "eos_token": "</s>"}, "</s>"),
    "t5": ("$A </s>", {"eos_token": "</s>"}, "</s>"),
    "bert": ("[CLS] $A [SEP]", {"cls_token": "[CLS]", "sep_token": "[SEP]"}, "[SEP]"),
}


def tokenizer_of(family: str, words: list[str] = WORDS) -> tuple[PreTrainedTokenizerFast, int]:
    template, named, end = FAMILIES[family]
    special = [token for token in template.split() if token != "$A"]
    vocabulary = {token: n for n, token in enumerate(["<pad>", "<unk>", *special, *"</>[]sSEP", *words])}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation()])
    backend.post_processor = processors.TemplateProcessing(
        single=template, special_tokens=[(token, vocabulary[token]) for token in special]
    )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="<pad>", unk_token="<unk>", **named)
    return tokenizer, vocabulary[end]


def example(number: int, num_document: int, num_target: int) -> Example:
    draw = np.random.default_rng(number)
    return Example(str(number), " ".join(draw.choice(WORDS, num_document)), (" ".join(draw.choice(WORDS, num_target)),))


SPLIT = [example(n, 3 + n % 50, 1 + n % 20) for n in range(600)]


def tokenized(split=SPLIT, family: str = "bart", **settings) -> TokenizedSplit:
    tokenizer, end = tokenizer_of(family)
    defaults = {"eos_id": end, "max_document_tokens": 40, "max_summary_tokens": 16, "progress": False}
    return tokenize_split(split, tokenizer, **(defaults | settings))


@pytest.mark.parametrize("family", FAMILIES)
def test_documents_keep_the_closing_token_and_targets_end_once(family):
    tokenizer, end = tokenizer_of(family)
    made = tokenized(family=family)
    batch = made.batch(range(len(SPLIT)), pad_id=tokenizer.pad_token_id)
    assert batch.examples == tuple(SPLIT)
    for n, row in enumerate(SPLIT):
        document = batch.document_ids[n][batch.document_mask[n]].tolist()
        whole = tokenizer(row.document)["input_ids"]
        closing = whole[-1:]
        assert document == (whole if len(whole) <= 40 else whole[:39] + closing)
        target = batch.target_ids[n][batch.target_mask[n]].tolist()
        assert target == [*tokenizer(row.target, add_special_tokens=False)["input_ids"][:15], end]
        assert target.count(end) == 1
        assert (made.document_lengths[n], made.summary_lengths[n]) == (len(document), len(target))


@pytest.mark.parametrize("family", FAMILIES)
def test_text_that_looks_like_an_end_marker_is_text(family):
    _, end = tokenizer_of(family)
    looks = FAMILIES[family][2]
    batch = tokenized([Example("a", f"w1 {looks} w2", (f"w3 {looks} w4",))], family).batch([0], 0)
    assert batch.document_ids[0].tolist().count(end) == 1
    assert batch.target_ids[0].tolist().count(end) == 1
    assert batch.target_ids[0, batch.target_mask[0].sum() - 1] == end


def test_the_prefix_stands_before_every_document():
    before = tokenized([Example("a", "w5 w6", ("w1",))], prefix="w7 ").batch([0], 0)
    inside = tokenized([Example("a", "w7 w5 w6", ("w1",))]).batch([0], 0)
    assert torch.equal(before.document_ids, inside.document_ids)


def test_widths_are_multiples_and_stay_within_the_limits():
    made = tokenized()
    batch = made.batch([0, 1, 2], pad_id=3)
    assert batch.document_ids.shape == (3, 32) and batch.target_ids.shape == (3, 16)
    assert made.batch([47], pad_id=3).document_ids.shape == (1, 40)
    assert made.batch([0], pad_id=3, multiple=4).document_ids.shape == (1, 8)
    assert batch.document_ids.dtype == torch.int64 and batch.document_mask.dtype == torch.bool
    assert batch.document_mask.sum(1).tolist() == made.document_lengths[:3].tolist()
    assert (batch.document_ids[~batch.document_mask] == 3).all() and (batch.target_ids[~batch.target_mask] == 3).all()
    assert made.document_lengths.dtype == made.summary_lengths.dtype == np.int32


def test_documents_without_targets():
    made = tokenized([Example("a", "w1"), Example("b", "w1", ("w2",))])
    assert made.summary_lengths.tolist() == [0, 2]
    assert made.batch([0], 0).target_ids.shape == (1, 0)
    assert made.batch([0, 1], 0, multiple=2).target_mask.tolist() == [[False, False], [True, True]]


def test_a_target_of_one_token_is_the_end_marker():
    _, end = tokenizer_of("t5")
    assert tokenized(family="t5", max_summary_tokens=1).batch([5], 0).target_ids.tolist() == [[end]]


def test_tokens_are_made_once(monkeypatch):
    first = tokenized()
    monkeypatch.setattr(tokens, "_token_batches", lambda *_: pytest.fail("tokenized twice"))
    again = tokenized()
    assert torch.equal(first.batch([7], 0).document_ids, again.batch([7], 0).document_ids)


@pytest.mark.parametrize(
    "change",
    [
        {"prefix": "w1 "},
        {"max_document_tokens": 39},
        {"max_summary_tokens": 15},
        {"eos_id": 9},
        {"family": "t5"},
        {"split": SPLIT[:-1]},
    ],
    ids=str,
)
def test_any_change_of_what_goes_in_makes_other_tokens(change):
    tokenized()
    tokenized(**change)
    assert len(list((cache_folder() / "tokens").iterdir())) == 2


def test_the_tokenizer_is_known_by_its_content():
    one, _ = tokenizer_of("bart")
    other, _ = tokenizer_of("bart")
    fresh = tokenizer_hash(one)
    one("w1 w2 w3", truncation=True, max_length=3, padding="max_length", split_special_tokens=True)
    assert tokenizer_hash(one) == fresh == tokenizer_hash(other)
    swapped, _ = tokenizer_of("bart", [*WORDS[1:], WORDS[0]])
    other.truncation_side = "left"
    assert len({fresh, tokenizer_hash(swapped), tokenizer_hash(other), tokenizer_hash(tokenizer_of("t5")[0])}) == 4


def test_a_run_that_dies_leaves_no_half_cache():
    class Dies(list):
        def __getitem__(self, index):
            if index == 400:
                raise KeyboardInterrupt
            return super().__getitem__(index)

    dying = Dies(SPLIT)
    with pytest.raises(KeyboardInterrupt):
        tokens.write_arrow(
            cache_folder() / "tokens" / "x.arrow",
            tokens.SCHEMA,
            tokens._token_batches((dying[n] for n in range(600)), *tokenizer_of("bart"), "", 40, 16),
        )
    assert list((cache_folder() / "tokens").iterdir()) == []


def test_a_given_cache_folder_is_used(tmp_path):
    tokenized(cache_folder=tmp_path / "here")
    assert len(list((tmp_path / "here").iterdir())) == 1 and not (cache_folder() / "tokens").exists()


def test_a_tokenized_split_travels_to_other_processes():
    made = tokenized()
    sent = pickle.loads(pickle.dumps(made))
    assert torch.equal(sent.batch([3, 1], 0).target_ids, made.batch([3, 1], 0).target_ids)
    assert sent.example(3) == SPLIT[3] and len(sent) == 600


def test_progress_is_talk(capsys):
    tokenized(progress=True)
    out, err = capsys.readouterr()
    assert out == "" and "600/600" in err and "a second" in err


@given(
    st.lists(st.integers(1, 500), max_size=300), st.integers(1, 9), st.integers(0, 3), st.integers(0, 3), st.booleans()
)
def test_every_index_comes_once(lengths, size, seed, epoch, drop_last):
    batches = bucketed_batches(np.array(lengths, dtype=np.int32), size, seed=seed, epoch=epoch, drop_last=drop_last)
    indices = [int(index) for batch in batches for index in batch]
    assert len(set(indices)) == len(indices) == (len(lengths) // size * size if drop_last else len(lengths))
    assert set(indices) <= set(range(len(lengths)))
    assert sorted(map(len, batches))[1:] == [size] * (len(batches) - 1)


def test_batches_are_of_like_length_and_shuffled():
    lengths = np.random.default_rng(0).lognormal(5, 0.6, 12_000).astype(np.int32) + 1
    batches = bucketed_batches(lengths, 16, seed=1, epoch=0)
    padded = sum(len(batch) * int(lengths[batch].max()) for batch in batches)
    assert 1 - lengths.sum() / padded < 0.1
    plain = sum(len(batch) * int(lengths[batch].max()) for batch in np.arange(12_000).reshape(-1, 16))
    assert 1 - lengths.sum() / plain > 0.3
    means = np.array([lengths[batch].mean() for batch in batches])
    assert abs(np.corrcoef(means[1:], means[:-1])[0, 1]) < 0.1
    assert batches[0].tolist() == bucketed_batches(lengths, 16, seed=1, epoch=0)[0].tolist()
    for seed, epoch in ((1, 1), (2, 0)):
        assert batches[0].tolist() != bucketed_batches(lengths, 16, seed=seed, epoch=epoch)[0].tolist()


def test_what_is_dropped_is_drawn_at_random():
    lengths = np.arange(1000, dtype=np.int32)
    dropped = set()
    for epoch in range(20):
        kept = np.concatenate(bucketed_batches(lengths, 16, seed=1, epoch=epoch, drop_last=True))
        dropped |= set(range(1000)) - set(kept.tolist())
    assert len(dropped) > 100 and min(dropped) < 200

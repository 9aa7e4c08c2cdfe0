"""A split in figures: how long, how much the model would not see, how extractive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lastmile.corpus.extractiveness import coverage, density, extractive_fragments
from lastmile.corpus.text import lower_words
from lastmile.records import Example, Split

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class Lengths:
    """Lengths of many texts.

    Attributes:
        mean: Their mean.
        median: Half are at most this long.
        p95: 95 % are at most this long.
        longest: The longest.
        cut: Share of those above the limit, where there is one; else None.
    """

    mean: float
    median: float
    p95: float
    longest: int
    cut: float | None = None

    @classmethod
    def of(cls, lengths: Sequence[int], limit: int | None = None) -> Lengths:
        """Sum up at least one length."""
        found = np.asarray(lengths)
        cut = None if limit is None else float(np.mean(found > limit))
        median, p95 = (float(value) for value in np.quantile(found, [0.5, 0.95]))
        return cls(float(found.mean()), median, p95, int(found.max()), cut)


@dataclass(frozen=True, slots=True)
class Description:
    """A split in figures, over a sample of its examples.

    Attributes:
        examples: Examples in the split.
        sampled: Examples that the figures below are over.
        targets: Mean number of targets of a document.
        document_words: Words of a document.
        target_words: Words of a first target.
        coverage: Mean share of a first target's words that are copied from the document; None if no target has words.
        density: Mean length, in words, of the copied fragment that a word of a first target stands in; None likewise.
        document_tokens: Tokens of a document with prefix and special tokens, before any cut; None without a tokenizer.
        target_tokens: Tokens of a first target with its end marker, before any cut; None without a tokenizer.
    """

    examples: int
    sampled: int
    targets: float
    document_words: Lengths
    target_words: Lengths
    coverage: float | None
    density: float | None
    document_tokens: Lengths | None = None
    target_tokens: Lengths | None = None


def sample(split: Split, count: int, seed: int) -> list[Example]:
    """At most `count` examples drawn with `seed`, in the order of the draw."""
    return [split[int(index)] for index in np.random.default_rng(seed).permutation(len(split))[:count]]


def describe(
    split: Split,
    *,
    count: int = 1000,
    seed: int = 1,
    tokenizer: PreTrainedTokenizerBase | None = None,
    prefix: str = "",
    max_document_tokens: int = 512,
    max_summary_tokens: int = 128,
) -> Description:
    """Measure a sample of a split that has at least one example; every example needs a target.

    Words are lower-cased for coverage and density, as published (Grusky et al. 2018).
    """
    examples = sample(split, count, seed)
    documents = [lower_words(example.document) for example in examples]
    targets = [lower_words(example.target) for example in examples]
    # A target without any word (a lone emoticon as the subject of a mail) has no share to speak of.
    copied = [
        (extractive_fragments(document, target), len(target))
        for document, target in zip(documents, targets, strict=True)
        if target
    ]
    tokens: dict[str, Lengths] = {}
    if tokenizer is not None:
        ids = tokenizer([prefix + example.document for example in examples], verbose=False)["input_ids"]
        tokens["document_tokens"] = Lengths.of([len(row) for row in ids], max_document_tokens)
        ids = tokenizer([example.target for example in examples], add_special_tokens=False, verbose=False)["input_ids"]
        tokens["target_tokens"] = Lengths.of([len(row) + 1 for row in ids], max_summary_tokens)
    return Description(
        examples=len(split),
        sampled=len(examples),
        targets=float(np.mean([len(example.targets) for example in examples])),
        document_words=Lengths.of([len(document) for document in documents]),
        target_words=Lengths.of([len(target) for target in targets]),
        coverage=float(np.mean([coverage(*pair) for pair in copied])) if copied else None,
        density=float(np.mean([density(*pair) for pair in copied])) if copied else None,
        **tokens,
    )

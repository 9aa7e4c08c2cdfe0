"""The frozen records that pass between rooms. No behaviour beyond derived views; no torch at import."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Example:
    """One document and the summaries that people wrote for it.

    Attributes:
        id: Unique within its split; stable across runs.
        document: The text to summarize.
        targets: One or more human summaries; the first is the one trained on. Empty when only summarizing.
        facts: Fact name to accepted surface forms, where a generator knows them (the `demo` corpus); else empty.
    """

    id: str
    document: str
    targets: tuple[str, ...] = ()
    facts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def target(self) -> str:
        """The first target: what the likelihood stage trains on."""
        return self.targets[0]


class Split(Protocol):
    """A split of a corpus: a sequence of examples that need not lie in memory."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> Example: ...
    def __iter__(self) -> Iterator[Example]: ...


@dataclass(frozen=True, slots=True)
class Corpus:
    """A named corpus with its splits.

    Attributes:
        name: As the user named it (`cnn_dm`, `my.jsonl`).
        train: Documents to learn from.
        validation: Documents to choose checkpoints and settings by.
        test: Documents to report on, once.
        fingerprint: SHA-256 over the rows of all splits; stored with every number computed from them.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    fingerprint: str


@dataclass(frozen=True, slots=True)
class TokenBatch:
    """B examples as token ids, padded at the end.

    Attributes:
        examples: The B examples, in the rows' order.
        document_ids: `(B, S)` int64, prefix and special tokens included, cut at `data.max_document_tokens`.
        document_mask: `(B, S)` bool; True where `document_ids` is no padding.
        target_ids: `(B, T)` int64 of the first target: no decoder start, the model's end marker last and once.
        target_mask: `(B, T)` bool; True where `target_ids` is no padding (the end marker included).
    """

    examples: tuple[Example, ...]
    document_ids: Tensor
    document_mask: Tensor
    target_ids: Tensor
    target_mask: Tensor


@dataclass(frozen=True, slots=True)
class Flag:
    """A fault found in a summary.

    Attributes:
        name: Which fault (`repetition`, `unsupported_entity`, …).
        start: Index of the first flagged character of the summary.
        end: One past the last. `start == end` for faults of the whole summary (`empty`, `length`).
        text: `summary[start:end]`.
        evidence: What the flag rests on: nearest passage of the document, or the reason in a few words.
        cost: ≥ 0, in the flag's own unit before the coefficient; 1.0 is "one fault".
    """

    name: str
    start: int
    end: int
    text: str
    evidence: str = ""
    cost: float = 1.0


@dataclass(frozen=True, slots=True)
class Summary:
    """A summary as a system produced it.

    Attributes:
        text: The decoded text.
        ended: False when it was cut at the length limit before its end marker.
    """

    text: str
    ended: bool = True


@dataclass(frozen=True, slots=True)
class Scores:
    """What the judge says of B documents with K summaries each.

    Attributes:
        rewards: Reward name to `(B, K)` float64 array, unweighted; NaN where it could not be computed.
        penalties: Flag name to `(B, K)` float64 array of summed costs, before coefficients.
        flags: `flags[b][k]` lists the flags of summary k of document b.
        total: `(B, K)` float64: Σ weight · reward − Σ coefficient · penalty; NaN where any reward is NaN.
    """

    rewards: Mapping[str, np.ndarray]
    penalties: Mapping[str, np.ndarray]
    flags: Sequence[Sequence[tuple[Flag, ...]]]
    total: np.ndarray


@dataclass(frozen=True, slots=True)
class Rollout:
    """K sampled summaries for each of B documents: the token ids as they were drawn, never decoded and read again.

    Attributes:
        summary_ids: `(B, K, T)` int64, forced prefix excluded, padded at the end.
        summary_mask: `(B, K, T)` bool; True where a token was drawn, the end marker included.
        ended: `(B, K)` bool; False where the summary was cut at the limit.
        log_probs: `(B, K, T)` float32 natural log-probabilities under the sampling distribution; 0 where masked.
        kept: `(N, M)` int64 with -1 as filler: for each drawn token, in row-major order of `summary_mask`, the ids
            that top-k / top-p kept; None without truncation.
    """

    summary_ids: Tensor
    summary_mask: Tensor
    ended: Tensor
    log_probs: Tensor
    kept: Tensor | None = None

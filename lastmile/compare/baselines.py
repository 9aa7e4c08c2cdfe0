"""Rivals that cost nothing to train: the lead, the targets themselves, and n-best reranking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lastmile.compare.systems import LEAD, TARGET, System
from lastmile.corpus.text import sentences
from lastmile.errors import InputError
from lastmile.records import Example, Summary


def lead(document: str, count: int = 3) -> str:
    """The first sentences of a document, joined by spaces; for a dialogue these are its first turns.

    >>> lead("One. Two. Three. Four.")
    'One. Two. Three.'
    """
    return " ".join(sentence.text for sentence in sentences(document)[:count])


def lead_system(examples: Sequence[Example]) -> System:
    """The system `lead-3`."""
    return System(LEAD, tuple(Summary(lead(example.document)) for example in examples), family=LEAD)


def target_system(examples: Sequence[Example]) -> System:
    """The human targets as a system: the first target of each document.

    Raises:
        InputError: If a document has none.
    """
    without = [example.id for example in examples if not example.targets]
    if without:
        raise InputError(f"{len(without)} of {len(examples)} documents have no target (first: `{without[0]}`)")
    return System(TARGET, tuple(Summary(example.target) for example in examples), family=TARGET)


def without_first_target(examples: Sequence[Example]) -> list[Example]:
    """The examples that `target_system` is scored on: a target is no judge of itself, only of the other targets.

    Where a document has one target none is left, and ROUGE does not apply.
    """
    return [replace(example, targets=example.targets[1:]) for example in examples]


def rerank(candidates: Sequence[Sequence[Summary]], scores: np.ndarray) -> tuple[Summary, ...]:
    """Keep the best-scored candidate of each document; the first of equals, and the first where none has a score.

    Args:
        candidates: `candidates[b][k]`, K for each of B documents.
        scores: `(B, K)`, higher is better; NaN marks a candidate that could not be scored.

    Raises:
        InputError: If the scores do not fit the candidates.
    """
    shape = (len(candidates), *sorted({len(some) for some in candidates}))
    if scores.shape != shape:
        raise InputError(f"one score is needed for each candidate: got scores {scores.shape} for candidates {shape}")
    best = np.argmax(np.where(np.isnan(scores), -np.inf, scores), axis=1)
    return tuple(some[k] for some, k in zip(candidates, best, strict=True))

"""Support by inference: how far some sentence of the document entails each sentence of the summary."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from lastmile.corpus.text import sentences, words

if TYPE_CHECKING:
    import torch

    from lastmile.policy.nli import NLI

PAIRS_AT_A_TIME = 64
CACHED_SENTENCES = 8192


class Entailment:
    """Entailment of the summary's sentences by the document's, one against one.

        score = mean over sentences s of the summary of max over sentences d of the document of P(d entails s)

    Every pair is read: none is left out for looking hopeless. It needs no target. The sentences last judged are kept
    with their documents, so that what several samples of a document share is read once. No gradient flows.

    Source: Laban et al. (2022), "SummaC: Re-Visiting NLI-based Models for Inconsistency Detection in Summarization",
        the zero-shot model.
    Differs: entailment alone, where their code takes contradiction off it; no sentence is dropped for being short or
        late; what is too long for the model is read in parts that count as sentences, where theirs is cut.
    """

    def __init__(self, model: NLI) -> None:
        self.model = model
        self._kept: dict[tuple[str, str], float] = {}

    def to(self, device: torch.device | str) -> Entailment:
        """Move the model; returns self."""
        self.model.to(device)
        return self

    def __call__(self, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
        """Score summaries.

        Args:
            pairs: N documents with their summaries.

        Returns:
            `(N,)` float64 in 0..1; NaN for a summary without a word.
        """
        return np.array([np.mean(found) if len(found) else np.nan for found in self.sentences(pairs)])

    def sentences(self, pairs: Sequence[tuple[str, str]]) -> list[np.ndarray]:
        """`(S,)` float64 in 0..1 for each pair: how far the document entails the summary's sentences with words."""
        found = []
        for start in range(0, len(pairs), PAIRS_AT_A_TIME):
            part = pairs[start : start + PAIRS_AT_A_TIME]
            claims = [[(document, piece) for piece in self._pieces(summary)] for document, summary in part]
            entailed = self._entailed(list(chain.from_iterable(claims)))
            found += [np.array([entailed[claim] for claim in row]) for row in claims]
        return found

    def _entailed(self, claims: Sequence[tuple[str, str]]) -> dict[tuple[str, str], float]:
        """How far each document entails a sentence; the oldest kept answers go when there are too many.

        Each is asked by itself, against all sentences of its document: what is read beside a pair moves its answer in
        the last digits, and a run that goes on after an interruption has nothing kept.
        """
        premises = {document: self._pieces(document) for document, _ in claims}
        found = {}
        for document, sentence in dict.fromkeys(claims):
            value = self._kept.pop((document, sentence), None)
            if value is None:
                answers = self.model.entailments([(premise, sentence) for premise in premises[document]])
                value = float(answers.max(initial=0.0))
            found[document, sentence] = self._kept[document, sentence] = value
        for claim in list(self._kept)[: max(0, len(self._kept) - CACHED_SENTENCES)]:
            del self._kept[claim]
        return found

    def _pieces(self, text: str) -> list[str]:
        """The sentences with words, those too long for the model in parts."""
        return [piece for one in sentences(text) for piece in self.model.pieces(one.text) if words(piece)]


def load_entailment(name: str, revision: str | None = None) -> Entailment:
    """Entailment by a classifier of the hub or a folder.

    Raises:
        InputError: See `lastmile.policy.nli.load_nli`.
    """
    from lastmile.policy.nli import load_nli

    return Entailment(load_nli(name, revision))

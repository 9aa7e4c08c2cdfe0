"""Support by meaning: how near each word of a summary comes to some word of its document, as an encoder reads both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

    from lastmile.policy.encoder import Encoder

PAIRS_AT_A_TIME = 64
CACHE_BYTES = 2**28


class Semantic:
    """Greedy matching of a summary's words to its document's.

        support(w) = max(0, max over words v of the document of cos(e(w), e(v)))
        score = mean of the support over the words of the summary

    with e(w) a word's vector in its context. It is BERTScore's precision with the document for reference. It needs no
    target. What is copied has support near 1, so it rewards copying: give `copy` a price beside it.

    The vectors of the documents last seen are kept, up to `CACHE_BYTES`: a document is read once for all its summaries.
    No gradient flows.

    Source: Zhang et al. (2020), "BERTScore: Evaluating Text Generation with BERT".
    Differs: words, not subword tokens, are matched, and no punctuation; no idf; no rescaling.
    """

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        self._kept: dict[str, np.ndarray] = {}

    def to(self, device: torch.device | str) -> Semantic:
        """Move the encoder; returns self."""
        self.encoder.to(device)
        return self

    def __call__(self, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
        """Score summaries.

        Args:
            pairs: N documents with their summaries.

        Returns:
            `(N,)` float64 in 0..1; NaN for a summary without a word.
        """
        return np.array([np.mean(found, dtype=np.float64) if len(found) else np.nan for found in self.words(pairs)])

    def words(self, pairs: Sequence[tuple[str, str]]) -> list[np.ndarray]:
        """`(W,)` float32 in 0..1 for each pair: the support of the summary's words, by `lastmile.corpus.text.words`."""
        found = []
        for start in range(0, len(pairs), PAIRS_AT_A_TIME):
            part = pairs[start : start + PAIRS_AT_A_TIME]
            documents = self._documents([document for document, _ in part])
            summaries = self.encoder.read([summary for _, summary in part])
            for (document, _), own in zip(part, summaries, strict=True):
                found.append((own @ documents[document].T).max(axis=1, initial=0.0).clip(0.0, 1.0))
        return found

    def _documents(self, texts: Sequence[str]) -> dict[str, np.ndarray]:
        """Each text's vectors; the oldest kept ones go when there are too many.

        Each is read by itself: what is read beside a text moves its vectors in the last digits, and a run that goes on
        after an interruption has nothing kept.
        """
        found = {}
        for text in dict.fromkeys(texts):
            kept = self._kept.pop(text, None)
            found[text] = self._kept[text] = self.encoder.read([text])[0] if kept is None else kept
        size = sum(vectors.nbytes for vectors in self._kept.values())
        while size > CACHE_BYTES:
            size -= self._kept.pop(next(iter(self._kept))).nbytes
        return found


def load_semantic(name: str, revision: str | None = None) -> Semantic:
    """Semantic support with an encoder of the hub or a folder.

    Raises:
        InputError: See `lastmile.policy.encoder.load_encoder`.
    """
    from lastmile.policy.encoder import load_encoder

    return Semantic(load_encoder(name, revision))

"""Any encoder of transformers, asked for one vector for each word of a text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from transformers import AutoModel, PreTrainedModel, PreTrainedTokenizerBase

from lastmile.corpus.text import Span, words
from lastmile.errors import InputError
from lastmile.policy.pretrained import (
    full_precision,
    like_lengths,
    load_config,
    load_pretrained,
    longest_input,
    only_decodes,
)

LONGEST_WINDOW = 512
TOKENS_A_BATCH = 4096
DEPTH = 5 / 6  # of the layers, rounded: chosen on labelled summaries, see docs/flags/semantic.md


class Encoder:
    """Reads words in their context; a text longer than the model's limit in windows that overlap by a quarter.

    Attributes:
        model: The encoder, frozen; of an encoder-decoder its encoder alone.
        tokenizer: Its tokenizer, a fast one, which knows where in the text a token stands.
        max_tokens: Longest window, special tokens included.
    """

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
        self.max_tokens = longest_input(model, tokenizer, LONGEST_WINDOW)
        encoder = model.get_encoder() if model.config.is_encoder_decoder else model
        self.model, self.tokenizer = encoder.requires_grad_(False).eval(), tokenizer

    def to(self, device: torch.device | str) -> Encoder:
        """Move the model; returns self."""
        self.model.to(device)
        return self

    def read(self, texts: Sequence[str]) -> list[np.ndarray]:
        """The words of each text, as `lastmile.corpus.text.words` finds them, as vectors of length 1.

        A word's vector is the mean over its tokens' states at `DEPTH`. Where two windows hold a word, the one counts in
        which it stands further from a cut.

        Returns:
            For each text `(W, D)` float32; rows of 0 for words that the tokenizer has no token for.
        """
        if not texts:
            return []
        room = self.max_tokens - self.tokenizer.num_special_tokens_to_add()
        encoded = self.tokenizer(
            list(texts),
            truncation=True,
            max_length=self.max_tokens,
            stride=room // 4,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
            split_special_tokens=True,
        )
        windows, owners = encoded["input_ids"], encoded["overflow_to_sample_mapping"]
        spans = [words(text) for text in texts]
        at = [_word_at(text, found) for text, found in zip(texts, spans, strict=True)]
        read = [np.zeros((len(found), self.model.config.hidden_size), dtype=np.float32) for found in spans]
        margins = [np.full(len(found), -1) for found in spans]
        for batch in like_lengths([len(ids) for ids in windows], TOKENS_A_BATCH):
            states = self._states([windows[window] for window in batch])
            for row, window in zip(states, batch, strict=True):
                owner = owners[window]
                # The last letter decides: with some tokenizers a token begins with the space before it. Special tokens
                # end at 0, where `at` has no word.
                word_of = at[owner][np.array(encoded["offset_mapping"][window])[:, 1] - 1]
                cut = (window > 0 and owners[window - 1] == owner, owner in owners[window + 1 : window + 2])
                found, vectors, margin = _words_of(row[: len(word_of)], word_of, cut)
                better = margin > margins[owner][found]
                read[owner][found[better]] = vectors[better]
                margins[owner][found[better]] = margin[better]
        return [vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12) for vectors in read]

    def _states(self, rows: Sequence[Sequence[int]]) -> np.ndarray:
        """`(N, T, D)` float32: the states of N windows after `DEPTH` of the layers, padded at their end."""
        device = next(self.model.parameters()).device
        inputs = self.tokenizer.pad({"input_ids": list(rows)}, padding_side="right", return_tensors="pt").to(device)
        with full_precision(device):
            layers = self.model(
                input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], output_hidden_states=True
            ).hidden_states
        return layers[round(DEPTH * (len(layers) - 1))].float().cpu().numpy()


def check_encoder(name: str, revision: str | None = None) -> list[str]:
    """What is wrong with an encoder, from its config alone: one sentence each, before any weight is loaded."""
    try:
        config = load_config(name, revision)
    except InputError as error:
        return [str(error)]
    if only_decodes(config):
        return [
            f"`{name}` is a {config.model_type} model, a decoder, which sees no word to its right; an encoder is "
            "needed, e.g. `sentence-transformers/all-MiniLM-L6-v2`"
        ]
    return []


def load_encoder(name: str, revision: str | None = None) -> Encoder:
    """An encoder from the hub or a folder; the encoder of an encoder-decoder too.

    Raises:
        InputError: If there is no such model, it only decodes, its safetensors are missing or incomplete, or its
            tokenizer is slow or another model's.
    """
    if problems := check_encoder(name, revision):
        raise InputError.of(problems)
    # What pools or decodes has no part in a word's vector.
    model, tokenizer = load_pretrained(
        AutoModel, name, revision, is_read=lambda model, key: not key.startswith(("pooler.", "decoder."))
    )
    return Encoder(model, tokenizer)


def _word_at(text: str, found: Sequence[Span]) -> np.ndarray:
    """`(len(text) + 1,)` int64: the word that a character belongs to, −1 for none, as at the place behind the text."""
    at = np.full(len(text) + 1, -1)
    for number, word in enumerate(found):
        at[word.start : word.end] = number
    return at


def _words_of(
    states: np.ndarray, word_of: np.ndarray, cut: tuple[bool, bool]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The words of a window, their vectors, and how many tokens each stands from a cut.

    Args:
        states: `(T, D)` of a window.
        word_of: `(T,)` int64: which word a token is of, −1 for none.
        cut: Whether the text goes on before and behind the window.
    """
    places = np.flatnonzero(word_of >= 0)
    found, first, count = np.unique(word_of[places], return_index=True, return_counts=True)
    if not len(found):
        return found, states[:0], found
    vectors = np.add.reduceat(states[places], first, axis=0) / count[:, None]
    far = len(word_of)
    before = places[first] - places[0] if cut[0] else np.full(len(found), far)
    behind = places[-1] - places[first + count - 1] if cut[1] else np.full(len(found), far)
    return found, vectors, np.minimum(before, behind)

"""Let a model go on from the beginning of a target, and say how sure it was of each word that it wrote."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from lastmile.corpus.text import words
from lastmile.policy.policy import Policy
from lastmile.policy.sample import row_uniforms, write_on

NEW_TOKENS = 16
"""Written behind a beginning at most."""
_MOST_GIVEN = 128


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A target that a model has gone on with.

    Attributes:
        text: The beginning and what the model wrote, as the model's tokenizer spells them.
        sure: For each word of the text the probability with which the model wrote it: the product over its tokens.
            None for words that were given.
    """

    text: str
    sure: tuple[float | None, ...]


class Rewriter:
    """A likelihood model that writes on from beginnings of summaries.

    Args:
        policy: In evaluation mode.
        prefix: Put before every document.
        max_document_tokens: Of a longer document the end is not read.
        temperature: Of sampling; at 1 a model that was trained with label smoothing writes noise. Probabilities are
            those of the distribution that was sampled from.
    """

    def __init__(self, policy: Policy, prefix: str, max_document_tokens: int, temperature: float = 0.7) -> None:
        self.policy, self.prefix, self.temperature = policy, prefix, temperature
        self.max_document_tokens = max_document_tokens

    def spell(self, text: str) -> str:
        """The text as the model's tokenizer gives it back: in lower case, with other spaces, or as it was."""
        return self._read(self._tokens([text], _MOST_GIVEN)[0]).strip()

    def write_on(
        self, rows: Sequence[tuple[str, str, str]], seed: str, batch_size: int = 32
    ) -> Iterator[tuple[int, Rewritten]]:
        """Go on from each beginning until the model ends, or for `NEW_TOKENS`; a word that may be cut is left out.

        Args:
            rows: An id, a document and the beginning of a summary each. Its id and the seed decide what is drawn,
                whatever else is read beside it.
            seed: Of the draws.
            batch_size: Rows read together.

        Returns:
            The place of each row and what became of it; documents of like length come together.
        """
        order = sorted(range(len(rows)), key=lambda place: (len(rows[place][1]), place))
        for start in range(0, len(order), batch_size):
            part = order[start : start + batch_size]
            yield from zip(part, self._written([rows[place] for place in part], seed), strict=True)

    @torch.no_grad()
    def _written(self, rows: Sequence[tuple[str, str, str]], seed: str) -> list[Rewritten]:
        ids, documents, beginnings = zip(*rows, strict=True)
        read = self.policy.tokenizer(
            [self.prefix + document for document in documents],
            truncation=True,
            max_length=self.max_document_tokens,
            padding=True,
            split_special_tokens=True,
            return_tensors="pt",
        ).to(self.policy.device)
        encoded = self.policy.encode(read["input_ids"], read["attention_mask"].bool())
        given = self._tokens(beginnings, _MOST_GIVEN)
        begun = torch.full((len(rows), max(map(len, given))), -1)
        for place, tokens in enumerate(given):
            begun[place, : len(tokens)] = torch.tensor(tokens, dtype=torch.int64)
        uniforms = row_uniforms(seed, 0, ids, 1, _MOST_GIVEN + NEW_TOKENS + 1)[:, 0]
        rollout = write_on(self.policy, encoded, begun, uniforms, self.temperature, NEW_TOKENS)
        found = []
        for place, tokens in enumerate(given):
            written = rollout.summary_ids[place, 0][rollout.summary_mask[place, 0]].tolist()
            found.append(self._spelled(written, len(tokens), rollout.log_probs[place, 0].tolist()))
        return found

    def _spelled(self, tokens: list[int], num_given: int, log_probs: list[float]) -> Rewritten:
        """Text and words of a row; a token belongs to the word that its last letter lies in."""
        cut = len(tokens) > num_given + NEW_TOKENS
        if tokens[-1] == self.policy.eos_id:
            tokens = tokens[:-1]
        whole = self._read(tokens)
        text, before = whole.strip(), len(whole) - len(whole.lstrip())
        found = words(text)
        sure: list[float | None] = [None] * len(found)
        for place in range(num_given, len(tokens)):
            end = len(self._read(tokens[: place + 1])) - before
            at = next((k for k, word in enumerate(found) if word.start < end <= word.end), None)
            if at is not None:
                sure[at] = (1.0 if sure[at] is None else sure[at]) * math.exp(log_probs[place])
        if cut and found and found[-1].end == len(text):
            text, sure = text[: found[-1].start].rstrip(), sure[:-1]
        return Rewritten(text, tuple(sure))

    def _tokens(self, texts: Sequence[str], limit: int) -> list[list[int]]:
        return self.policy.tokenizer(
            text_target=list(texts),
            add_special_tokens=False,
            truncation=True,
            max_length=limit,
            split_special_tokens=True,
        )["input_ids"]

    def _read(self, tokens: Sequence[int]) -> str:
        return self.policy.tokenizer.decode(tokens, skip_special_tokens=True)

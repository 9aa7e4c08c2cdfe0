"""Summaries that end where they are told to, on both sides: random weights would never end by themselves.

Lengths are drawn once and given to ours and to the peer, row by row, so both write the same number of useful tokens.
The peer gets them through a logits processor, ours through its uniform numbers: the end marker is the last token of
the vocabulary, so a number just below 1 draws it, and numbers below 0.99 do not, as it has a probability of some 1/V.
Neither costs anything worth timing: the processor writes one column a step and one row of logits a summary.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from transformers import LogitsProcessor

from lastmile.errors import RunError
from lastmile.policy.policy import Policy
from lastmile.records import Rollout

LAST = float(np.nextafter(1.0, 0.0))
NEVER = (0, 1)
"""Padding and `<s>`: forbidden in greedy decoding on both sides, so that each token is seen in the text."""


def draw_lengths(rows: int, limit: int, seed: int) -> list[int]:
    """Tokens of each summary, end marker included: gamma distributed, in 2..limit.

    Mean 0.55 and deviation 0.22 of the limit, our choice: most summaries end well before a limit that cuts few of them.
    """
    mean, deviation = 0.55 * limit, 0.22 * limit
    drawn = np.random.default_rng([seed, limit]).gamma((mean / deviation) ** 2, deviation**2 / mean, rows)
    return np.clip(np.rint(drawn), min(2, limit), limit).astype(int).tolist()


def planned_uniforms(lengths: list[int], documents: int, limit: int, seed: int) -> Tensor:
    """`(B, K, limit)` numbers for `sample` whose rows end after `lengths` tokens; rows at the limit are cut there."""
    uniforms = np.random.default_rng(seed).random((len(lengths), limit)) * 0.99
    for row, length in enumerate(lengths):
        if length < limit:
            uniforms[row, length - 1] = LAST
    return torch.from_numpy(uniforms).view(documents, -1, limit)


def check_lengths(rollout: Rollout, lengths: list[int]) -> None:
    """What ours wrote is what was planned.

    Raises:
        RunError: If not; the figures would compare unlike work.
    """
    found = rollout.summary_mask.sum(-1).flatten().tolist()
    if found != lengths:
        raise RunError(f"summaries of {found} tokens were written, {lengths} were planned")


class PlannedEnds(LogitsProcessor):
    """Makes row r of `generate` end after `lengths[r]` tokens, and not before; rows at the limit are cut there."""

    def __init__(self, lengths: list[int], limit: int, eos_id: int, never: tuple[int, ...] = ()) -> None:
        self.ending: dict[int, list[int]] = {}
        for row, length in enumerate(lengths):
            if length < limit:
                self.ending.setdefault(length, []).append(row)  # beside the decoder start, one less is there by then
        self.eos_id, self.forbidden = eos_id, [eos_id, *never]

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """In place: the end marker is forbidden, but in rows that end now, where it is all there is."""
        scores[:, self.forbidden] = -torch.inf
        rows = self.ending.get(input_ids.shape[1])
        if rows:
            scores[rows] = -torch.inf
            scores[rows, self.eos_id] = 0.0
        return scores


class PlannedPolicy(Policy):
    """A policy whose greedy summaries end as planned, for one call after `plan`.

    Greedy decoding draws no numbers, so the end is put into the logits. Rows that ended leave in order, so the rows of
    a step are those with a longer plan; whoever decodes otherwise fails the check of lengths, not the measure.
    """

    def plan(self, lengths: list[int], limit: int) -> None:
        """Set the lengths of the rows of the next call."""
        self.lengths, self.limit, self.step = lengths, limit, 0

    def project(self, hidden: Tensor, packed_weight: Tensor | None = None) -> Tensor:
        """Logits with the end marker where it is due."""
        logits = super().project(hidden, packed_weight)
        logits[..., [self.eos_id, *NEVER]] = -torch.inf
        alive = [length for length in self.lengths if length > self.step]
        self.step += 1
        ending = [row for row, length in enumerate(alive) if length == self.step < self.limit]
        if ending:
            logits[ending] = -torch.inf
            logits[ending, ..., self.eos_id] = 0.0
        return logits


def planned_summaries(
    lengths: list[int], documents: int, limit: int, vocabulary: int, seed: int
) -> tuple[Tensor, Tensor]:
    """Random tokens in summaries of these lengths, as a rollout would hold them: `(B, K, T)` ids and mask.

    T is the longest length. Rows shorter than the limit end with the end marker; the ids after it are padding (0).
    """
    width = max(lengths)
    ids = torch.from_numpy(np.random.default_rng(seed).integers(2, vocabulary - 1, (len(lengths), width)))
    reach = torch.tensor(lengths)[:, None]
    mask = torch.arange(width) < reach
    ids[(torch.arange(width) == reach - 1) & (reach < limit)] = vocabulary - 1
    return ids.masked_fill(~mask, 0).view(documents, -1, width), mask.view(documents, -1, width)


def documents(num: int, tokens: int, vocabulary: int, seed: int, device: str = "cpu") -> tuple[Tensor, Tensor]:
    """`(B, S)` random document ids without padding, and their mask."""
    ids = torch.from_numpy(np.random.default_rng([seed, 1]).integers(2, vocabulary - 1, (num, tokens))).to(device)
    return ids, torch.ones_like(ids, dtype=torch.bool)

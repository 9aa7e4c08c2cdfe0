"""Draw K summaries for each document, token by token, each row from its own stream of random numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from lastmile.config import Sampling
from lastmile.policy.expanded import ExpandedStep
from lastmile.policy.policy import Encoded, Policy
from lastmile.policy.recorded import RecordedStep
from lastmile.policy.step import Step
from lastmile.records import Rollout, Summary


def row_uniforms(seed: int | str, step: int, ids: Sequence[str], num_samples: int, length: int) -> Tensor:
    """Uniform numbers for every row: `(B, K, length)` float64 in [0, 1).

    A row's stream depends on (run seed, step, example id, sample index) alone, so the same summaries are drawn
    whatever the batch layout, the number of devices, or a resume in between.
    """
    uniforms = np.empty((len(ids), num_samples, length))
    for b, example_id in enumerate(ids):
        for k in range(num_samples):
            key = hashlib.blake2b(f"{seed}\x1f{step}\x1f{example_id}\x1f{k}".encode(), digest_size=16).digest()
            bits = np.random.Philox(key=np.frombuffer(key, dtype=np.uint64))
            uniforms[b, k] = np.random.Generator(bits).random(length)
    return torch.from_numpy(uniforms)


@torch.no_grad()
def sample(policy: Policy, encoded: Encoded, uniforms: Tensor, settings: Sampling) -> Rollout:
    """Draw summaries from softmax(logits / temperature), truncated by top-k / top-p where asked.

    Args:
        policy: In evaluation mode; dropout would make the scores differ from the draws.
        encoded: B documents, read once.
        uniforms: `(B, K, T)` in [0, 1), one number a token; see `row_uniforms`.
        settings: Temperature, truncation.

    Returns:
        A rollout with T = `uniforms.shape[2]` or less.
    """
    uniforms = uniforms.to(encoded.states.device)

    def choose(logits: Tensor, rows: Tensor, step: int) -> tuple[Tensor, Tensor, Tensor | None]:
        logits = logits.float()
        if settings.temperature != 1.0:
            logits = logits.div_(settings.temperature)
        kept = keep(logits, settings.top_k, settings.top_p)
        if kept is not None:
            logits = logits.masked_fill(~kept, -torch.inf)
        tokens, log_probs = draw(logits, uniforms.flatten(0, 1)[rows, step])
        return tokens, log_probs, kept

    return _write(policy, encoded, uniforms.shape[1], uniforms.shape[2], choose)


@torch.no_grad()
def greedy(policy: Policy, encoded: Encoded, max_new_tokens: int) -> Rollout:
    """The most probable token at each step, one summary a document (K = 1)."""

    def choose(logits: Tensor, rows: Tensor, step: int) -> tuple[Tensor, Tensor, None]:
        logits = logits.float()
        top, tokens = logits.max(-1)
        return tokens, top - logits.logsumexp(-1), None

    return _write(policy, encoded, 1, max_new_tokens, choose)


@torch.no_grad()
def write_on(
    policy: Policy, encoded: Encoded, begun: Tensor, uniforms: Tensor, temperature: float, num_new: int
) -> Rollout:
    """Sample on from the beginnings of summaries, one a document (K = 1), from softmax(logits / temperature).

    Args:
        policy: In evaluation mode.
        encoded: B documents.
        begun: `(B, F)` int64 token ids that are given, −1 behind them.
        uniforms: `(B, T)` in [0, 1), one number a token, the given ones counted; T ≥ F + `num_new`.
        temperature: Divides the logits.
        num_new: Tokens at most that are written behind a beginning.

    Returns:
        A rollout whose rows start with what was given; log-probabilities of those tokens are 0. A row that was cut at
        `num_new` has an end marker behind it all the same.
    """
    uniforms, given = uniforms.to(encoded.states.device), begun.to(encoded.states.device)
    ends = (given >= 0).sum(-1) + num_new

    def choose(logits: Tensor, rows: Tensor, step: int) -> tuple[Tensor, Tensor, None]:
        tokens, log_probs = draw(logits.float().div_(temperature), uniforms[rows, step])
        if step < given.shape[1]:
            fixed = given[rows, step]
            tokens, log_probs = torch.where(fixed < 0, tokens, fixed), torch.where(fixed < 0, log_probs, 0.0)
        return torch.where(step < ends[rows], tokens, policy.eos_id), log_probs, None

    return _write(policy, encoded, 1, min(uniforms.shape[1], int(ends.max()) + 1), choose)


def read_summaries(policy: Policy, rollout: Rollout) -> list[list[Summary]]:
    """Decode a rollout's tokens to text, `[b][k]`; for the judge's eyes only."""
    samples = rollout.summary_ids.shape[1]
    texts = policy.tokenizer.batch_decode(rollout.summary_ids.flatten(0, 1), skip_special_tokens=True)
    flat = [Summary(text.strip(), ended) for text, ended in zip(texts, rollout.ended.flatten().tolist(), strict=True)]
    return [flat[start : start + samples] for start in range(0, len(flat), samples)]


def draw(logits: Tensor, uniforms: Tensor, block: int = 256) -> tuple[Tensor, Tensor]:
    """Invert the cumulative distribution: token v where CDF(v-1) ≤ u < CDF(v).

    The sum over V runs in two levels, over blocks in float64 and then within one block, which keeps rounding away
    from the tail and costs two passes over the logits.

    Args:
        logits: `(R, V)` float32; -inf where a token is cut away.
        uniforms: `(R,)` float64 in [0, 1).
        block: Tokens in a block.

    Returns:
        `(R,)` int64 tokens and `(R,)` float32 log-probabilities.
    """
    rows, vocabulary = logits.shape
    top = logits.amax(-1, keepdim=True)
    shifted = logits - top
    weights = logits.new_empty(rows, vocabulary + -vocabulary % block)
    weights[:, vocabulary:] = 0.0
    torch.exp(shifted, out=weights[:, :vocabulary])
    weights = weights.view(rows, -1, block)
    sums = weights.sum(-1).double().cumsum(-1)
    goal = uniforms[:, None] * sums[:, -1:]
    which = (sums <= goal).sum(-1).clamp_max_(sums.shape[1] - 1)
    every = torch.arange(rows, device=logits.device)
    before = torch.where(which > 0, sums[every, which - 1], 0.0)
    inside = weights[every, which].double()
    steps = inside.cumsum(-1)
    place = (steps <= goal - before[:, None]).sum(-1)
    last = torch.where(inside > 0, torch.arange(block, device=logits.device), -1).amax(-1)
    tokens = which * block + torch.minimum(place, last)
    return tokens, shifted.gather(-1, tokens[:, None])[:, 0] - sums[:, -1].log().float()


def keep(logits: Tensor, top_k: int, top_p: float) -> Tensor | None:
    """Which tokens top-k and top-p leave: `(R, V)` bool, or None where both are off.

    Top-p keeps the smallest set of most probable tokens whose mass reaches p (Holtzman et al. 2020).
    """
    if top_k == 0 and top_p == 1.0:
        return None
    order = logits.argsort(dim=-1, descending=True, stable=True)
    rank_kept = torch.ones_like(order, dtype=torch.bool)
    if top_k:
        rank_kept[:, top_k:] = False
    if top_p < 1.0:
        probs = logits.gather(-1, order).masked_fill(~rank_kept, -torch.inf).softmax(-1)
        rank_kept &= probs.cumsum(-1) - probs < top_p
    return torch.zeros_like(rank_kept).scatter(-1, order, rank_kept)


def _write(policy: Policy, encoded: Encoded, num_samples: int, length: int, choose) -> Rollout:
    """Write `num_samples` rows a document; rows leave when they end, documents when all their rows have."""
    device, num_documents = encoded.states.device, len(encoded.states)
    num_rows = num_documents * num_samples
    ids = torch.full((num_rows, length), policy.pad_id, dtype=torch.int64, device=device)
    mask = torch.zeros((num_rows, length), dtype=torch.bool, device=device)
    log_probs = torch.zeros((num_rows, length), device=device)
    kept_steps: list[tuple[Tensor, int, Tensor]] = []

    kind = (RecordedStep if policy.cuda_graphs else Step) if policy.can_fold else ExpandedStep
    step = kind(policy, encoded, num_samples, len(policy.prefix) + length)
    alive = torch.arange(num_rows, device=device)
    for token in policy.prefix:
        hidden = step(alive.new_full((num_rows,), token))
    for position in range(length):
        tokens, token_log_probs, kept = choose(policy.project(hidden, step.output_weight), alive, position)
        ids[alive, position], mask[alive, position], log_probs[alive, position] = tokens, True, token_log_probs
        if kept is not None:
            kept_steps.append((alive, position, kept))
        going = tokens != policy.eos_id
        if not going.all():
            stay = going.nonzero()[:, 0]
            if len(stay) == 0:
                break
            alive, tokens = alive[stay], tokens[stay]
            step.select(stay)
        if position + 1 < length:
            hidden = step(tokens)

    longest = int(mask.any(0).sum())
    shape = (num_documents, num_samples, longest)
    ids, mask, log_probs = (t[:, :longest].reshape(shape) for t in (ids, mask, log_probs))
    ended = (ids == policy.eos_id).logical_and(mask).any(-1)
    return Rollout(ids, mask, ended, log_probs, _kept_in_order(kept_steps, mask.flatten(0, 1)))


def _kept_in_order(steps: list[tuple[Tensor, int, Tensor]], mask: Tensor) -> Tensor | None:
    """Gather the kept sets of all steps as padded ids, ordered as `mask` is."""
    if not steps:
        return None
    most = max(int(kept.sum(-1).max()) for _, _, kept in steps)
    table = torch.full((*mask.shape, most), -1, dtype=torch.int64, device=mask.device)
    for alive, step, kept in steps:
        row, token = kept.nonzero(as_tuple=True)
        first = kept.sum(-1).cumsum(0) - kept.sum(-1)
        table[alive[row], step, torch.arange(len(row), device=row.device) - first[row]] = token
    return table[mask]

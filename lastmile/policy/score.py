"""Log-probabilities of given summaries under a policy, never holding the whole `(B, K, T, V)` table."""

from __future__ import annotations

import torch
from torch import Tensor

from lastmile.policy.fold import Rows
from lastmile.policy.policy import Encoded, Policy
from lastmile.policy.products import product

KEPT_BYTES = 512 * 2**20
"""Logits up to this size are kept for the backward pass; beyond it they are computed again there, chunk by chunk."""


def score(
    policy: Policy,
    encoded: Encoded,
    summary_ids: Tensor,
    summary_mask: Tensor,
    temperature: float = 1.0,
    kept: Tensor | None = None,
) -> Tensor:
    """Natural log-probability of every token of K summaries a document.

    Row k of document b reads the prefix and its own earlier tokens; token t is scored from the position before it.

    Args:
        policy: The model.
        encoded: B documents; gradient flows into them.
        summary_ids: `(B, K, T)` int64, prefix excluded.
        summary_mask: `(B, K, T)` bool; False positions are not scored.
        temperature: Divides the logits, as it did when sampling.
        kept: The kept ids of each scored token (see `Rollout.kept`); probabilities are renormalised over them.

    Returns:
        `(B, K, T)` float32, or float64 for a model in float64; 0 where masked.
    """
    num_samples = summary_ids.shape[1]
    ids, mask = summary_ids.flatten(0, 1), summary_mask.flatten(0, 1)
    states, tokens = [], []
    groups = length_groups(mask.sum(-1))
    for group in groups:
        width = int(mask[group].any(0).sum())
        rows = Rows.of(group // num_samples, len(summary_ids))
        prefix = torch.tensor(policy.prefix, device=ids.device).expand(len(group), -1)
        decoder_ids = torch.cat([prefix, ids[group, : width - 1]], dim=1)
        hidden = policy.decode(decoder_ids, encoded, rows)[:, len(policy.prefix) - 1 :]
        states.append(hidden[mask[group, :width]])
        tokens.append(ids[group, :width][mask[group, :width]])
    kept_by_group = kept if kept is None else kept[_token_order(mask, groups)]
    token_log_probs = selective_log_softmax(
        torch.cat(states) * (policy.output_scale / temperature),
        policy.output_weight,
        None if policy.output_bias is None else policy.output_bias / temperature,
        torch.cat(tokens),
        kept_by_group,
    )
    placed = token_log_probs.new_zeros(mask.numel())
    placed = placed.index_copy(0, mask.flatten().nonzero()[:, 0][_token_order(mask, groups)], token_log_probs)
    return placed.view(summary_mask.shape)


def length_groups(lengths: Tensor) -> list[Tensor]:
    """Cut rows into short and long where that saves a tenth or more of the padded area.

    Args:
        lengths: `(R,)` int64 tokens of each row.

    Returns:
        One or two `(r,)` index tensors, each rising; rows without a token are in none.
    """
    rows = lengths.nonzero()[:, 0]
    if len(rows) < 2:
        return [rows]
    lengths = lengths[rows]
    ordered = lengths.sort().values
    count = torch.arange(1, len(rows), device=rows.device)
    area = count * ordered[:-1] + (len(rows) - count) * ordered[-1]
    if 10 * area.min() > 9 * len(rows) * ordered[-1]:
        return [rows]
    short = lengths <= ordered[area.argmin()]
    return [rows[short], rows[~short]]


def _token_order(mask: Tensor, groups: list[Tensor]) -> Tensor:
    """Where the tokens of the groups, in their order, stand among all tokens of `(R, T)` `mask` in row-major order."""
    first = mask.sum(-1).cumsum(0) - mask.sum(-1)
    position = first[:, None] + mask.cumsum(-1) - 1
    return torch.cat([position[group][mask[group]] for group in groups])


def selective_log_softmax(
    hidden: Tensor, weight: Tensor, bias: Tensor | None, ids: Tensor, kept: Tensor | None = None
) -> Tensor:
    """log softmax(h Wᵀ + c)[id] for N positions, in chunks.

    The matrix product runs in autocast's type where autocast is on; softmax and its sums in float32 or better. The
    backward pass is written out: ∂/∂logit_v = 1[v = id] − softmax_v.

    Args:
        hidden: `(N, d)`.
        weight: `(V, d)`.
        bias: `(V,)` or None; receives no gradient (checkpoints keep it as a constant).
        ids: `(N,)` int64, the tokens to pick.
        kept: `(N, M)` int64 with -1 as filler: normalise over these ids only.

    Returns:
        `(N,)` float32, or float64 for float64.
    """
    kind, device = weight.dtype, hidden.device.type
    if torch.is_autocast_enabled(device):
        kind = torch.get_autocast_dtype(device)
    return _SelectiveLogSoftmax.apply(hidden.to(kind), weight.to(kind), bias, ids, kept)


class _SelectiveLogSoftmax(torch.autograd.Function):
    """Blocks of positions share one matrix product; within a block, slices are small enough to stay in cache."""

    @staticmethod
    def forward(ctx, hidden, weight, bias, ids, kept):
        num_bytes = len(ids) * len(weight) * hidden.element_size()
        ctx.keeps = any(ctx.needs_input_grad) and num_bytes <= KEPT_BYTES
        ctx.block = max(1, len(ids) if ctx.keeps else KEPT_BYTES // 4 // (len(weight) * hidden.element_size()))
        log_probs = hidden.new_empty(len(ids), dtype=torch.promote_types(hidden.dtype, torch.float32))
        sums, stored = torch.empty_like(log_probs), []
        for block in _slices(0, len(ids), ctx.block):
            logits = _logits(hidden[block], weight, bias)
            for part in _slices(block.start, block.stop, _rows_in_cache(weight)):
                wide = logits[part.start - block.start : part.stop - block.start].to(sums.dtype)
                sums[part] = _log_sum(wide, None if kept is None else kept[part])
                log_probs[part] = wide.gather(-1, ids[part, None])[:, 0] - sums[part]
            if ctx.keeps:
                stored.append(logits)
        ctx.save_for_backward(hidden, weight, bias, ids, kept, sums, *stored)
        return log_probs

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient):
        hidden, weight, bias, ids, kept, sums, *stored = ctx.saved_tensors
        hidden_gradient, weight_gradient = torch.empty_like(hidden), None
        for index, block in enumerate(_slices(0, len(ids), ctx.block)):
            logits = stored[index] if ctx.keeps else _logits(hidden[block], weight, bias)
            for part in _slices(block.start, block.stop, _rows_in_cache(weight)):
                here = logits[part.start - block.start : part.stop - block.start]
                slope = here.to(sums.dtype).sub_(sums[part, None]).exp_().mul_(-gradient[part, None])
                if kept is not None:
                    # Not a product: outside the kept set `slope` may be infinite.
                    slope.masked_fill_(~_kept_table(kept[part], len(weight)), 0.0)
                here.copy_(slope.scatter_add_(-1, ids[part, None], gradient[part, None]))
            hidden_gradient[block] = product(logits, weight.T)
            part = product(logits.T, hidden[block].T)
            # Several blocks add up in float32.
            weight_gradient = part if weight_gradient is None else weight_gradient.to(sums.dtype).add_(part)
        if weight_gradient is None:
            weight_gradient = torch.zeros_like(weight)
        return hidden_gradient, weight_gradient.to(weight.dtype), None, None, None


def _slices(start: int, stop: int, size: int) -> list[slice]:
    return [slice(at, min(at + size, stop)) for at in range(start, stop, size)]


def _rows_in_cache(weight: Tensor) -> int:
    """Float32 rows of V logits at a time: a few MiB for a processor's cache, enough to fill a GPU."""
    return max(1, (2**20 if weight.device.type == "cpu" else 2**26) // len(weight))


def _logits(hidden: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    with torch.autocast(hidden.device.type, enabled=False):
        logits = product(hidden, weight)
    return logits if bias is None else logits.add_(bias.to(logits.dtype))


def _log_sum(logits: Tensor, kept: Tensor | None) -> Tensor:
    if kept is not None:
        logits = logits.gather(-1, kept.clamp_min(0)).masked_fill(kept < 0, -torch.inf)
    return logits.logsumexp(-1)


def _kept_table(kept: Tensor, vocabulary: int) -> Tensor:
    """`(n, M)` ids → `(n, V)` bool; the filler -1 falls into an extra column that is dropped."""
    table = torch.zeros(len(kept), vocabulary + 1, dtype=torch.bool, device=kept.device)
    return table.scatter_(-1, torch.where(kept < 0, vocabulary, kept), True)[:, :vocabulary]

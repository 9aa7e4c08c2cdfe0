"""Log-probabilities of given summaries under a policy, never holding the whole `(B, K, T, V)` table."""

from __future__ import annotations

import torch
from torch import Tensor

from lastmile.policy.fold import Rows
from lastmile.policy.policy import Encoded, Policy

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
        `(B, K, T)` float32; 0 where masked.
    """
    documents, num_samples, length = summary_ids.shape
    prefix = torch.tensor(policy.prefix, device=summary_ids.device).expand(documents * num_samples, -1)
    decoder_ids = torch.cat([prefix, summary_ids.flatten(0, 1)[:, :-1]], dim=1)
    rows = Rows.grid(documents, num_samples, summary_ids.device)
    hidden = policy.decode(decoder_ids, encoded, rows)[:, len(policy.prefix) - 1 :]

    flat_mask = summary_mask.flatten(0, 1)
    token_log_probs = selective_log_softmax(
        hidden[flat_mask] * (policy.output_scale / temperature),
        policy.output_weight,
        None if policy.output_bias is None else policy.output_bias / temperature,
        summary_ids[summary_mask],
        kept,
    )
    return torch.zeros(summary_mask.shape, device=hidden.device).masked_scatter(summary_mask, token_log_probs)


def selective_log_softmax(
    hidden: Tensor, weight: Tensor, bias: Tensor | None, ids: Tensor, kept: Tensor | None = None, chunk: int = 1024
) -> Tensor:
    """log softmax(h Wᵀ + c)[id] for N positions, in chunks.

    The matrix product runs in autocast's type where autocast is on; softmax and its sums in float32. The backward
    pass is written out: ∂/∂logit_v = 1[v = id] − softmax_v.

    Args:
        hidden: `(N, d)`.
        weight: `(V, d)`.
        bias: `(V,)` or None; receives no gradient (checkpoints keep it as a constant).
        ids: `(N,)` int64, the tokens to pick.
        kept: `(N, M)` int64 with -1 as filler: normalise over these ids only.
        chunk: Positions whose logits exist at a time.

    Returns:
        `(N,)` float32.
    """
    kind, device = weight.dtype, hidden.device.type
    if torch.is_autocast_enabled(device):
        kind = torch.get_autocast_dtype(device)
    return _SelectiveLogSoftmax.apply(hidden.to(kind), weight.to(kind), bias, ids, kept, chunk)


class _SelectiveLogSoftmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx, hidden, weight, bias, ids, kept, chunk):  # noqa: D102
        needs_gradient = any(ctx.needs_input_grad)
        keep_logits = needs_gradient and len(ids) * len(weight) * hidden.element_size() <= KEPT_BYTES
        picked, sums, stored = [], [], []
        for part in range(0, len(ids), chunk):
            at = slice(part, part + chunk)
            logits = _logits(hidden[at], weight, bias)
            sums.append(_log_sum(logits, None if kept is None else kept[at]))
            picked.append(logits.gather(-1, ids[at, None])[:, 0].float())
            if keep_logits:
                stored.append(logits)
        sums = torch.cat(sums) if sums else hidden.new_zeros(0, dtype=torch.float32)
        if needs_gradient:
            ctx.save_for_backward(hidden, weight, bias, ids, kept, sums)
            ctx.chunk, ctx.stored = chunk, stored
        return (torch.cat(picked) if picked else sums) - sums

    @staticmethod
    def backward(ctx, gradient):  # noqa: D102
        hidden, weight, bias, ids, kept, sums = ctx.saved_tensors
        hidden_gradient, weight_gradient = torch.empty_like(hidden), torch.zeros_like(weight, dtype=torch.float32)
        for index, part in enumerate(range(0, len(ids), ctx.chunk)):
            at = slice(part, part + ctx.chunk)
            logits = ctx.stored[index] if ctx.stored else _logits(hidden[at], weight, bias)
            slope = (logits.float() - sums[at, None]).exp_().mul_(-gradient[at, None])
            if kept is not None:
                slope = slope * _kept_table(kept[at], logits.shape[-1])
            slope.scatter_add_(-1, ids[at, None], gradient[at, None].to(slope.dtype))
            slope = slope.to(hidden.dtype)
            hidden_gradient[at] = slope @ weight
            weight_gradient += slope.T @ hidden[at]
        ctx.stored = []
        return hidden_gradient, weight_gradient.to(weight.dtype), None, None, None, None


def _logits(hidden: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    with torch.autocast(hidden.device.type, enabled=False):
        logits = hidden @ weight.T
    return logits if bias is None else logits + bias.to(logits.dtype)


def _log_sum(logits: Tensor, kept: Tensor | None) -> Tensor:
    if kept is not None:
        logits = logits.gather(-1, kept.clamp_min(0)).masked_fill(kept < 0, -torch.inf)
    return logits.float().logsumexp(-1)


def _kept_table(kept: Tensor, vocabulary: int) -> Tensor:
    """`(n, M)` ids → `(n, V)` bool; the filler -1 falls into an extra column that is dropped."""
    table = torch.zeros(len(kept), vocabulary + 1, dtype=torch.bool, device=kept.device)
    return table.scatter_(-1, torch.where(kept < 0, vocabulary, kept), True)[:, :vocabulary]

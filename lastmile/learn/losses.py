"""Losses: tensors in, one scalar out. Each is a sum over what it is given, divided by a constant of the whole step."""

from __future__ import annotations

import torch
from torch import Tensor


def policy_gradient_loss(log_probs: Tensor, advantages: Tensor, summary_mask: Tensor, denominator: float) -> Tensor:
    """− (1 / D) Σ_k A_k Σ_t log π(y_kt): its gradient is the policy gradient of the return.

    D is the same constant for short and long summaries (documents · K · max_new_tokens of the whole optimizer step):
    dividing by each summary's own length would favour short good and long bad ones. Parts of a step add up.

    Args:
        log_probs: `(B, K, T)`, with gradient.
        advantages: `(B, K)`, without.
        summary_mask: `(B, K, T)` bool.
        denominator: D.

    Returns:
        Scalar. Its value is near 0 on-policy whatever is learnt; look at the return instead.

    Source: Williams (1992); the constant denominator after Liu et al. (2025).
    """
    weighted = torch.where(summary_mask, log_probs, 0.0).sum(-1) * advantages.to(log_probs.dtype)
    return -weighted.sum() / denominator


def likelihood_loss(log_probs: Tensor, target_mask: Tensor, denominator: float) -> Tensor:
    """− (1 / D) Σ log π(target token): cross-entropy of the targets.

    Args:
        log_probs: `(…, T)`, with gradient.
        target_mask: `(…, T)` bool.
        denominator: Target tokens of the whole optimizer step for a mean a token.

    Returns:
        Scalar, nats.
    """
    return -torch.where(target_mask, log_probs, 0.0).sum() / denominator

"""Distance to the reference policy, from the log-probabilities of sampled tokens. In nats."""

from __future__ import annotations

import torch
from torch import Tensor


def k1(log_probs: Tensor, reference_log_probs: Tensor, summary_mask: Tensor) -> Tensor:
    """log π − log ρ, summed over each summary: unbiased for KL(π ‖ ρ), may be negative for one sample.

    Args:
        log_probs: `(B, K, T)` under the policy that sampled.
        reference_log_probs: `(B, K, T)` under the reference.
        summary_mask: `(B, K, T)` bool.

    Returns:
        `(B, K)` nats a summary, detached.

    Source: Schulman (2020), "Approximating KL Divergence".
    """
    return torch.where(summary_mask, log_probs - reference_log_probs, 0.0).detach().sum(-1)


def k3(log_probs: Tensor, reference_log_probs: Tensor, summary_mask: Tensor) -> Tensor:
    """e^(−k1) − 1 + k1 a token, summed over each summary: same expectation, never negative, less noise.

    For reporting only: as a loss its gradient is not that of the reverse KL.

    Returns:
        `(B, K)` nats a summary, detached.

    Source: Schulman (2020), "Approximating KL Divergence".
    """
    log_ratio = torch.where(summary_mask, log_probs - reference_log_probs, 0.0).detach()
    return (torch.exp(-log_ratio) - 1 + log_ratio).sum(-1)


def adapt_coefficient(coefficient: float, kl: float, target: float, num_summaries: int, horizon: int) -> float:
    """Steer the KL coefficient to a target distance.

    β ← β · (1 + clip(KL / target − 1, −0.2, 0.2) · n / horizon)

    >>> round(adapt_coefficient(0.1, kl=12.0, target=6.0, num_summaries=100, horizon=10_000), 6)
    0.1002

    Source: Ziegler et al. (2019), in the form of their code.
    """
    error = min(max(kl / target - 1, -0.2), 0.2)
    return coefficient * (1 + error * num_summaries / horizon)

"""Advantages: how much better a summary did than was to be expected. NaN returns mark what could not be scored."""

from __future__ import annotations

import torch
from torch import Tensor

from lastmile.errors import ShapeError


def leave_one_out_advantages(returns: Tensor) -> Tensor:
    """Subtract from each return the mean return of the document's other samples.

    Aᵢₖ = rᵢₖ − (1 / (Kᵢ − 1)) Σ_{j≠k} rᵢⱼ, with Kᵢ the number of scored samples of document i. The baseline does not
    depend on sample k, so the policy gradient stays unbiased.

    Args:
        returns: `(B, K)` float, in reward units; NaN marks a sample that could not be scored.

    Returns:
        `(B, K)` float, same units, detached; 0 where the sample, or every sibling, is unscored.

    Raises:
        ShapeError: If `returns` is not two-dimensional or K < 2.

    >>> leave_one_out_advantages(torch.tensor([[1.0, 2.0, 6.0]]))
    tensor([[-3.0000, -1.5000,  4.5000]])

    Source: Kool et al. (2019), "Buy 4 REINFORCE Samples, Get a Baseline for Free!".
    """
    if returns.ndim != 2 or returns.shape[1] < 2:
        raise ShapeError(f"`returns` must be (B, K) with K at least 2, got {tuple(returns.shape)}")
    returns = returns.detach()
    scored = ~returns.isnan()
    values = returns.nan_to_num(0.0)
    others = scored.sum(1, keepdim=True) - 1
    baseline = (values.sum(1, keepdim=True) - values) / others.clamp_min(1)
    return torch.where(scored & (others > 0), values - baseline, 0.0)


def baseline_advantages(returns: Tensor, baseline: Tensor) -> Tensor:
    """Subtract a baseline that does not depend on the samples: the greedy summary's return, or a running mean.

    Args:
        returns: `(B, K)` float; NaN marks a sample that could not be scored.
        baseline: Broadcasts to `(B, K)`: `(B, 1)` returns of the greedy summaries (`scst`) or a scalar
            (`reinforce`); NaN where it could not be scored.

    Returns:
        `(B, K)`, detached; 0 where the sample or its baseline is unscored.

    Source: Rennie et al. (2017) for the greedy baseline; Williams (1992) for the running mean.
    """
    return (returns - baseline).detach().nan_to_num(0.0)


class RunningScale:
    """Exponential running mean of returns and of squared advantages, over optimizer steps.

    A step is divided by the statistics of the steps *before* it, so that its result does not depend on how its
    documents are cut into micro-batches or spread over devices. The first step is divided by 1.
    """

    def __init__(self, decay: float = 0.95) -> None:
        self.decay = decay
        self.sums = torch.zeros(3, dtype=torch.float64)

    def update(self, totals: Tensor) -> None:
        """Take in one step's totals: `(3,)` float64: sum of returns, of squared advantages, number of samples."""
        self.sums = self.decay * self.sums + (1 - self.decay) * totals.double().cpu()

    @staticmethod
    def totals(returns: Tensor, advantages: Tensor) -> Tensor:
        """`(3,)` float64 totals of a micro-batch; totals of micro-batches and devices add up."""
        scored = ~returns.isnan()
        sums = [returns.nan_to_num(0.0).double().sum(), advantages.double().square().sum(), scored.double().sum()]
        return torch.stack(sums)

    @property
    def mean(self) -> float:
        """Running mean return; 0 before the first step."""
        return (self.sums[0] / self.sums[2]).item() if self.sums[2] > 0 else 0.0

    @property
    def deviation(self) -> float:
        """Running root mean square of the advantages; 1 before the first step and where it vanishes."""
        if self.sums[2] == 0 or self.sums[1] <= 1e-16 * self.sums[2]:
            return 1.0
        return (self.sums[1] / self.sums[2]).sqrt().item()

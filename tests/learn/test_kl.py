"""Distances to the reference, by hand and by property."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lastmile.learn.kl import adapt_coefficient, k1, k3

MASK = torch.tensor([[[True, True, False], [True, False, False]]])
OURS = torch.tensor([[[-1.0, -2.0, math.nan], [-0.5, math.nan, math.nan]]])
THEIRS = torch.tensor([[[-1.5, -1.0, math.nan], [-2.5, math.nan, math.nan]]])


def test_k1_by_hand():
    # (−1 + 1.5) + (−2 + 1) = −0.5 and −0.5 + 2.5 = 2; what lies behind the mask is not even read.
    torch.testing.assert_close(k1(OURS, THEIRS, MASK), torch.tensor([[-0.5, 2.0]]))


def test_k3_by_hand():
    # (e^−0.5 − 1 + 0.5) + (e^1 − 1 − 1) and e^−2 − 1 + 2.
    wanted = [[math.exp(-0.5) - 0.5 + math.e - 2, math.exp(-2) + 1]]
    torch.testing.assert_close(k3(OURS, THEIRS, MASK), torch.tensor(wanted))


def test_neither_carries_a_gradient():
    ours = OURS.clone().requires_grad_()
    assert not k1(ours, THEIRS, MASK).requires_grad
    assert not k3(ours, THEIRS, MASK).requires_grad


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(-20, 0), st.floats(-20, 0)), min_size=1, max_size=6))
def test_k3_is_never_negative(tokens):
    ours, theirs = torch.tensor(tokens, dtype=torch.float64).T[:, None, None]
    mask = torch.ones_like(ours, dtype=torch.bool)
    assert k3(ours, theirs, mask).item() >= -1e-12
    assert k3(ours, ours, mask).item() == 0


# 100 summaries at a horizon of 1000 move the coefficient by a tenth of the clipped error.
@pytest.mark.parametrize(
    ("kl", "wanted"), [(6.0, 0.5), (6.6, 0.505), (7.2, 0.51), (600.0, 0.51), (5.4, 0.495), (0.0, 0.49), (-3.0, 0.49)]
)
def test_the_coefficient_follows_the_distance_within_limits(kl, wanted):
    assert adapt_coefficient(0.5, kl, target=6.0, num_summaries=100, horizon=1000) == pytest.approx(wanted)

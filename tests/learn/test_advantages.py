"""Advantages by hand."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lastmile.errors import ShapeError
from lastmile.learn.advantages import RunningScale, baseline_advantages, leave_one_out_advantages

NAN = math.nan


def close(found, wanted):
    torch.testing.assert_close(found, torch.tensor(wanted, dtype=found.dtype), rtol=1e-6, atol=1e-6)


def test_leave_one_out_by_hand():
    # 1 − (2+6)/2 = −3, 2 − (1+6)/2 = −1.5, 6 − (1+2)/2 = 4.5; equal returns have no advantage.
    close(leave_one_out_advantages(torch.tensor([[1.0, 2, 6], [5, 5, 5]])), [[-3, -1.5, 4.5], [0, 0, 0]])


def test_leave_one_out_leaves_out_what_was_not_scored():
    returns = torch.tensor([[1.0, NAN, 6], [NAN, 4, NAN], [NAN, NAN, NAN]])
    # 1 − 6 and 6 − 1; then a sample without a scored sibling, then none at all.
    close(leave_one_out_advantages(returns), [[-5, 0, 5], [0, 0, 0], [0, 0, 0]])


@settings(deadline=None)
@given(st.lists(st.floats(-100, 100), min_size=2, max_size=8), st.floats(-100, 100))
def test_leave_one_out_sums_to_nothing_and_ignores_a_shift(row, shift):
    returns = torch.tensor([row], dtype=torch.float64)
    advantages = leave_one_out_advantages(returns)
    assert advantages.sum().item() == pytest.approx(0, abs=1e-9)
    torch.testing.assert_close(leave_one_out_advantages(returns + shift), advantages, rtol=1e-9, atol=1e-9)


def test_advantages_carry_no_gradient():
    returns = torch.tensor([[1.0, 2.0]], requires_grad=True)
    assert not leave_one_out_advantages(returns).requires_grad
    assert not baseline_advantages(returns, torch.tensor(0.5)).requires_grad


@pytest.mark.parametrize("shape", [(3, 1), (4,), (2, 2, 2)])
def test_leave_one_out_needs_siblings(shape):
    with pytest.raises(ShapeError) as error:
        leave_one_out_advantages(torch.zeros(shape))
    assert str(error.value) == f"`returns` must be (B, K) with K at least 2, got {shape}"


def test_baselines_by_hand():
    returns = torch.tensor([[1.0, 2.0], [3.0, NAN], [5.0, 6.0]])
    close(baseline_advantages(returns, torch.tensor(2.0)), [[-1, 0], [1, 0], [3, 4]])
    # One greedy summary a document; the last could not be scored.
    close(baseline_advantages(returns, torch.tensor([[0.5], [1.0], [NAN]])), [[0.5, 1.5], [2, 0], [0, 0]])


def totals(*parts):
    return sum(RunningScale.totals(torch.tensor(r), torch.tensor(a)) for r, a in parts)


def test_totals_of_parts_add_up():
    whole = totals(([[1.0, NAN], [3.0, 4.0]], [[-1.0, 0.0], [2.0, 2.0]]))
    # 1 + 3 + 4 returns, 1 + 4 + 4 squared advantages, 3 scored samples.
    assert whole.tolist() == [8, 9, 3]
    assert torch.equal(whole, totals(([[1.0, NAN]], [[-1.0, 0.0]]), ([[3.0, 4.0]], [[2.0, 2.0]])))


def test_the_first_step_is_not_scaled():
    scale = RunningScale()
    assert (scale.mean, scale.deviation) == (0.0, 1.0)


def test_the_running_scale_by_hand():
    scale = RunningScale(decay=0.75)
    scale.update(totals(([[2.0, 6.0]], [[-3.0, 3.0]])))
    # After one step: its own mean (2 + 6) / 2 and root mean square, whatever the decay.
    assert (scale.mean, scale.deviation) == pytest.approx((4.0, 3.0))
    scale.update(totals(([[0.0, 0.0]], [[1.0, -1.0]])))
    # Sums 0.25·(0.75·[8, 18, 2] + [0, 2, 2]): mean 6 / 3.5, mean square 15.5 / 3.5.
    assert (scale.mean, scale.deviation) == pytest.approx((6 / 3.5, math.sqrt(15.5 / 3.5)))


def test_a_vanishing_spread_does_not_blow_advantages_up():
    scale = RunningScale()
    scale.update(totals(([[2.0, 2.0]], [[0.0, 0.0]])))
    assert (scale.mean, scale.deviation) == (2.0, 1.0)


def test_a_step_without_a_scored_sample_changes_nothing():
    scale = RunningScale()
    scale.update(totals(([[NAN, NAN]], [[0.0, 0.0]])))
    assert (scale.mean, scale.deviation) == (0.0, 1.0)
    scale.update(totals(([[2.0, 6.0]], [[-3.0, 3.0]])))
    scale.update(totals(([[NAN, NAN]], [[0.0, 0.0]])))
    assert (scale.mean, scale.deviation) == pytest.approx((4.0, 3.0))

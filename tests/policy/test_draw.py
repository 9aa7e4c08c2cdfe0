"""Drawing one token: the cumulative distribution is inverted, no more and no less."""

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lastmile.policy.sample import draw, keep, row_uniforms

ALMOST_ONE = np.nextafter(1.0, 0.0)


def spread_logits(vocabulary: int, share_cut: float = 0.0, seed: int = 0) -> torch.Tensor:
    """`(1, V)` peaked logits of which a share is cut away."""
    random = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(1, vocabulary, generator=random)
    return logits.masked_fill(torch.rand(1, vocabulary, generator=random) < share_cut, -torch.inf)


@pytest.mark.parametrize("vocabulary", [5, 256, 257, 700])
@pytest.mark.parametrize("share_cut", [0.0, 0.9])
def test_a_sweep_of_uniforms_recovers_the_probabilities(vocabulary, share_cut):
    logits = spread_logits(vocabulary, share_cut, seed=4)
    steps = 10_000
    uniforms = (torch.arange(steps, dtype=torch.float64) + 0.5) / steps
    tokens, log_probs = draw(logits.expand(steps, -1).clone(), uniforms)
    assert (tokens.diff() >= 0).all()
    exact = logits[0].double().softmax(-1)
    # Each token owns an interval of length p, which holds p·steps grid points but for one at an end.
    assert (tokens.bincount(minlength=vocabulary) - exact * steps).abs().max() <= 1.001
    torch.testing.assert_close(log_probs, exact.log()[tokens].float(), rtol=1e-6, atol=1e-6)


@settings(deadline=None)
@given(
    st.lists(st.sampled_from([-torch.inf, -80.0, -1.0, 0.0, 30.0]), min_size=1, max_size=12).filter(
        lambda logits: max(logits) > -torch.inf
    ),
    st.sampled_from([0.0, 1e-300, 0.5, 1 - 1e-9, ALMOST_ONE]) | st.floats(0, ALMOST_ONE),
    st.integers(1, 5),
)
@example([-torch.inf, 0.0], 0.0, 1)
@example([-torch.inf, 0.0], 0.0, 2)
@example([0.0, -torch.inf], ALMOST_ONE, 1)
@example([0.0, -torch.inf], ALMOST_ONE, 2)
def test_what_was_cut_away_is_never_drawn(logits, uniform, block):
    tokens, log_probs = draw(torch.tensor([logits]), torch.tensor([uniform], dtype=torch.float64), block)
    exact = torch.tensor(logits, dtype=torch.float64).log_softmax(-1)[tokens]
    assert exact.item() > -torch.inf
    torch.testing.assert_close(log_probs.double(), exact, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("seed", range(20))
def test_the_last_token_left_is_drawn_as_u_nears_one(seed):
    logits = spread_logits(1000, 0.5, seed)
    tokens, _ = draw(logits, torch.tensor([ALMOST_ONE], dtype=torch.float64))
    survivors = logits[0].isfinite().nonzero()[:, 0]
    tail = logits[0].double().softmax(-1)[tokens.item() + 1 :].sum()
    assert tokens.item() in survivors
    # Rounding of the float32 weights may end the last block a little early, never by more than it can hold.
    assert tail < 1e-6


def test_top_k_keeps_the_most_probable():
    assert keep(torch.tensor([[0.0, 3.0, 1.0, 2.0]]), 2, 1.0).tolist() == [[False, True, False, True]]
    # Of equals the first stays.
    assert keep(torch.zeros(1, 3), 2, 1.0).tolist() == [[True, True, False]]
    assert keep(torch.zeros(1, 3), 9, 1.0).all()


def test_top_p_keeps_the_smallest_set_that_reaches_p():
    logits = torch.tensor([[0.1, 0.5, 0.15, 0.25]]).log()
    # 0.5 | 0.75 | 0.9 | 1.0 cumulated from the most probable.
    assert keep(logits, 0, 0.4).tolist() == [[False, True, False, False]]
    assert keep(logits, 0, 0.7).tolist() == [[False, True, False, True]]
    assert keep(logits, 0, 0.8).tolist() == [[False, True, True, True]]
    # After top-k 2 the two weigh 2/3 and 1/3, and 0.6 takes one.
    assert keep(logits, 2, 0.6).tolist() == [[False, True, False, False]]
    assert keep(logits, 0, 1e-9).sum() == 1


def test_nothing_is_kept_apart_without_truncation():
    assert keep(torch.zeros(1, 3), 0, 1.0) is None


def test_a_rows_numbers_depend_on_seed_step_id_and_sample_alone():
    all_rows = row_uniforms(7, 3, ["a", "b", "c"], 4, 10)
    assert all_rows.dtype == torch.float64
    assert ((all_rows >= 0) & (all_rows < 1)).all()
    assert len(all_rows.flatten().unique()) == 3 * 4 * 10
    assert torch.equal(row_uniforms(7, 3, ["c", "a"], 4, 10), all_rows[[2, 0]])
    assert torch.equal(row_uniforms(7, 3, ["b"], 2, 6), all_rows[1:2, :2, :6])
    assert not torch.isin(row_uniforms(8, 3, ["a"], 4, 10), all_rows).any()
    assert not torch.isin(row_uniforms(7, 4, ["a"], 4, 10), all_rows).any()
    # Pinned: a change would make resumed runs draw other summaries than their first half did.
    pinned = [0.571485757702354, 0.8910276236934118, 0.9507631953123543]
    assert row_uniforms(1, 0, ["cnn-00417"], 1, 3)[0, 0].tolist() == pytest.approx(pinned, abs=1e-15)

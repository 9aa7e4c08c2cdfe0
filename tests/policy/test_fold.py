"""Folding is a matter of layout: the numbers and gradients are those of one copied document a row."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import FAMILIES, tiny_batch, tiny_policy

from lastmile.policy.fold import Rows


def ragged(counts: list[int]) -> Rows:
    return Rows.of(torch.arange(len(counts)).repeat_interleave(torch.tensor(counts)), len(counts))


LAYOUTS = {
    "one row a document": Rows.grid(6, 1),
    "eight rows a document": Rows.grid(6, 8),
    "unequal, some without": ragged([3, 0, 1, 8, 0, 2]),
}


def run(policy, rows, folds, with_gradients=False):
    """Hidden states, and the gradient of a fixed mixture of them for every parameter."""
    policy.folds = folds
    random = torch.Generator().manual_seed(1)
    ids = torch.randint(3, 300, (len(rows.document), 7), generator=random)
    hidden = policy.decode(ids, policy.encode(*tiny_batch(policy)), rows)
    if not with_gradients:
        return hidden
    policy.zero_grad()
    (hidden * torch.randn(hidden.shape, generator=random, dtype=hidden.dtype)).sum().backward()
    return {name: p.grad for name, p in policy.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("rows", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("family", FAMILIES)
def test_folded_states_equal_expanded_ones(family, rows):
    for dtype, tolerance in ((torch.float32, 1e-5), (torch.float64, 1e-10)):
        policy = tiny_policy(family, dtype=dtype)
        with torch.no_grad():
            folded, expanded = (run(policy, rows, folds) for folds in (True, False))
        assert (folded - expanded).abs().max() < tolerance
        assert folded.std() > 0.1


@pytest.mark.parametrize("rows", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("family", FAMILIES)
def test_folded_gradients_equal_expanded_ones(family, rows):
    policy = tiny_policy(family, dtype=torch.float64)
    folded, expanded = (run(policy, rows, folds, with_gradients=True) for folds in (True, False))
    assert folded.keys() == expanded.keys()
    assert any("encoder.layers.0" in name or "encoder.block.0" in name for name in folded)
    for name in folded:
        torch.testing.assert_close(folded[name], expanded[name], rtol=1e-6, atol=1e-6, msg=name)


@pytest.mark.parametrize("family", FAMILIES)
def test_documents_padding_changes_nothing(family):
    policy, rows = tiny_policy(family, dtype=torch.float64), Rows.grid(6, 2)
    ids, mask = tiny_batch(policy)
    decoder_ids = torch.arange(3, 3 + 12 * 5).view(12, 5)
    with torch.no_grad():
        batch = policy.decode(decoder_ids, policy.encode(ids, mask), rows)
        for b, length in enumerate(mask.sum(-1).tolist()):
            alone = policy.encode(ids[b : b + 1, :length], mask[b : b + 1, :length])
            one = policy.decode(decoder_ids[2 * b : 2 * b + 2], alone, Rows.grid(1, 2))
            torch.testing.assert_close(batch[2 * b : 2 * b + 2], one, rtol=1e-10, atol=1e-10)


@settings(deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=5).filter(any), *[st.integers(1, 3)] * 3)
def test_unfolding_undoes_folding(counts, heads, length, width):
    rows = ragged(counts)
    query = torch.randn(sum(counts), heads, length, width)
    folded = rows.fold(query)
    assert folded.shape == (len(counts), heads, max(counts) * length, width)
    for row, document, slot in zip(query, rows.document, rows.slot, strict=True):
        assert torch.equal(folded[document, :, slot * length : (slot + 1) * length], row)
    assert torch.equal(rows.unfold(folded), query.transpose(1, 2))


def test_rows_are_numbered_within_their_document():
    # Documents 0 and 3 have no row; 1 has three, 2 has one.
    rows = Rows.of(torch.tensor([1, 1, 1, 2]), 4)
    assert rows.slot.tolist() == [0, 1, 2, 0]
    assert (rows.num_slots, rows.is_grid) == (3, False)
    full = Rows.of(torch.tensor([0, 0, 1, 1]), 2)
    grid = Rows.grid(2, 2)
    assert full.is_grid
    assert torch.equal(full.document, grid.document)
    assert torch.equal(full.slot, grid.slot)

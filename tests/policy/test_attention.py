"""Attention by matrix products is PyTorch's attention, for every mask and bias that the families use."""

from types import SimpleNamespace

import pytest
import torch
from tiny import FAMILIES, tiny_batch, tiny_policy
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from lastmile.policy.attention import folded_attention, matmul_attention
from lastmile.policy.fold import Rows

BATCH, HEADS, LENGTH, WIDTH = 3, 2, 5, 8
COUNTS = torch.arange(7) < torch.tensor([7, 4, 1])[:, None]
POSITION = torch.linspace(-2, 2, HEADS * LENGTH * LENGTH, dtype=torch.float64).view(1, HEADS, LENGTH, LENGTH)
TRIANGLE = torch.ones(LENGTH, LENGTH, dtype=torch.bool).tril()[None, None]
CASES = {
    "causal, no mask": (LENGTH, LENGTH, True, {}),
    "one token after others": (1, 7, True, {}),
    "documents of unequal length": (LENGTH, 7, False, {"attention_mask": COUNTS[:, None, None, :]}),
    "an additive mask": (LENGTH, LENGTH, True, {"attention_mask": torch.where(TRIANGLE, POSITION, -1e9)}),
    "T5's position bias": (LENGTH, LENGTH, False, {"position_bias": POSITION, "scaling": 1.0}),
    "T5's position bias, masked": (LENGTH, LENGTH, True, {"position_bias": POSITION, "attention_mask": TRIANGLE}),
}


def inputs(length: int, width: int) -> list[torch.Tensor]:
    random = torch.Generator().manual_seed(length)
    shapes = (length, width, width)
    # Heads lie inside of positions, as the models' projections leave them.
    made = [torch.randn(BATCH, t, HEADS, WIDTH, generator=random, dtype=torch.float64).transpose(1, 2) for t in shapes]
    return [x.requires_grad_() for x in made]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_values_and_gradients_are_those_of_sdpa(case):
    length, width, is_causal, settings = case
    layer = SimpleNamespace(is_causal=is_causal)
    found = []
    for attention in (matmul_attention, sdpa_attention_forward):
        tensors = inputs(length, width)
        arguments = {"attention_mask": None, **settings}
        output, _ = attention(layer, *tensors, **arguments)
        assert output.shape == (BATCH, length, HEADS, WIDTH)
        found.append([output, *torch.autograd.grad(output.square().sum(), tensors)])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


def test_dropout_drops_attention_weights_and_keeps_their_mean():
    torch.manual_seed(0)
    layer = SimpleNamespace(is_causal=False)
    query, key = torch.zeros(1, 1, 400, 4), torch.zeros(1, 1, 50, 4)
    output, _ = matmul_attention(layer, query, key, torch.ones(1, 1, 50, 4), None, dropout=0.2)
    assert output.std() > 0.01
    assert abs(output.mean().item() - 1) < 0.01
    kept, _ = matmul_attention(layer, query, key, torch.ones(1, 1, 50, 4), None)
    torch.testing.assert_close(kept, torch.ones_like(kept))


def test_folded_cross_attention_in_bfloat16_is_that_of_copied_documents():
    layer = SimpleNamespace(is_causal=False, is_decoder=True)
    rows = Rows.grid(BATCH, 4)
    random = torch.Generator().manual_seed(0)
    query = torch.randn(BATCH * 4, HEADS, LENGTH, WIDTH, generator=random).bfloat16()
    key, value = (torch.randn(BATCH, HEADS, 7, WIDTH, generator=random).bfloat16() for _ in range(2))
    mask = COUNTS[:, None, None, :]
    folded, _ = folded_attention(layer, query, key, value, mask, rows=rows)
    copied = [x[rows.document] for x in (key, value, mask)]
    expanded, _ = folded_attention(layer, query, *copied)
    assert torch.equal(folded, expanded)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_in_bfloat16_computes_what_it_does_in_float32_up_to_rounding(family):
    policy, rows = tiny_policy(family), Rows.grid(6, 2)
    ids, mask = tiny_batch(policy)
    decoder_ids = torch.arange(3, 3 + 12 * 5).view(12, 5)

    def hidden() -> torch.Tensor:
        return policy.decode(decoder_ids, policy.encode(ids, mask), rows).float()

    with torch.no_grad():
        exact = hidden()
        with torch.autocast("cpu", torch.bfloat16):
            rounded = hidden()
    error = (rounded - exact).abs().max()
    assert 0 < error < 0.05 * exact.abs().max()

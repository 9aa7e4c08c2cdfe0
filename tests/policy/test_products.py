"""oneDNN's products are PyTorch's, forward and backward, and stay out of where they do not belong."""

import pytest
import torch
from torch.nn.functional import linear as torch_linear

from lastmile.policy import products
from lastmile.policy.products import FastProducts, linear, packed, product

SHAPES = [(1, 8, 5), (7, 32, 48), (3, 64, 1)]


def inputs(rows, width, out, dtype=torch.float32):
    random = torch.Generator().manual_seed(rows)
    x, weight, bias = (torch.randn(*shape, generator=random) for shape in ((2, rows, width), (out, width), (out,)))
    return [each.to(dtype).requires_grad_() for each in (x, weight, bias)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@torch.no_grad()
def test_products_with_and_without_packing(shape, dtype):
    x, weight, bias = inputs(*shape, dtype)
    for add in (None, bias):
        expected = torch_linear(x, weight, add)
        for ours in (product(x, weight, add), product(x, packed(weight), add)):
            assert ours.dtype == dtype
            torch.testing.assert_close(ours, expected)


@torch.no_grad()
def test_transposed_views_are_multiplied_too():
    x, weight, _ = inputs(7, 32, 48)
    gradient = torch_linear(x[0], weight)
    torch.testing.assert_close(product(gradient, weight.t()), gradient @ weight)
    torch.testing.assert_close(product(gradient.t(), x[0].t()), gradient.t() @ x[0])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("with_bias", [True, False])
def test_gradients_are_those_of_torch(shape, with_bias):
    def gradients(function):
        x, weight, bias = inputs(*shape)
        out = function(x, weight, bias if with_bias else None)
        (out * torch.arange(out.numel()).view(out.shape).sin()).sum().backward()
        return x.grad, weight.grad, bias.grad

    for ours, expected in zip(gradients(linear), gradients(torch_linear), strict=True):
        torch.testing.assert_close(ours, expected)


def test_only_what_needs_a_gradient_gets_one():
    x, weight, bias = inputs(7, 32, 48)
    linear(x.detach(), weight, bias).sum().backward()
    assert x.grad is None
    assert weight.grad is not None
    weight.grad = None
    linear(x, weight.detach(), bias.detach()).sum().backward()
    assert weight.grad is None
    assert x.grad is not None


@pytest.mark.skipif(not products.HAS_ONEDNN, reason="this processor or this PyTorch has no fast path")
def test_modules_within_the_context_take_the_fast_path_and_others_do_not(monkeypatch):
    taken = []
    monkeypatch.setattr(products, "product", lambda *a: taken.append(a) or product(*a))
    layer, x = torch.nn.Linear(8, 4), torch.ones(2, 8)
    outside = layer(x)
    assert not taken
    with FastProducts():
        torch.testing.assert_close(layer(x), outside)
        assert len(taken) == 1
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert layer(x).dtype == torch.bfloat16
        layer.double()(x.double())
    assert len(taken) == 1

"""Matrix products on a processor with AVX-512, by oneDNN.

PyTorch leaves float32 products to MKL, which keeps to AVX2 where the processor is not Intel's: there oneDNN, a part of
PyTorch too, needs half of the time (`python bench/products.py`). Its operators are PyTorch's own but not documented;
where they are missing, and on every other device, all of this is PyTorch's usual product.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

HAS_ONEDNN = (
    torch.backends.mkldnn.is_available()
    and torch.backends.cpu.get_cpu_capability() == "AVX512"
    and all(hasattr(torch.ops.mkldnn, name) for name in ("_linear_pointwise", "_reorder_linear_weight"))
)


def product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x Wᵀ + b without gradient.

    Args:
        x: `(…, d)`.
        weight: `(d', d)`, or what `packed` made of it.
        bias: `(d',)` or None.

    Returns:
        `(…, d')`.
    """
    if weight.is_mkldnn or (HAS_ONEDNN and x.dtype == torch.float32 and x.device.type == "cpu"):
        return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return nn.functional.linear(x, weight, bias)


def packed(weight: Tensor) -> Tensor:
    """A weight laid out for many products with few rows: a third to a half faster there, and a copy."""
    if HAS_ONEDNN and weight.device.type == "cpu" and weight.dtype in (torch.float32, torch.bfloat16):
        return torch.ops.mkldnn._reorder_linear_weight(weight.detach().contiguous())
    return weight


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`torch.nn.functional.linear`, with gradient."""
    is_float32 = x.dtype == weight.dtype == torch.float32 and not torch.is_autocast_enabled(x.device.type)
    if HAS_ONEDNN and is_float32 and x.device.type == "cpu":
        return _Linear.apply(x, weight, bias)
    return nn.functional.linear(x, weight, bias)


class FastProducts(TorchFunctionMode):
    """Within this context, modules of any model call `linear` above."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        """Swap one function, leave all others."""
        return (linear if func is nn.functional.linear else func)(*args, **(kwargs or {}))


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias):
        ctx.save_for_backward(x, weight)
        ctx.has_bias = bias is not None
        return product(x, weight, bias)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient):
        x, weight = ctx.saved_tensors
        needs_x, needs_weight, needs_bias = ctx.needs_input_grad
        flat = gradient.reshape(-1, gradient.shape[-1])
        x_gradient = product(gradient, weight.t()) if needs_x else None
        weight_gradient = product(flat.t(), x.reshape(-1, x.shape[-1]).t()) if needs_weight else None
        return x_gradient, weight_gradient, flat.sum(0) if ctx.has_bias and needs_bias else None

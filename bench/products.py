"""Time PyTorch's usual matrix products against those of `lastmile.policy.products` on this CPU.

    OMP_NUM_THREADS=1 python bench/products.py

Shapes are T5-small's: a training pass over some 1,000 tokens with its backward pass, and one sampled token in 8 and in
32 rows with packed weights. Timed in turns, so that other work on the machine falls on both; medians are shown.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import linear as torch_linear

from lastmile.policy.products import HAS_ONEDNN, linear, packed, product

ROUNDS = 15
SIZES = {"feed-forward": (512, 2048), "attention": (512, 512), "vocabulary": (512, 32128)}


def milliseconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1e3


def compare(name: str, usual: Callable[[], object], ours: Callable[[], object]) -> None:
    """Print one line."""
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(ROUNDS + 2):
        for kept, work in zip(times, (usual, ours), strict=True):
            spent = milliseconds(work)
            if number >= 2:  # the first rounds warm up
                kept.append(spent)
    usual_time, our_time = (statistics.median(kept) for kept in times)
    print(f"{name:44}{usual_time:9.2f}{our_time:9.2f}{usual_time / our_time:8.1f}")


def main() -> None:
    """Print one line a shape."""
    torch.manual_seed(0)
    print(f"{'ms':44}{'usual':>9}{'ours':>9}{'ratio':>8}   ({torch.get_num_threads()} threads, oneDNN: {HAS_ONEDNN})")
    for name, (width, out) in SIZES.items():
        x, weight = torch.randn(1024, width, requires_grad=True), torch.randn(out, width, requires_grad=True)

        def train(function: Callable[[Tensor, Tensor], Tensor], tensors=(x, weight)) -> None:
            torch.autograd.grad(function(*tensors).sum(), tensors)

        compare(f"float32, {name}, 1,024 tokens, both passes", lambda: train(torch_linear), lambda: train(linear))
        for dtype in (torch.float32, torch.bfloat16):
            fixed = weight.detach().to(dtype)
            laid_out = packed(fixed)
            for rows in (8, 32):
                few = x.detach()[:rows].to(dtype)
                kind = str(dtype).removeprefix("torch.")
                compare(
                    f"{kind}, {name}, {rows} rows, packed",
                    lambda few=few, fixed=fixed: torch_linear(few, fixed),
                    lambda few=few, laid_out=laid_out: product(few, laid_out),
                )


if __name__ == "__main__":
    main()

"""Time PyTorch's fused attention against `lastmile.policy.attention.matmul_attention` in bfloat16 on this CPU.

    OMP_NUM_THREADS=1 python bench/attention.py

Shapes are those of a BART with 12 heads of width 32 on eight dialogues with eight sampled summaries each. The two are
timed in turns, so that other work on the machine falls on both; the median over rounds is shown.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from types import SimpleNamespace

import torch
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from lastmile.policy.attention import matmul_attention

ROUNDS = 15
SHAPES = {
    "encoder": (8, 12, 224, 224, False),
    "folded cross-attention": (8, 12, 280, 224, False),
    "decoder, causal": (64, 12, 35, 35, True),
    "one sampled token": (64, 12, 1, 30, True),
}
ENGINES = {"fused": sdpa_attention_forward, "matrix products": matmul_attention}


def milliseconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1e3


def main() -> None:
    """Print one line a shape."""
    torch.manual_seed(0)
    print(f"{'forward and backward, ms':28}{'fused':>8}{'ours':>8}{'ratio':>8}   ({torch.get_num_threads()} threads)")
    for name, (batch, heads, length, width, is_causal) in SHAPES.items():
        layer = SimpleNamespace(is_causal=is_causal)
        query, key, value = (
            torch.randn(batch, t, heads, 32, dtype=torch.bfloat16).transpose(1, 2).requires_grad_()
            for t in (length, width, width)
        )
        mask = None if is_causal else (torch.arange(width) < width - 5 * torch.arange(batch)[:, None])[:, None, None]

        def step(attention, layer=layer, tensors=(query, key, value), mask=mask) -> None:
            output, _ = attention(layer, *tensors, mask)
            torch.autograd.grad(output.sum(), tensors)

        times: dict[str, list[float]] = {engine: [] for engine in ENGINES}
        for number in range(ROUNDS + 2):
            for engine, attention in ENGINES.items():
                spent = milliseconds(lambda attention=attention: step(attention))
                if number >= 2:  # the first rounds warm up
                    times[engine].append(spent)
        fused, ours = (statistics.median(times[engine]) for engine in ENGINES)
        print(f"{name:28}{fused:8.1f}{ours:8.1f}{fused / ours:8.1f}")


if __name__ == "__main__":
    main()

"""The floor: the least time for the same work, from counted operations and bytes and this machine's own rates.

Operations are those of matrix products, two a multiplication and addition, of the very tokens that count: no padding,
no key after its query, a document's encoder states and cross-attention keys once for all its summaries. Bytes are those
that must be read: at each sampled token the decoder's weights, and the keys and values so far. Softmax, norms, the draw
and every copy are left out, so the floor cannot be reached; the fraction says how far above it a program is.

Rates are measured in the same run: one large matrix product (PyTorch's usual one or ours, whichever is quicker), one
large copy (its bytes count twice, read and written).
A phase takes the longer of operations / product rate and bytes / copy rate; phases add up.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from bench.shapes import SHAPES
from bench.turns import wait
from lastmile.policy.products import product as quick


@dataclass(frozen=True, slots=True)
class Sizes:
    """What operations are counted from: layers, widths, vocabulary."""

    encoder_layers: int
    decoder_layers: int
    width: int
    attention_width: int
    feed_forward: int
    feed_forward_products: int
    vocabulary: int

    @classmethod
    def of(cls, shape: str) -> Sizes:
        """From a named shape."""
        s = SHAPES[shape]
        if s["family"] == "t5":
            gated = s.get("feed_forward_proj", "relu").startswith("gated")
            layers = s["num_layers"], s["num_decoder_layers"]
            return cls(*layers, s["d_model"], s["num_heads"] * s["d_kv"], s["d_ff"], 3 if gated else 2, s["vocab_size"])
        layers = s["encoder_layers"], s["decoder_layers"]
        return cls(*layers, s["d_model"], s["d_model"], s["encoder_ffn_dim"], 2, s["vocab_size"])

    @property
    def _block(self) -> int:
        """Weights of one self-attention and one feed-forward layer."""
        return 4 * self.width * self.attention_width + self.feed_forward_products * self.width * self.feed_forward

    def encode(self, documents: int, tokens: int) -> int:
        """Operations of reading B documents of S tokens."""
        num = documents * tokens
        attention = 2 * 2 * num * tokens * self.attention_width
        return self.encoder_layers * (2 * num * self._block + attention)

    def document_keys(self, documents: int, tokens: int) -> int:
        """Operations of the cross-attention keys and values of B documents, one copy each."""
        return self.decoder_layers * 2 * 2 * documents * tokens * self.width * self.attention_width

    def write(self, rows: int, position: int, tokens: int) -> int:
        """Operations of one token in each row, the `position`-th (from 1), against documents of S tokens."""
        weights = self._block + 2 * self.width * self.attention_width
        attention = 2 * 2 * (position + tokens) * self.attention_width
        return rows * (self.decoder_layers * (2 * weights + attention) + 2 * self.width * self.vocabulary)

    def encode_bytes(self, size: int) -> int:
        """The encoder's weights, read once."""
        return self.encoder_layers * self._block * size

    def write_bytes(self, rows: int, documents: int, position: int, tokens: int, size: int) -> int:
        """What one sampled token of each row must read: weights, its own keys and values, its document's once."""
        weights = self.decoder_layers * (self._block + 2 * self.width * self.attention_width)
        keys = self.decoder_layers * 2 * self.attention_width * (rows * position + documents * tokens)
        return (weights + self.width * self.vocabulary + keys) * size


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of the work whose bytes and operations can go on at the same time."""

    operations: int
    bytes: int = 0


def sampling(sizes: Sizes, lengths: Sequence[int], samples: int, tokens: int, size: int) -> list[Phase]:
    """Reading the documents, their cross-attention keys, then one phase a token; rows are gone once they ended."""
    documents = len(lengths) // samples
    keys_bytes = sizes.decoder_layers * 2 * sizes.width * sizes.attention_width * size
    phases = [
        Phase(sizes.encode(documents, tokens), sizes.encode_bytes(size)),
        Phase(sizes.document_keys(documents, tokens), keys_bytes),
    ]
    for position in range(1, max(lengths) + 1):
        alive = [row for row, length in enumerate(lengths) if length >= position]
        read = len({row // samples for row in alive})
        phases.append(
            Phase(
                sizes.write(len(alive), position, tokens),
                sizes.write_bytes(len(alive), read, position, tokens, size),
            )
        )
    return phases


def scoring(sizes: Sizes, lengths: Sequence[int], samples: int, tokens: int) -> int:
    """Operations of one forward pass over documents and summaries."""
    documents = len(lengths) // samples
    written = sum(sizes.write(1, position, tokens) for length in lengths for position in range(1, length + 1))
    return sizes.encode(documents, tokens) + sizes.document_keys(documents, tokens) + written


def training(sizes: Sizes, lengths: Sequence[int], samples: int, tokens: int) -> list[Phase]:
    """Forward and backward: each matrix product has two more in the backward pass."""
    return [Phase(3 * scoring(sizes, lengths, samples, tokens))]


@dataclass(frozen=True, slots=True)
class Rates:
    """What this machine did in this run.

    Attributes:
        operations: Of a matrix product of 2,048 × 2,048 (512 for the tiny shape), a second.
        bytes: Of a copy, read and written, a second.
    """

    operations: float
    bytes: float

    def seconds(self, phases: Sequence[Phase]) -> float:
        """The floor of these phases."""
        return sum(max(phase.operations / self.operations, phase.bytes / self.bytes) for phase in phases)


class Meter:
    """Measures the two rates, a little in each round, so that the noise of the run falls on them too."""

    def __init__(self, dtype: str, device: str, small: bool = False) -> None:
        side, room = (512, 2**20) if small else (2048, 2**26)
        self.device = device
        kind = getattr(torch, dtype)
        self.left, self.right = (torch.randn(side, side, device=device).to(kind) for _ in range(2))
        self.source = torch.ones(room, device=device)
        self.target = torch.empty_like(self.source)
        self.operations: list[float] = []
        self.bytes: list[float] = []

    def __call__(self) -> float:
        """One turn."""
        product = min(
            self._seconds(lambda: self.left @ self.right), self._seconds(lambda: quick(self.left, self.right))
        )
        copied = self._seconds(lambda: self.target.copy_(self.source))
        self.operations.append(2 * self.left.shape[0] ** 3 / product)
        self.bytes.append(2 * self.source.numel() * self.source.element_size() / copied)
        return product + copied

    def _seconds(self, work, repeats: int = 4) -> float:
        times = []
        for _ in range(repeats):
            wait(self.device)
            start = time.perf_counter()
            work()
            wait(self.device)
            times.append(time.perf_counter() - start)
        return min(times)

    @property
    def rates(self) -> Rates:
        """The median of the rounds, each the best of four tries."""
        return Rates(statistics.median(self.operations), statistics.median(self.bytes))

"""The one-token step as a CUDA graph: recorded once, replayed for each token.

A step is some twenty small kernels a layer, and a GPU that is done with one waits for the next to be launched. A graph
launches all of them at once, but every tensor in it has its address and its size for good. So the room of
self-attention is made for the longest row at once, the newest token's place stands in a tensor, and rows that have
ended keep their places until half of all rows have: only then a graph of fewer rows is recorded.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from lastmile.policy.policy import Encoded, Policy
from lastmile.policy.step import Step


class RecordedStep(Step):
    """A `Step` for the sampler, whose rows only leave.

    Attributes:
        records: Whether there is a GPU to record on; elsewhere the same operations run one by one.
    """

    def __init__(self, policy: Policy, encoded: Encoded, num_samples: int, length: int) -> None:
        super().__init__(policy, encoded, num_samples, length)
        self.records = self.own.is_cuda
        self._make_room(length)
        self._room = torch.arange(length, device=self.own.device)
        self._now = torch.zeros(1, dtype=torch.int64, device=self.own.device)
        self._keep_all()

    def __call__(self, tokens: Tensor) -> Tensor:
        """As `Step`: `(R,)` ids of the rows still being written → `(R, d)`."""
        self._tokens[self._live] = tokens
        with torch.autocast(tokens.device.type, enabled=False):
            if self.records:
                self._recording = self._recording or Recording(self._read, self._tokens)
                hidden = self._recording()
            else:
                hidden = self._read(self._tokens)
        self._now += 1
        self.written += 1
        return hidden[self._live]

    def select(self, rows: Tensor) -> None:
        """Go on with these rows only, `(r,)`, rising."""
        live = self._live[rows]
        if 2 * len(live) > len(self._tokens):
            self._live = live
        else:
            super().select(live)
            self._keep_all()

    def _keep_all(self) -> None:
        count, device = len(self.rows.document), self.own.device
        self._live = torch.arange(count, device=device)
        self._tokens = torch.zeros(count, dtype=torch.int64, device=device)
        self._recording = None

    def _remember(self, own: Tensor, key: Tensor, value: Tensor) -> Tensor:
        own.index_copy_(3, self._now, torch.stack([key, value])[:, :, :, None])
        return own.flatten(1, 2)

    def _distance(self) -> Tensor:
        return self.distances.index_select(1, len(self._room) - 1 - self._now + self._room)

    def _position(self) -> Tensor:
        return self.weights.positions.index_select(0, self._now)


class Recording:
    """A CUDA graph of one function.

    Args:
        run: Reads and writes tensors of fixed address and size. It runs once beforehand, so that libraries take their
            working memory, which must do no harm.
        inputs: What it is given.
    """

    def __init__(self, run: Callable[..., Tensor], *inputs: Tensor) -> None:
        beside = torch.cuda.Stream()
        beside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(beside):
            run(*inputs)
        torch.cuda.current_stream().wait_stream(beside)
        self._graph = torch.cuda.CUDAGraph()
        # Another thread may ask the GPU for memory meanwhile, as a data loader does.
        with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):
            self._result = run(*inputs)

    def __call__(self) -> Tensor:
        """Run it again on what the inputs hold now; the next call overwrites the result."""
        self._graph.replay()
        return self._result

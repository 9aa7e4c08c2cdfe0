"""Folded cross-attention: the K summaries of a document share one copy of its keys and values.

Cross-attention has no causal mask, so the queries of all summaries of a document may stand in one long row:
`(B·K, H, t, d) → (B, H, K·t, d)` against keys `(B, H, S, d)`. The result is the same to rounding, and neither the
encoder states nor their keys and values are ever copied K times.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Rows:
    """Which document each decoder row belongs to.

    Attributes:
        document: `(R,)` int64, the row's document in 0..num_documents-1.
        slot: `(R,)` int64, the row's place among its document's rows in 0..num_slots-1.
        num_documents: Documents whose encoder states are at hand.
        num_slots: The most rows that any document has.
    """

    document: Tensor
    slot: Tensor
    num_documents: int
    num_slots: int

    @classmethod
    def grid(cls, num_documents: int, num_slots: int, device: torch.device | str = "cpu") -> Rows:
        """The full layout: `num_slots` rows for each document, document by document."""
        document = torch.arange(num_documents, device=device).repeat_interleave(num_slots)
        slot = torch.arange(num_slots, device=device).repeat(num_documents)
        return cls(document, slot, num_documents, num_slots)

    @classmethod
    def of(cls, document: Tensor, num_documents: int) -> Rows:
        """Number the rows of each document in order; `document` `(R,)` must be sorted."""
        counts = torch.bincount(document, minlength=num_documents)
        first = counts.cumsum(0) - counts
        slot = torch.arange(len(document), device=document.device) - first[document]
        return cls(document, slot, num_documents, int(counts.max()))

    @property
    def is_grid(self) -> bool:
        """True where every document has the same number of rows, so that folding is a mere view."""
        return len(self.document) == self.num_documents * self.num_slots

    def fold(self, query: Tensor) -> Tensor:
        """`(R, H, t, d)` → `(num_documents, H, num_slots·t, d)`; places without a row hold zeros."""
        _, heads, length, width = query.shape
        if not self.is_grid:
            room = query.new_zeros(self.num_documents * self.num_slots, heads, length, width)
            query = room.index_copy(0, self.document * self.num_slots + self.slot, query)
        query = query.view(self.num_documents, self.num_slots, heads, length, width).transpose(1, 2)
        return query.reshape(self.num_documents, heads, self.num_slots * length, width)

    def unfold(self, output: Tensor) -> Tensor:
        """`(num_documents, H, num_slots·t, d)` → `(R, t, H, d)`, the layout that attention functions return."""
        documents, heads, folded, width = output.shape
        length = folded // self.num_slots
        output = output.view(documents, heads, self.num_slots, length, width).permute(0, 2, 3, 1, 4)
        output = output.reshape(documents * self.num_slots, length, heads, width)
        return output if self.is_grid else output[self.document * self.num_slots + self.slot]

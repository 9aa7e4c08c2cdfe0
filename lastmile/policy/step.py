"""One token through the decoder: what the sampler does again and again.

Transformers' decoder runs many small operations a token, however few the rows. Here are fewer and larger ones:
projections of the same input are joined, keys and values are written into room made beforehand and read whole,
cross-attention is folded over a document's rows (see `fold.py`), masks are worked out once.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lastmile.policy.fold import Rows
from lastmile.policy.policy import Encoded, Policy
from lastmile.policy.products import packed
from lastmile.policy.weights import Layer, decoder_weights

ROOM = 16
"""Tokens a row that memory is made for at a time."""


class Step:
    """The decoder with everything written so far, ready for one more token in each row.

    Weights are read once, in the type that autocast asks for, so a step is good for one rollout. Dropout is off.

    Args:
        policy: The model.
        encoded: B documents.
        num_samples: Rows a document, K; there are R = B·K at first.
        length: T, the most tokens a row will hold.

    Attributes:
        rows: The rows still being written.
        output_weight: For `Policy.project`, packed.
        cross: Keys and values of the documents still needed, `(2, B·H, S, d)` a layer: one copy a document.
    """

    def __init__(self, policy: Policy, encoded: Encoded, num_samples: int, length: int) -> None:
        states, device = encoded.states, encoded.states.device
        autocast = torch.is_autocast_enabled(device.type)
        self.dtype = torch.get_autocast_dtype(device.type) if autocast else policy.model.dtype
        self.weights = decoder_weights(policy.model, length, self.dtype)
        self.output_weight = packed(policy.output_weight.to(self.dtype))
        self.rows = Rows.grid(len(states), num_samples, device)
        self.length, self.written = length, 0
        heads = self.weights.heads
        with torch.autocast(device.type, enabled=False):
            self.cross = [
                _heads(layer.cross_memory(states), 2 * heads).unflatten(1, (2, heads)).transpose(0, 1).flatten(1, 2)
                for layer in self.weights.layers
            ]
        # Layer, key or value, row, head, place, width.
        shape = len(self.cross), 2, len(states) * num_samples, heads, 0, self.cross[0].shape[-1]
        self.own = torch.empty(shape, dtype=self.dtype, device=device)
        distance = self.weights.distance_bias
        distance = torch.zeros(1, length, dtype=self.dtype, device=device) if distance is None else distance
        # Behind the newest token nothing counts.
        self.distances = nn.functional.pad(distance, (0, length), value=torch.finfo(self.dtype).min)
        self.mask = None
        if not encoded.mask.all():
            blocked = torch.zeros(encoded.mask.shape, dtype=self.dtype, device=device)
            self.mask = blocked.masked_fill_(~encoded.mask, torch.finfo(self.dtype).min)
        self._place_rows()

    def __call__(self, tokens: Tensor) -> Tensor:
        """Read the newest token of each row.

        Args:
            tokens: `(R,)` ids.

        Returns:
            `(R, d)` hidden states, one step before `Policy.project`.
        """
        if self.written == self.own.shape[-2]:
            self._make_room(min(ROOM, self.length - self.written))
        with torch.autocast(tokens.device.type, enabled=False):
            hidden = self._read(tokens)
        self.written += 1
        return hidden

    def select(self, rows: Tensor) -> None:
        """Go on with these rows only, `(r,)`, document by document; a row may stand there more than once.

        Documents without a row are dropped.
        """
        # Rows before the first that moves stay where they are.
        first = int((rows == torch.arange(len(rows), device=rows.device)).cumprod(0).sum())
        moved = self.own[:, :, rows[first:], :, : self.written]
        self.own = self.own[:, :, : len(rows)]
        self.own[:, :, first:, :, : self.written] = moved
        documents, document = torch.unique_consecutive(self.rows.document[rows], return_inverse=True)
        if len(documents) < self.rows.num_documents:
            heads = self.weights.heads
            self.cross = [each.unflatten(1, (-1, heads))[:, documents].flatten(1, 2) for each in self.cross]
            self.mask = None if self.mask is None else self.mask[documents]
        self.rows = Rows.of(document, len(documents))
        self._place_rows()

    def _read(self, tokens: Tensor) -> Tensor:
        """All layers, for tokens that stand at `self.written`."""
        weights = self.weights
        x = weights.embed(tokens)
        if weights.positions is not None:
            x = x + self._position()
        if weights.first_norm is not None:
            x = weights.first_norm(x)
        distance = self._distance()
        for layer, own, cross in zip(weights.layers, self.own, self.cross, strict=True):
            blocks = (
                lambda h, layer=layer, own=own: self._look_back(layer, own, distance, h),
                lambda h, layer=layer, cross=cross: self._look_up(layer, cross, h),
                layer.feed_forward,
            )
            for norm, block in zip(layer.norms, blocks, strict=True):
                x = x + block(norm(x)) if weights.norms_first else norm(x + block(x))
        return x if weights.last_norm is None else weights.last_norm(x)

    def _look_back(self, layer: Layer, own: Tensor, distance: Tensor, x: Tensor) -> Tensor:
        """Self-attention over the row so far, the newest token included."""
        count, heads = len(x), self.weights.heads
        query, *newest = layer.self_in(x).view(count, 3, heads, -1).unbind(1)
        keys, values = self._remember(own, *newest)
        scores = torch.bmm(self._scaled(query).reshape(count * heads, 1, -1), keys.transpose(1, 2))
        scores.view(count, heads, -1).add_(distance)
        attended = torch.bmm(scores.softmax(-1), values)
        return layer.self_out(attended.view(count, -1))

    def _make_room(self, tokens: int) -> None:
        """For so many tokens more. What is not written yet is masked, but must be a number.

        All of the room is read: products over a part of it would copy that part first.
        """
        self.own = nn.functional.pad(self.own, (0, 0, 0, tokens))

    def _remember(self, own: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Write `(R, H, d)` key and value behind the others; give back the whole room, `(2, R·H, t, d)`."""
        own[0, :, :, self.written], own[1, :, :, self.written] = key, value
        return own.flatten(1, 2)

    def _distance(self) -> Tensor:
        """What is added to the scores of each place in the room: `(H, t)`, or `(1, t)` for all heads."""
        first = self.length - 1 - self.written
        return self.distances[:, first : first + self.own.shape[-2]]

    def _position(self) -> Tensor:
        """`(d)` of the newest token."""
        return self.weights.positions[self.written]

    def _look_up(self, layer: Layer, cross: Tensor, x: Tensor) -> Tensor:
        """Cross-attention, folded: the rows of a document stand side by side as queries of its one copy."""
        heads, documents, slots = self.weights.heads, self.rows.num_documents, self.rows.num_slots
        query = self._scaled(layer.cross_in(x))
        query = query if self._row_at is None else query.index_select(0, self._row_at)
        query = _heads(query.view(documents, slots, -1), heads).flatten(0, 1)
        keys, values = cross
        scores = torch.bmm(query, keys.transpose(1, 2))
        if self.mask is not None:
            scores.view(documents, heads, slots, -1).add_(self.mask[:, None, None])
        attended = torch.bmm(scores.softmax(-1), values)
        attended = attended.view(documents, heads, slots, -1).transpose(1, 2).reshape(documents * slots, -1)
        return layer.cross_out(attended if self._row_at is None else attended.index_select(0, self._place_of))

    def _scaled(self, query: Tensor) -> Tensor:
        return query if self.weights.scaling == 1.0 else query * self.weights.scaling

    def _place_rows(self) -> None:
        """Work out where rows stand among their documents' slots; None where the layout is the full grid."""
        rows = self.rows
        self._place_of = self._row_at = None
        if not rows.is_grid:
            self._place_of = rows.document * rows.num_slots + rows.slot
            # Slots without a row compute a copy of the first one, which nobody reads.
            self._row_at = torch.zeros(rows.num_documents * rows.num_slots, dtype=torch.int64, device=rows.slot.device)
            self._row_at[self._place_of] = torch.arange(len(rows.slot), device=rows.slot.device)


def _heads(x: Tensor, heads: int) -> Tensor:
    """`(B, S, H·d)` → `(B, H, S, d)`."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)

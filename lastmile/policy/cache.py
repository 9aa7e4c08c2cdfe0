"""Key and value caches for the sampler, on transformers' cache interface."""

from __future__ import annotations

from torch import Tensor
from transformers import PreTrainedConfig
from transformers.cache_utils import Cache, CacheLayerMixin, EncoderDecoderCache


class GrowingLayer(CacheLayerMixin):
    """Keys and values of one layer in room allocated once, so that a step writes one token and copies none."""

    is_sliding = False

    def __init__(self, capacity: int) -> None:
        super().__init__()
        self.capacity = capacity
        self.length = 0

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Allocate at the first token, when shapes are known."""
        rows, heads, _, width = key_states.shape
        self.room = key_states.new_empty(2, rows, heads, self.capacity, width)
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *args, **kwargs) -> tuple[Tensor, Tensor]:
        """Write the newest tokens; return all so far as views."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        end = self.length + key_states.shape[-2]
        self.room[0, :, :, self.length : end] = key_states
        self.room[1, :, :, self.length : end] = value_states
        self.length = end
        self.keys, self.values = self.room[0, :, :, :end], self.room[1, :, :, :end]
        return self.keys, self.values

    def batch_select_indices(self, indices: Tensor) -> None:
        """Keep these rows only."""
        kept = self.room.new_empty(2, len(indices), *self.room.shape[2:])
        kept[..., : self.length, :] = self.room[:, indices, :, : self.length]
        self.room = kept

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Length and offset of the keys after the coming tokens."""
        return self.length + query_length, 0

    def get_seq_length(self) -> int:
        """Tokens held."""
        return self.length

    def get_max_length(self) -> int:
        """Tokens that fit."""
        return self.capacity


class SharedLayer(GrowingLayer):
    """Cross-attention keys and values of one layer: one copy a document, written once."""

    def update(self, key_states: Tensor, value_states: Tensor, *args, **kwargs) -> tuple[Tensor, Tensor]:
        """Keep what the first step computed, laid out as the products of every later step read it."""
        self.keys, self.values, self.is_initialized = key_states.contiguous(), value_states.contiguous(), True
        self.length = key_states.shape[-2]
        return self.keys, self.values

    def batch_select_indices(self, indices: Tensor) -> None:
        """Keep these documents only."""
        self.keys, self.values = self.keys[indices], self.values[indices]


def growing_cache(config: PreTrainedConfig, capacity: int) -> EncoderDecoderCache:
    """An empty cache with room for `capacity` tokens a row and one copy of each document."""
    layers = config.num_decoder_layers if config.model_type in ("t5", "mt5") else config.decoder_layers
    cache = EncoderDecoderCache(
        Cache(layers=[GrowingLayer(capacity) for _ in range(layers)]),
        Cache(layers=[SharedLayer(0) for _ in range(layers)]),
    )
    cache.is_updated = dict.fromkeys(range(layers), False)
    return cache

"""The decoder's weights of each family in one form, for the sampler's one-token step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from lastmile.policy.products import packed, product

FAMILIES = ("bart", "pegasus", "t5", "mt5")
"""Those whose decoders are known here; others are not folded (see `expanded.py`)."""


@dataclass(frozen=True, slots=True)
class Affine:
    """x Wᵀ + b in the type of W, for one or several projections of the same input side by side."""

    weight: Tensor
    bias: Tensor | None

    @classmethod
    def of(cls, *linears: nn.Linear, dtype: torch.dtype) -> Affine:
        """Join projections of the same input."""
        biases = [each.bias for each in linears if each.bias is not None]
        weight = packed(torch.cat([each.weight for each in linears]).to(dtype))
        return cls(weight, torch.cat(biases).to(dtype) if biases else None)

    def __call__(self, x: Tensor) -> Tensor:
        """`(…, d)` → `(…, d')`."""
        return product(x.to(self.weight.dtype), self.weight, self.bias)


@dataclass(frozen=True, slots=True)
class Norm:
    """Layer norm (BART, PEGASUS), or root mean square norm where there is no bias (T5)."""

    weight: Tensor
    bias: Tensor | None
    epsilon: float

    def __call__(self, x: Tensor) -> Tensor:
        """Over the last dimension of `(…, d)`."""
        if self.bias is None:
            return nn.functional.rms_norm(x, self.weight.shape, self.weight, self.epsilon)
        return nn.functional.layer_norm(x, self.weight.shape, self.weight, self.bias, self.epsilon)


@dataclass(frozen=True, slots=True)
class Layer:
    """One decoder layer. Each of its three blocks has a norm, before it or after it.

    Attributes:
        norms: Of self-attention, cross-attention, feed-forward.
        self_in: Query, key and value of the newest token, joined.
        self_out: Output projection.
        cross_in: Query.
        cross_memory: Key and value of the document, joined.
        cross_out: Output projection.
        wide: Up to the feed-forward width; gate and value joined where the family gates.
        activation: Between the two.
        narrow: Back to the model's width.
    """

    norms: tuple[Norm, Norm, Norm]
    self_in: Affine
    self_out: Affine
    cross_in: Affine
    cross_memory: Affine
    cross_out: Affine
    wide: Affine
    activation: Callable[[Tensor], Tensor]
    narrow: Affine

    def feed_forward(self, x: Tensor) -> Tensor:
        """`(…, d)` → `(…, d)`."""
        x = self.wide(x)
        if x.shape[-1] == self.narrow.weight.shape[1]:
            return self.narrow(self.activation(x))
        gate, value = x.chunk(2, dim=-1)
        return self.narrow(self.activation(gate) * value)


@dataclass(frozen=True, slots=True)
class DecoderWeights:
    """A whole decoder.

    Attributes:
        layers: From the first to the last.
        embed: Token ids `(R,)` → `(R, d)`.
        positions: `(T, d)` added to the embedding of the token at each place, or None.
        first_norm: Over the embeddings, or None.
        last_norm: Over what leaves the last layer, or None.
        norms_first: Whether norms stand before their blocks (T5, PEGASUS) or after the residual sum (BART).
        heads: Attention heads.
        scaling: Factor on attention scores.
        distance_bias: `(H, T)` added to the scores of self-attention: entry T − 1 − n belongs to the key n tokens back.
            None where the family has none.
    """

    layers: tuple[Layer, ...]
    embed: Callable[[Tensor], Tensor]
    positions: Tensor | None
    first_norm: Norm | None
    last_norm: Norm | None
    norms_first: bool
    heads: int
    scaling: float
    distance_bias: Tensor | None


def decoder_weights(model: PreTrainedModel, length: int, dtype: torch.dtype) -> DecoderWeights:
    """Read a model's decoder.

    Args:
        model: Of the BART, PEGASUS, T5 or mT5 family; nothing of it is changed.
        length: T, the most tokens that will stand in a row.
        dtype: What matrix products compute in. Norms, embeddings and residual sums stay in the model's own type.
    """
    return (_t5 if model.config.model_type in ("t5", "mt5") else _bart)(model, length, dtype)


def _t5(model: PreTrainedModel, length: int, dtype: torch.dtype) -> DecoderWeights:
    decoder, layers = model.get_decoder(), []
    for block in decoder.block:
        attend, cross, feed_forward = block.layer
        own, read, dense = attend.SelfAttention, cross.EncDecAttention, feed_forward.DenseReluDense
        wide = (dense.wi_0, dense.wi_1) if model.config.is_gated_act else (dense.wi,)
        layers.append(
            Layer(
                norms=tuple(_norm(part.layer_norm) for part in block.layer),
                self_in=Affine.of(own.q, own.k, own.v, dtype=dtype),
                self_out=Affine.of(own.o, dtype=dtype),
                cross_in=Affine.of(read.q, dtype=dtype),
                cross_memory=Affine.of(read.k, read.v, dtype=dtype),
                cross_out=Affine.of(read.o, dtype=dtype),
                wide=Affine.of(*wide, dtype=dtype),
                activation=dense.act,
                narrow=Affine.of(dense.wo, dtype=dtype),
            )
        )
    first = decoder.block[0].layer[0].SelfAttention
    return DecoderWeights(
        layers=tuple(layers),
        embed=decoder.embed_tokens,
        positions=None,
        first_norm=None,
        last_norm=_norm(decoder.final_layer_norm),
        norms_first=True,
        heads=model.config.num_heads,
        scaling=1.0,
        distance_bias=first.compute_bias(length, length)[0, :, -1].to(dtype),
    )


def _bart(model: PreTrainedModel, length: int, dtype: torch.dtype) -> DecoderWeights:
    decoder = model.get_decoder()
    layers = tuple(
        Layer(
            norms=(_norm(each.self_attn_layer_norm), _norm(each.encoder_attn_layer_norm), _norm(each.final_layer_norm)),
            self_in=Affine.of(each.self_attn.q_proj, each.self_attn.k_proj, each.self_attn.v_proj, dtype=dtype),
            self_out=Affine.of(each.self_attn.out_proj, dtype=dtype),
            cross_in=Affine.of(each.encoder_attn.q_proj, dtype=dtype),
            cross_memory=Affine.of(each.encoder_attn.k_proj, each.encoder_attn.v_proj, dtype=dtype),
            cross_out=Affine.of(each.encoder_attn.out_proj, dtype=dtype),
            wide=Affine.of(each.fc1, dtype=dtype),
            activation=each.activation_fn,
            narrow=Affine.of(each.fc2, dtype=dtype),
        )
        for each in decoder.layers
    )
    is_bart = model.config.model_type == "bart"
    # BART's embedding layer scales by itself.
    scale = 1.0 if is_bart else decoder.embed_scale
    places = torch.arange(length, device=model.device)
    return DecoderWeights(
        layers=layers,
        embed=decoder.embed_tokens if scale == 1.0 else lambda tokens: decoder.embed_tokens(tokens) * scale,
        positions=decoder.embed_positions(None, position_ids=places).view(length, -1),
        first_norm=_norm(decoder.layernorm_embedding) if is_bart else None,
        last_norm=None if is_bart else _norm(decoder.layer_norm),
        norms_first=not is_bart,
        heads=model.config.decoder_attention_heads,
        scaling=decoder.layers[0].self_attn.scaling,
        distance_bias=None,
    )


def _norm(layer: nn.Module) -> Norm:
    epsilon = layer.eps if isinstance(layer, nn.LayerNorm) else layer.variance_epsilon
    return Norm(layer.weight, getattr(layer, "bias", None), epsilon)

"""The attention that models compute with here: folded over a document's summaries, and fast in bfloat16 on CPU."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

from lastmile.policy.fold import Rows

FOLDED = "lastmile_folded"


def folded_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    rows: Rows | None = None,
    **settings: object,
) -> tuple[Tensor, None]:
    """Attention function for transformers: folds cross-attention where `rows` is given.

    Args:
        module: The attention layer; cross-attention is the one in a decoder that is not causal.
        query: `(R, H, t, d)`.
        key: `(B, H, S, d)`, one a document.
        value: `(B, H, S, d)`.
        attention_mask: `(B, 1, 1, S)` bool, True where a document token counts; None where all do.
        rows: The rows' documents.
        settings: `scaling`, `dropout` and what else the layer passes. The position bias that T5 passes to its
            cross-attention is all zeros and is left out.

    Returns:
        `(R, t, H, d)` and no weights.
    """
    attention = (
        matmul_attention if query.device.type == "cpu" and query.dtype == torch.bfloat16 else sdpa_attention_forward
    )
    if rows is None or not getattr(module, "is_decoder", False) or module.is_causal:
        return attention(module, query, key, value, attention_mask, **settings)
    settings.pop("position_bias", None)
    output, _ = attention(module, rows.fold(query), key, value, attention_mask, **settings)
    return rows.unfold(output.transpose(1, 2)).contiguous(), None


def matmul_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    scaling: float | None = None,
    dropout: float = 0.0,
    position_bias: Tensor | None = None,
    is_causal: bool | None = None,
    **_: object,
) -> tuple[Tensor, None]:
    """Attention as two matrix products and a softmax between them.

    PyTorch's fused kernel walks bfloat16 on CPU in small blocks: these products, with the whole table of scores in
    memory, were two to five times as fast for the lengths of documents and summaries.

    Args:
        module: The attention layer; says whether it is causal.
        query: `(B, H, t, d)`.
        key: `(B, H, S, d)`.
        value: `(B, H, S, d)`.
        attention_mask: Bool (True counts) or additive, broadcasting to `(B, H, t, S)`.
        scaling: Factor on the scores; d^-½ where None.
        dropout: Share of attention weights that are dropped.
        position_bias: Additive, broadcasting to `(B, H, t, S)` (T5).
        is_causal: Overrules the layer.

    Returns:
        `(B, t, H, d)` and no weights.
    """
    batch, heads, length, width = query.shape
    scaling = width**-0.5 if scaling is None else scaling
    query, key, value = (x.reshape(batch * heads, -1, width) for x in (query * scaling, key, value))
    scores = torch.bmm(query, key.transpose(1, 2)).view(batch, heads, length, -1)
    if attention_mask is None and length > 1 and (module.is_causal if is_causal is None else is_causal):
        attention_mask = torch.ones(scores.shape[-2:], dtype=torch.bool).tril(scores.shape[-1] - length)
    for bias in (attention_mask, position_bias):
        if bias is not None:
            # In place, autograd would copy the whole table twice, since it is a view.
            scores = scores + _additive(bias, scores.dtype)
    weights = nn.functional.dropout(scores.softmax(-1), dropout, training=dropout > 0)
    output = torch.bmm(weights.view(batch * heads, length, -1), value)
    return output.view(batch, heads, length, width).transpose(1, 2).contiguous(), None


def _additive(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """0 where a bool mask is True, the least finite number where it is False; other masks are additive already."""
    if mask.dtype != torch.bool:
        # T5's position bias comes with its heads innermost, and adding it so takes several times as long.
        return mask.to(dtype).contiguous()
    return torch.zeros(mask.shape, dtype=dtype).masked_fill_(~mask, torch.finfo(dtype).min)


AttentionInterface.register(FOLDED, folded_attention)
AttentionMaskInterface.register(FOLDED, sdpa_mask)

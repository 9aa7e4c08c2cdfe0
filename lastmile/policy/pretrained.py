"""Any model of transformers with its tokenizer, as judges read texts with it: safetensors only, no remote code."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from transformers import AutoConfig, PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_MASKED_LM_MAPPING_NAMES,
)

from lastmile.config import Model
from lastmile.errors import InputError
from lastmile.policy.load import load_tokenizer, load_weights, not_found

# Their positions are counted from behind the padding's.
_SHIFTED = ("roberta", "camembert", "xlm-roberta", "mpnet")


def load_config(name: str, revision: str | None = None) -> PreTrainedConfig:
    """The config of a named model.

    Raises:
        InputError: If there is none.
    """
    try:
        return AutoConfig.from_pretrained(name, revision=revision, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise InputError(not_found(name, error)) from None


def only_decodes(config: PreTrainedConfig) -> bool:
    """Whether a model sees no word to its right."""
    kind = config.model_type
    return kind in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES and kind not in MODEL_FOR_MASKED_LM_MAPPING_NAMES


def load_pretrained(
    auto: Any,
    name: str,
    revision: str | None = None,
    is_read: Callable[[PreTrainedModel, str], bool] = lambda model, key: True,
    **settings: Any,
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load a model in float32 and its fast tokenizer.

    Args: those of `load_weights`.

    Raises:
        InputError: If there is no such model, its safetensors are missing or incomplete, or its tokenizer is slow or
            another model's.
    """
    model = load_weights(auto, name, revision, is_read, **settings)
    tokenizer = load_tokenizer(Model(name=name, revision=revision))
    if not tokenizer.is_fast or tokenizer.pad_token is None:
        raise InputError(f"`{name}` has no fast tokenizer with padding, which tells where in a text its tokens stand")
    if len(tokenizer) > model.get_input_embeddings().weight.shape[0]:
        raise InputError(f"the tokenizer of `{name}` does not fit its model. Use the one that it was trained with")
    return model, tokenizer


def longest_input(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, at_most: int) -> int:
    """Tokens that a model reads at once, special ones included."""
    positions = getattr(model.config, "max_position_embeddings", None) or at_most
    if model.config.model_type in _SHIFTED:
        positions -= model.config.pad_token_id + 1
    return min(at_most, positions, tokenizer.model_max_length)


def like_lengths(lengths: Sequence[int], tokens: int) -> Iterator[list[int]]:
    """The places of texts, in batches of like length that hold at most so many tokens with their padding.

    >>> list(like_lengths([3, 9, 4, 30], tokens=12))
    [[0, 2], [1], [3]]
    """
    batch: list[int] = []
    for place in sorted(range(len(lengths)), key=lambda place: lengths[place]):
        if batch and lengths[place] * (len(batch) + 1) > tokens:
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """No gradient and no autocast: a judge says the same inside a training step of bfloat16 as outside of it."""
    with torch.no_grad(), torch.autocast(device.type, enabled=False):
        yield

"""Tiny untrained policies of every family: quick, peaked and different from row to row, so that mistakes show."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor
from transformers import (
    AutoModelForSeq2SeqLM,
    BartConfig,
    LEDConfig,
    LongT5Config,
    MarianConfig,
    MBartConfig,
    MT5Config,
    PegasusConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    T5Config,
)

from lastmile.policy.build import train_tokenizer
from lastmile.policy.policy import Policy

FAMILIES = ("bart", "t5", "pegasus", "mt5")
OTHERS = ("mbart", "marian", "led", "longt5")
"""Of the families that are not folded."""
SENTENCES = (
    "The council of Norwich voted on Tuesday to keep the old bridge open until 2031.",
    "Ann Lee sold 14 paintings to a museum in Oslo; the rest went to her sister.",
    "Heavy rain stopped the ferries between the islands, and 300 passengers waited in the harbour.",
    "The team won 3-1 at home, its fifth victory in a row, before a crowd of 8,000.",
    "A new reading of the letters suggests that the treaty was signed a year earlier than thought.",
    "Prices of wheat rose by 7 per cent in March, the ministry said.",
)


@cache
def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE of 300 tokens: `<pad>` 0, `<s>` 1, `</s>` 2."""
    return train_tokenizer(SENTENCES, vocabulary=300, max_tokens=128)


def tiny_model(family: str, seed: int = 0, dtype: torch.dtype = torch.float32, **settings: object) -> PreTrainedModel:
    """A model with random weights, 2 + 2 layers and width 32; `settings` go into its config.

    Large weights make the distributions peaked; a long embedding of the end marker (for BART a bias, as not every
    family has one) ends some summaries early and others not. BART starts its decoder with the end marker, as the
    published checkpoints do, the others with padding.
    """
    ids = {
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "decoder_start_token_id": 2 if family in ("bart", "mbart", "led") else 0,
    }
    bart = {
        "d_model": 32,
        "encoder_layers": 2,
        "decoder_layers": 2,
        "encoder_attention_heads": 4,
        "decoder_attention_heads": 4,
        "encoder_ffn_dim": 64,
        "decoder_ffn_dim": 64,
        "max_position_embeddings": 128,
        "init_std": 0.3,
        "forced_eos_token_id": None,
    }
    t5 = {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_decoder_layers": 2, "num_heads": 4}
    positions = {"max_encoder_position_embeddings": 128, "max_decoder_position_embeddings": 128}
    kinds = {
        "bart": (BartConfig, bart),
        "mbart": (MBartConfig, bart),
        "marian": (MarianConfig, bart),
        "led": (LEDConfig, bart | positions | {"attention_window": 8}),
        "longt5": (LongT5Config, t5 | {"initializer_factor": 1.2}),
        "pegasus": (PegasusConfig, bart),
        "t5": (T5Config, t5 | {"initializer_factor": 1.2}),
        "mt5": (MT5Config, t5 | {"initializer_factor": 0.4, "feed_forward_proj": "gated-gelu"}),
    }
    config_class, shape = kinds[family]
    config = config_class(**({"vocab_size": len(tiny_tokenizer())} | shape | ids | settings))
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        model = AutoModelForSeq2SeqLM.from_config(config)
        embeddings = model.get_output_embeddings().weight
        embeddings[config.pad_token_id] *= 0.1
        if family in ("bart", "marian"):
            model.final_logits_bias[0, config.eos_token_id] = 6 if family == "bart" else 3
        else:
            embeddings[config.eos_token_id] *= 3
    return model.to(dtype).eval()


def tiny_policy(family: str, seed: int = 0, dtype: torch.dtype = torch.float32, **settings: object) -> Policy:
    """`tiny_model` with its tokenizer, in evaluation mode; a new one at each call."""
    return Policy(tiny_model(family, seed, dtype, **settings), tiny_tokenizer()).eval()


def tiny_batch(policy: Policy, texts: Sequence[str] = SENTENCES) -> tuple[Tensor, Tensor]:
    """Document ids `(B, S)` int64 and their mask `(B, S)` bool, padded at the end."""
    encoded = policy.tokenizer(list(texts), padding=True, return_tensors="pt")
    return encoded["input_ids"], encoded["attention_mask"].bool()


def forced_start_policy() -> Policy:
    """As `bart-large-cnn`: a first token that is not the model's choice."""
    model = tiny_model("bart")
    model.generation_config.forced_bos_token_id = 1
    return Policy(model, tiny_tokenizer())

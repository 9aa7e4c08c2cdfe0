"""Models of named shapes with random weights: nothing is downloaded, and speed does not depend on what weights say."""

from __future__ import annotations

from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    AutoModelForSeq2SeqLM,
    BartConfig,
    GenerationConfig,
    PegasusConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    T5Config,
)

from lastmile.policy.policy import Policy

CONFIGS = {"t5": T5Config, "bart": BartConfig, "pegasus": PegasusConfig}

# The sizes of the published checkpoints of these names, and one for tests.
SHAPES: dict[str, dict[str, Any]] = {
    "tiny": {
        "family": "t5",
        "vocab_size": 300,
        "d_model": 32,
        "d_kv": 8,
        "d_ff": 64,
        "num_layers": 2,
        "num_decoder_layers": 2,
        "num_heads": 4,
        "tie_word_embeddings": True,
    },
    "t5-small": {
        "family": "t5",
        "vocab_size": 32128,
        "d_model": 512,
        "d_kv": 64,
        "d_ff": 2048,
        "num_layers": 6,
        "num_decoder_layers": 6,
        "num_heads": 8,
        "tie_word_embeddings": True,
    },
    "flan-t5-base": {
        "family": "t5",
        "vocab_size": 32128,
        "d_model": 768,
        "d_kv": 64,
        "d_ff": 2048,
        "num_layers": 12,
        "num_decoder_layers": 12,
        "num_heads": 12,
        "feed_forward_proj": "gated-gelu",
        "tie_word_embeddings": False,
    },
    "bart-base": {
        "family": "bart",
        "vocab_size": 50265,
        "d_model": 768,
        "encoder_layers": 6,
        "decoder_layers": 6,
        "encoder_attention_heads": 12,
        "decoder_attention_heads": 12,
        "encoder_ffn_dim": 3072,
        "decoder_ffn_dim": 3072,
        "max_position_embeddings": 1024,
        "activation_function": "gelu",
    },
    "pegasus": {
        "family": "pegasus",
        "vocab_size": 96103,
        "d_model": 1024,
        "encoder_layers": 16,
        "decoder_layers": 16,
        "encoder_attention_heads": 16,
        "decoder_attention_heads": 16,
        "encoder_ffn_dim": 4096,
        "decoder_ffn_dim": 4096,
        "max_position_embeddings": 1024,
        "activation_function": "relu",
        "scale_embedding": True,
    },
}


def config_settings(shape: str) -> dict[str, Any]:
    """Everything but the family that the shape's config class takes.

    The end marker is the last token of the vocabulary, so that a uniform number just below 1 draws it: this is how
    summaries end where a benchmark planned it (see `lengths.py`).
    """
    settings = {key: value for key, value in SHAPES[shape].items() if key != "family"}
    return settings | {
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": settings["vocab_size"] - 1,
        "decoder_start_token_id": 0,
        "forced_eos_token_id": None,
    }


def build_model(shape: str, seed: int = 0, device: str = "cpu") -> PreTrainedModel:
    """A model in float32 and evaluation mode with transformers' default attention; the same weights for a seed."""
    config = CONFIGS[SHAPES[shape]["family"]](**config_settings(shape))
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        model = AutoModelForSeq2SeqLM.from_config(config)
        if not config.tie_word_embeddings:
            # Drawn with deviation 1, logits would lie tens of nats apart and most tokens have no probability at all.
            model.get_output_embeddings().weight *= config.d_model**-0.5
    model.generation_config = GenerationConfig.from_model_config(config)
    return model.to(device).eval()


def build_policy(shape: str, seed: int = 0, device: str = "cpu") -> Policy:
    """Ours, around the same weights."""
    return Policy(build_model(shape, seed, device), build_tokenizer(shape)).eval()


def build_tokenizer(shape: str) -> PreTrainedTokenizerFast:
    """One word a token (`w17`): decoding costs what it costs anywhere, encoding is not timed with it."""
    size = SHAPES[shape]["vocab_size"]
    words = {"<pad>": 0, "<s>": 1, "</s>": size - 1} | {f"w{number}": number for number in range(2, size - 1)}
    backend = Tokenizer(models.WordLevel(words, unk_token="<pad>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    backend.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        clean_up_tokenization_spaces=False,
    )

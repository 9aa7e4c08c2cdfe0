"""Tiny encoders and NLI classifiers on disk, untrained: what semantic support and entailment are tested with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from tiny import SENTENCES
from tokenizers import processors
from transformers import BertConfig, BertForSequenceClassification, BertModel, PreTrainedTokenizerFast

from lastmile.policy.build import train_tokenizer

LABELS = ("contradiction", "neutral", "entailment")


def reader_tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE of 300 tokens that reads single texts and pairs; at most 64 of them."""
    tokenizer = train_tokenizer(SENTENCES, vocabulary=300, max_tokens=64)
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B:1 </s>:1", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    return tokenizer


def _config(layers: int, **settings: object) -> BertConfig:
    sizes = {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 16, "initializer_range": 0.3}
    return BertConfig(
        vocab_size=300, max_position_embeddings=64, num_hidden_layers=layers, pad_token_id=0, **sizes, **settings
    )


def encoder_checkpoint(folder: Path, flat: bool = False) -> str:
    """A BERT of random weights; a flat one sees no context: a token's vector is its embedding, wherever it stands."""
    torch.manual_seed(0)
    model = BertModel(_config(4))
    if flat:
        torch.nn.init.zeros_(model.embeddings.position_embeddings.weight)
        for layer in model.encoder.layer:
            for added in (layer.attention.output.dense, layer.output.dense):
                torch.nn.init.zeros_(added.weight)
    model.save_pretrained(folder)
    reader_tokenizer().save_pretrained(folder)
    return str(folder)


def nli_checkpoint(folder: Path, labels: Sequence[str] = LABELS) -> str:
    """A BERT with a head: each label has the same weights wherever it stands among the others."""
    torch.manual_seed(0)
    names = dict(enumerate(labels))
    config = _config(1, id2label=names, label2id={name: number for number, name in names.items()})
    model = BertForSequenceClassification(config)
    dice = {name: torch.Generator().manual_seed(len(name)) for name in labels}
    with torch.no_grad():
        for row, name in zip(model.classifier.weight, labels, strict=True):
            row.normal_(0, 2, generator=dice[name])
    model.save_pretrained(folder)
    reader_tokenizer().save_pretrained(folder)
    return str(folder)

"""A token classifier that reads a document and its summary as a pair: loaded, built small, kept, and asked."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import processors
from torch import Tensor, nn
from transformers import (
    AutoModelForTokenClassification,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    T5Config,
    T5ForTokenClassification,
)
from transformers.models.auto.modeling_auto import MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING_NAMES

from lastmile.corpus.text import words
from lastmile.errors import InputError
from lastmile.policy.build import start_reading_pairs, train_tokenizer
from lastmile.policy.policy import without_bars
from lastmile.policy.pretrained import load_config, load_pretrained, longest_input, only_decodes

LABELS = {0: "supported", 1: "unsupported"}
SETTINGS = "detector.json"


@dataclass(frozen=True, slots=True)
class Pairs:
    """N documents with their summaries, as token ids.

    Attributes:
        inputs: What the model takes: `input_ids` and `attention_mask`, `(N, T)` int64, perhaps `token_type_ids`.
        word_of: `(N, T)` int64: which word of the summary a token belongs to, −1 for none.
        num_words: Words of each summary.
    """

    inputs: dict[str, Tensor]
    word_of: Tensor
    num_words: tuple[int, ...]

    def to(self, device: torch.device) -> Pairs:
        """The same on a device."""
        return Pairs({k: v.to(device) for k, v in self.inputs.items()}, self.word_of.to(device), self.num_words)


class Detector(nn.Module):
    """An encoder with a head over its tokens.

    Attributes:
        model: Any token classifier of transformers with two labels, the second one "unsupported".
        tokenizer: Its tokenizer, a fast one, which knows where in the text a token stands.
        max_tokens: Longest pair; of a longer one the document's end is not read.
        threshold: The score from which a word counts as unsupported.
        settings: What `detector.json` holds, how it was trained.
    """

    def __init__(
        self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, max_tokens: int, threshold: float = 0.5
    ) -> None:
        super().__init__()
        self.model, self.tokenizer, self.threshold = model, tokenizer, threshold
        self.settings: dict[str, Any] = {}
        self.max_tokens = longest_input(model, tokenizer, max_tokens)
        takes = inspect.signature(model.forward).parameters
        self._inputs = [name for name in ("input_ids", "attention_mask") if name in takes]
        if "token_type_ids" in takes and "token_type_ids" in tokenizer.model_input_names:
            self._inputs.append("token_type_ids")

    def encode(self, pairs: Sequence[tuple[str, str]]) -> Pairs:
        """Tokenize documents with their summaries; of a summary longer than half the limit the end is not read."""
        summaries = [self._shortened(summary) for _, summary in pairs]
        encoded = self.tokenizer(
            [document for document, _ in pairs],
            summaries,
            truncation="only_first",
            max_length=self.max_tokens,
            padding=True,
            return_offsets_mapping=True,
            return_token_type_ids="token_type_ids" in self._inputs,
            return_tensors="pt",
        )
        word_of = torch.full(encoded["input_ids"].shape, -1)
        num_words = []
        for row, (_, summary) in enumerate(pairs):
            found = words(summary)
            num_words.append(len(found))
            at = {place: k for k, word in enumerate(found) for place in range(word.start, word.end)}
            ends = encoded["offset_mapping"][row, :, 1].tolist()
            # The last letter decides: with some tokenizers a token begins with the space before it.
            for place, (side, end) in enumerate(zip(encoded.sequence_ids(row), ends, strict=True)):
                if side == 1:
                    word_of[row, place] = at.get(end - 1, -1)
        return Pairs({name: encoded[name] for name in self._inputs}, word_of, tuple(num_words))

    def _shortened(self, summary: str) -> str:
        ends = self.tokenizer(summary, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        room = self.max_tokens // 2
        return summary if len(ends["input_ids"]) <= room else summary[: ends["offset_mapping"][room - 1][1]]

    def forward(self, pairs: Pairs) -> Tensor:
        """`(N, T)` float32: the log-odds of each token that it is unsupported."""
        logits = self.model(**pairs.inputs).logits.float()
        return logits[..., 1] - logits[..., 0]

    @torch.no_grad()
    def score(self, pairs: Sequence[tuple[str, str]], batch_size: int = 16) -> list[tuple[float, ...]]:
        """For each word of each summary the score that it is unsupported, in 0..1; 0 for words that were not read.

        A word takes the highest score of its tokens. Pairs of like length are read together, equal ones once.
        """
        distinct = sorted(set(pairs), key=lambda pair: (len(pair[0]) + len(pair[1]), pair))
        device = next(self.parameters()).device
        found: dict[tuple[str, str], tuple[float, ...]] = {}
        for start in range(0, len(distinct), batch_size):
            part = distinct[start : start + batch_size]
            encoded = self.encode(part)
            scores = self(encoded.to(device)).sigmoid().cpu()
            for row, pair in enumerate(part):
                best = torch.zeros(encoded.num_words[row])
                read = encoded.word_of[row] >= 0
                best.scatter_reduce_(0, encoded.word_of[row][read], scores[row][read], "amax")
                found[pair] = tuple(best.tolist())
        return [found[pair] for pair in pairs]

    def save(self, folder: Path) -> None:
        """Write safetensors, config, tokenizer and settings: a folder that transformers reads too."""
        with without_bars():
            self.model.save_pretrained(folder)
            self.tokenizer.save_pretrained(folder)
        settings = self.settings | {"threshold": self.threshold, "max_tokens": self.max_tokens}
        text = json.dumps(settings, indent=2, ensure_ascii=False) + "\n"
        (Path(folder) / SETTINGS).write_text(text, encoding="utf-8")


def load_encoder(name: str, max_tokens: int, seed: int = 1) -> Detector:
    """An encoder from the hub or a folder, with a fresh head, seeded.

    Raises:
        InputError: If there is no such model, it is no encoder, its safetensors are missing, or its tokenizer is slow.
    """
    config = load_config(name)
    kind = config.model_type
    if only_decodes(config):
        raise InputError(
            f"`{name}` is a {kind} model, a decoder, which sees no word to its right; `--model` takes an encoder, "
            "e.g. `distilroberta-base`"
        )
    if kind not in MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING_NAMES:
        raise InputError(
            f"`{name}` is a {kind} model, which transformers has no token classifier of; `--model` takes an encoder, "
            "e.g. `distilroberta-base`"
        )
    detector = _load(name, max_tokens, fresh_head=True)
    start_undecided(detector.model, seed)
    return detector


def load_detector(folder: Path) -> Detector:
    """A detector that `lastmile flag train` wrote, in evaluation mode, on the processor.

    Raises:
        InputError: If the folder holds none, or its files do not fit each other.
    """
    settings = read_settings(folder)
    detector = _load(str(folder), int(settings["max_tokens"]), fresh_head=False)
    detector.threshold, detector.settings = float(settings["threshold"]), settings
    return detector.eval()


def read_settings(folder: Path) -> dict[str, Any]:
    """What `detector.json` holds: whether a folder is a detector can be told before its weights are loaded.

    Raises:
        InputError: If there is none, or it is damaged.
    """
    try:
        settings = json.loads((Path(folder) / SETTINGS).read_text(encoding="utf-8"))
        int(settings["max_tokens"]), float(settings["threshold"])
    except OSError:
        raise InputError(f"`{folder}` is no detector: it has no {SETTINGS}. `lastmile flag train` makes one") from None
    except (ValueError, KeyError, TypeError):
        raise InputError(f"`{folder}`: {SETTINGS} is damaged. Train the detector again") from None
    return settings


def build_small_encoder(texts: Iterable[str], max_tokens: int, seed: int) -> Detector:
    """A small T5 encoder from nothing, on a tokenizer of its own that is trained on `texts`."""
    tokenizer = train_tokenizer(texts, 4000, max_tokens)
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    tokenizer.model_input_names = ["input_ids", "attention_mask"]
    config = T5Config(
        vocab_size=len(tokenizer),
        d_model=128,
        d_kv=32,
        d_ff=512,
        num_layers=3,
        num_heads=4,
        dropout_rate=0.1,
        relative_attention_max_distance=64,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        id2label=LABELS,
        label2id={name: number for number, name in LABELS.items()},
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = T5ForTokenClassification(config)
        start_reading_pairs(model.transformer.encoder)
    start_undecided(model, seed)
    return Detector(model, tokenizer, max_tokens)


@torch.no_grad()
def start_undecided(model: PreTrainedModel, seed: int) -> None:
    """Draw the head small, so that every score begins near one half: T5's own start is sure of itself at random."""
    dice = torch.Generator().manual_seed(seed)
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear) and not name.startswith(model.base_model_prefix):
            module.weight.normal_(0, 0.02, generator=dice)
            if module.bias is not None:
                module.bias.zero_()


def _load(name: str, max_tokens: int, fresh_head: bool) -> Detector:
    labels = {"id2label": LABELS, "label2id": {name: number for number, name in LABELS.items()}} if fresh_head else {}

    def is_read(model: PreTrainedModel, key: str) -> bool:
        return not fresh_head or key.startswith(model.base_model_prefix)

    return Detector(*load_pretrained(AutoModelForTokenClassification, name, is_read=is_read, **labels), max_tokens)

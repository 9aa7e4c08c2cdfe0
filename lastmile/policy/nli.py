"""Any classifier of transformers for natural language inference, asked how far one text entails another."""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification, PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from lastmile.errors import InputError
from lastmile.policy.pretrained import full_precision, like_lengths, load_config, load_pretrained, longest_input

LONGEST_PAIR = 512
TOKENS_A_BATCH = 4096
_ENTAILMENT = re.compile(r"\W*(entail|supports?$)", re.IGNORECASE)


class NLI:
    """Reads a premise and a hypothesis together.

    Attributes:
        model: The classifier, frozen.
        tokenizer: Its tokenizer, a fast one.
        entailment: Which of its logits says that the premise entails the hypothesis.
        max_piece: Tokens of a premise, or of a hypothesis, at most, so that both are read whole.
    """

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, entailment: int) -> None:
        self.model, self.tokenizer, self.entailment = model.requires_grad_(False).eval(), tokenizer, entailment
        special = tokenizer.num_special_tokens_to_add(pair=True)
        self.max_piece = (longest_input(model, tokenizer, LONGEST_PAIR) - special) // 2
        self._reads_types = "token_type_ids" in inspect.signature(model.forward).parameters

    def to(self, device: torch.device | str) -> NLI:
        """Move the model; returns self."""
        self.model.to(device)
        return self

    def pieces(self, text: str) -> list[str]:
        """The text itself, or, with more than `max_piece` tokens, its parts: halved until they are short enough."""
        encoded = self.tokenizer(
            text, add_special_tokens=False, return_offsets_mapping=True, split_special_tokens=True, verbose=False
        )
        count = len(encoded["input_ids"])
        if count <= self.max_piece:
            return [text]
        middle = encoded["offset_mapping"][count // 2][0]
        return self.pieces(text[:middle]) + self.pieces(text[middle:])

    def entailments(self, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
        """The probability that each premise entails its hypothesis; neither longer than `pieces` makes them.

        Returns:
            `(N,)` float32 in 0..1: the softmax over all of the model's labels.
        """
        found = np.zeros(len(pairs), dtype=np.float32)
        if not pairs:
            return found
        encoded = self.tokenizer(
            [premise for premise, _ in pairs],
            [hypothesis for _, hypothesis in pairs],
            return_token_type_ids=self._reads_types,
            split_special_tokens=True,
        )
        device = next(self.model.parameters()).device
        for batch in like_lengths([len(ids) for ids in encoded["input_ids"]], TOKENS_A_BATCH):
            rows = {name: [values[place] for place in batch] for name, values in encoded.items()}
            inputs = self.tokenizer.pad(rows, return_tensors="pt").to(device)
            with full_precision(device):
                probabilities = self.model(**inputs).logits.float().softmax(-1)
            found[batch] = probabilities[:, self.entailment].cpu().numpy()
        return found


def check_nli(name: str, revision: str | None = None) -> list[str]:
    """What is wrong with a classifier, from its config alone: one sentence each, before any weight is loaded."""
    try:
        entailment_label(name, load_config(name, revision))
    except InputError as error:
        return [str(error)]
    return []


def load_nli(name: str, revision: str | None = None) -> NLI:
    """A classifier from the hub or a folder.

    Raises:
        InputError: If there is no such model, its labels do not tell which is entailment, its safetensors are missing
            or incomplete, or its tokenizer is slow or another model's.
    """
    entailment = entailment_label(name, load_config(name, revision))
    return NLI(*load_pretrained(AutoModelForSequenceClassification, name, revision), entailment)


def entailment_label(name: str, config: PreTrainedConfig) -> int:
    """Which label means entailment: the one called `entail…`, or `supports` as in FEVER, whatever its case.

    Raises:
        InputError: If there is not exactly one, beside at least one other.
    """
    labels = config.id2label
    found = [number for number, label in labels.items() if _ENTAILMENT.match(str(label))]
    if len(found) != 1 or len(labels) < 2:
        shown = ", ".join(f"`{label}`" for label in labels.values())
        raise InputError(
            f"`{name}`: an NLI model names one of its labels `entailment` or `supports` in its config's `id2label`, "
            f"got {shown}. Choose a classifier for natural language inference, or name its labels there"
        )
    return int(found[0])

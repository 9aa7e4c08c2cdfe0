"""Bring a policy in: from the hub, a folder, a run, or built small from nothing. Safetensors only, no remote code."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import (
    MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING,
    AutoConfig,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging

from lastmile.config import Hardware, Model
from lastmile.errors import InputError, did_you_mean
from lastmile.policy.fold import Rows
from lastmile.policy.policy import Policy, without_bars
from lastmile.policy.weights import FAMILIES

OVERFLOWS_FP16 = ("t5", "mt5", "longt5", "umt5", "switch_transformers", "pegasus")


def resolve_model(name: str) -> str:
    """A run stands for its best checkpoint; a folder or a hub name for itself."""
    for checkpoint in ("best", "baseline"):
        if (Path(name) / checkpoint / "config.json").is_file():
            return str(Path(name) / checkpoint)
    return name


def check_model(model: Model, hardware: Hardware, max_document_tokens: int) -> list[str]:
    """What is wrong with the chosen model, from its config alone: one sentence each, before any weight is loaded."""
    if model.build is not None:
        return []
    try:
        config = _load_config(model.name, model.revision)
    except InputError as error:
        return [str(error)]
    problems = []
    if hardware.precision == "16-mixed" and config.model_type in OVERFLOWS_FP16:
        problems.append(
            f"`hardware.precision=16-mixed` overflows {config.model_type.upper()} activations. Use `bf16-mixed`"
        )
    if hardware.cuda_graphs and config.model_type not in FAMILIES:
        problems.append(
            f"`hardware.cuda_graphs` is for {', '.join(FAMILIES)}, and `{model.name}` is of the family "
            f"`{config.model_type}`. Leave it out"
        )
    # PEGASUS computes as many as are needed, T5 and mT5 have none.
    positions = getattr(config, "max_encoder_position_embeddings", getattr(config, "max_position_embeddings", None))
    if config.model_type != "pegasus" and positions is not None and max_document_tokens > positions:
        problems.append(
            f"`data.max_document_tokens` must be at most {positions} for `{model.name}` (its learned positions), "
            f"got {max_document_tokens}"
        )
    return problems


def load_tokenizer(model: Model) -> PreTrainedTokenizerBase:
    """The tokenizer that belongs to a named model."""
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            resolve_model(model.name), revision=model.revision, trust_remote_code=False
        )
    except Exception as error:  # Files that cannot be read make the tokenizers library raise no more special a type.
        raise InputError(f"`{model.name}` has no usable tokenizer beside its weights: {_first_line(error)}") from None
    # Where files are missing, transformers makes up a tokenizer that knows special tokens and at most the space.
    if len(tokenizer) - len(tokenizer.all_special_ids) < 2:
        raise InputError(f"`{model.name}` has no tokenizer beside its weights. Save the one it was trained with there")
    return tokenizer


def load_weights(
    auto: Any,
    name: str,
    revision: str | None = None,
    is_read: Callable[[PreTrainedModel, str], bool] = lambda model, key: True,
    **settings: Any,
) -> PreTrainedModel:
    """Load a model in float32, safetensors only, without remote code.

    Args:
        auto: The class of transformers that knows which model it is, e.g. `AutoModel`.
        name: A hub name, a folder or a run.
        revision: Of the hub.
        is_read: Of a model and the name of one of its weights: whether it must be there. A new head need not.
        settings: For the config.

    Raises:
        InputError: If there is no such model, or its safetensors are missing or incomplete.
    """
    try:
        with without_bars(), _without_report():
            model, report = auto.from_pretrained(
                resolve_model(name),
                revision=revision,
                dtype=torch.float32,
                use_safetensors=True,
                trust_remote_code=False,
                output_loading_info=True,
                ignore_mismatched_sizes=True,
                **settings,
            )
    except (OSError, ValueError, SafetensorError) as error:
        raise InputError(not_found(name, error)) from None
    # Transformers draws these at random and goes on.
    unread = {key for key in report["missing_keys"] if is_read(model, key)}
    unread |= {key for key, *_ in report["mismatched_keys"] if is_read(model, key)}
    if unread:
        raise InputError(
            f"`{name}` does not fit its config: {len(unread)} of its weights are missing or of another shape, "
            f"e.g. `{min(unread)}`. Save the whole model again where it was trained"
        )
    return model


def load_policy(name: str, revision: str | None = None) -> Policy:
    """Load weights and tokenizer from the hub, a folder or a run, in float32 and evaluation mode.

    Raises:
        InputError: If there is no such model, it does not compute as encoder-decoders do, its safetensors are missing
            or incomplete, or its tokenizer does not fit.
    """
    _load_config(name, revision)
    # PEGASUS computes its positions: not always stored, never trained. Loading forgets that they are frozen.
    model = load_weights(
        AutoModelForSeq2SeqLM,
        name,
        revision,
        lambda model, key: model.config.model_type != "pegasus" or not key.endswith("embed_positions.weight"),
    )
    if model.config.model_type == "pegasus":
        for stack in (model.get_encoder(), model.get_decoder()):
            stack.embed_positions.requires_grad_(False)
    tokenizer = load_tokenizer(Model(name=name, revision=revision))
    rows = model.get_output_embeddings().weight.shape[0]
    if len(tokenizer) > rows:
        raise InputError(
            f"the tokenizer of `{name}` does not fit its model: {len(tokenizer)} tokens, but embeddings for {rows}. "
            "Use the tokenizer that the model was trained with"
        )
    policy = Policy(model, tokenizer).eval()
    if not policy.can_fold:
        _check_logits(policy, name)
    return policy


@torch.no_grad()
def _check_logits(policy: Policy, name: str) -> None:
    """That a model of a family that is not known here computes what `score` and the samplers think it does."""
    ids = torch.arange(8).remainder(policy.output_weight.shape[0]).view(2, 4)
    mask, rows = torch.ones_like(ids, dtype=torch.bool), Rows.grid(2, 1)
    try:
        ours = policy.project(policy.decode(ids, policy.encode(ids, mask), rows))
        theirs = policy.model(input_ids=ids, attention_mask=mask.long(), decoder_input_ids=ids).logits
        same = torch.allclose(ours, theirs, rtol=1e-3, atol=1e-3)
    except Exception as error:  # Of any type: what such a model wants is not known.
        raise InputError(_stranger(name, policy.model.config, _first_line(error))) from None
    if not same:
        raise InputError(_stranger(name, policy.model.config, "its logits are no projection of its decoder's states"))


def is_cased(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether upper and lower case survive the tokenizer; flags that read capitals need to know.

    Decided by encoding and decoding, since no attribute says it for every kind of tokenizer.
    """
    text = "Paris saw Ann Lee"
    return any(c.isupper() for c in tokenizer.decode(tokenizer.encode(text), skip_special_tokens=True))


def weights_hash(model: torch.nn.Module) -> str:
    """SHA-256 over names, shapes and values of all parameters, hexadecimal: who this model is."""
    digest = hashlib.sha256()
    for name, parameter in sorted(model.state_dict().items()):
        digest.update(json.dumps([name, str(parameter.dtype), list(parameter.shape)]).encode())
        digest.update(parameter.detach().cpu().contiguous().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _load_config(name: str, revision: str | None) -> PreTrainedConfig:
    """The config of an encoder-decoder for text; an InputError says why there is none."""
    try:
        config = AutoConfig.from_pretrained(resolve_model(name), revision=revision, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise InputError(not_found(name, error)) from None
    if not config.is_encoder_decoder:
        raise InputError(
            f"`{name}` is a {config.model_type} model without an encoder; lastmile trains encoder-decoders "
            f"({', '.join(FAMILIES)}). Choose one of these, e.g. `facebook/bart-base`"
        )
    if type(config) not in MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING:
        raise InputError(_stranger(name, config, "it does not go from text to text"))
    return config


def _stranger(name: str, config: PreTrainedConfig, why: str) -> str:
    return (
        f"`{name}` is of the family `{config.model_type}`, which lastmile cannot train: {why}. "
        f"Choose a model of one of {', '.join(FAMILIES)}"
    )


def not_found(name: str, error: Exception) -> str:
    """Why a model cannot be had, in one sentence."""
    if Path(name).exists():
        return f"`{name}` holds no loadable model: {_first_line(error)}"
    known = [f"{path}" for path in _neighbours(Path(name))]
    return (
        f"`{name}` is neither a folder here nor a model that could be fetched: {_first_line(error)}."
        f"{did_you_mean(name, known)} Without network, set HF_HUB_OFFLINE=1 and use a model that is in the cache"
    )


def _neighbours(path: Path) -> Iterator[Path]:
    return path.parent.iterdir() if path.parent.is_dir() and str(path.parent) != "." else iter(())


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0].rstrip(".")


@contextmanager
def _without_report() -> Iterator[None]:
    """Transformers warns of weights that are missing or left over; the gaps that matter are errors of ours."""
    level = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)

"""Evaluation decoding by CTranslate2 (`--engine ctranslate2`): compiled, without PyTorch, an optional extra."""

from __future__ import annotations

import copy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from lastmile.config import Decoding
from lastmile.errors import InputError
from lastmile.policy.policy import Policy
from lastmile.policy.weights import FAMILIES
from lastmile.records import Summary, TokenBatch

try:
    import ctranslate2
    from ctranslate2.converters import TransformersConverter
except ImportError:
    ctranslate2, TransformersConverter = None, object


class CTranslate2Decoder:
    """Writes summaries as `decode_batch` does, from a converted copy of a policy's weights.

    In float32 greedy summaries are those of `decode_batch`, token for token. Beams may differ: the engine scores the
    hypotheses that ended in its own way.

    Args:
        policy: The model, on a CPU or a CUDA GPU; its weights are converted as they are now, for the same device.
        compute_type: CTranslate2's type of computation: `float32`, `int8`, … or `auto` for the fastest that the
            machine has.

    Raises:
        InputError: If ctranslate2 is not installed, cannot compute on the policy's device, or not in this type.
    """

    def __init__(self, policy: Policy, compute_type: str = "float32") -> None:
        if ctranslate2 is None:
            raise InputError("`--engine ctranslate2`: is not installed. Run `pip install lastmile[ctranslate2]`")
        if not policy.can_fold:
            raise InputError(
                f"`--engine ctranslate2`: its conversion of the family `{policy.model.config.model_type}` is not "
                f"tested against PyTorch; it knows {', '.join(FAMILIES)}. Use `--engine torch`"
            )
        device, index = policy.device.type, policy.device.index or 0
        try:
            known = {"auto", *ctranslate2.get_supported_compute_types(device, index)}
        except (ValueError, RuntimeError) as error:
            raise InputError(
                f"`--engine ctranslate2`: cannot compute on `{policy.device}`, where the model is ({error}). It knows "
                "CPUs and CUDA GPUs; elsewhere use `--engine torch`"
            ) from None
        if compute_type not in known:
            raise InputError(f"`{compute_type}`: CTranslate2 has {', '.join(sorted(known))} on this {device}")
        self.policy = policy
        with TemporaryDirectory(prefix="lastmile-") as folder:
            policy.model.config.save_pretrained(folder)
            converted = _Converter(policy, folder).convert(str(Path(folder) / "converted"))
            self.translator = ctranslate2.Translator(
                converted, device=device, device_index=index, compute_type=compute_type
            )

    def __call__(self, batch: TokenBatch, settings: Decoding) -> list[Summary]:
        """Write one summary for each document of a batch."""
        policy = self.policy
        documents = [ids[mask].tolist() for ids, mask in zip(batch.document_ids, batch.document_mask, strict=True)]
        forced = policy.tokenizer.convert_ids_to_tokens(list(policy.prefix[1:]))
        results = self.translator.translate_batch(
            [policy.tokenizer.convert_ids_to_tokens(ids) for ids in documents],
            target_prefix=[forced] * len(documents) if forced else None,
            beam_size=settings.num_beams,
            max_input_length=0,
            max_decoding_length=settings.max_new_tokens + len(forced),
            min_decoding_length=settings.min_new_tokens and settings.min_new_tokens + len(forced),
            length_penalty=settings.length_penalty,
            no_repeat_ngram_size=settings.no_repeat_ngram_size,
            return_end_token=True,
        )
        rows = [policy.tokenizer.convert_tokens_to_ids(result.hypotheses[0])[len(forced) :] for result in results]
        texts = policy.tokenizer.batch_decode(rows, skip_special_tokens=True)
        return [Summary(text.strip(), policy.eos_id in row) for text, row in zip(texts, rows, strict=True)]


class _Converter(TransformersConverter):
    """Converts a policy that is in memory; `folder` holds its config."""

    def __init__(self, policy: Policy, folder: str) -> None:
        super().__init__(folder)
        self.policy = policy

    def load_model(self, *args: Any, **settings: Any) -> PreTrainedModel:
        """A view of the policy's model whose config says what transformers 5 no longer writes down."""
        model = copy.copy(self.policy.model)
        model.config = copy.deepcopy(model.config)
        model.config.normalize_before = model.config.model_type == "pegasus"
        model.config.normalize_embedding = model.config.model_type != "pegasus"
        return model

    def load_tokenizer(self, *args: Any, **settings: Any) -> PreTrainedTokenizerBase:
        """The policy's tokenizer; the engine wants a token for the unknown, which byte-level ones have not."""
        tokenizer = copy.deepcopy(self.policy.tokenizer)
        if tokenizer.unk_token is None:
            tokenizer.unk_token = tokenizer.pad_token
        return tokenizer

    def _load(self) -> Any:
        spec, config = super()._load(), self.policy.model.config
        if config.model_type in ("t5", "mt5"):
            spec.config.layer_norm_epsilon = config.layer_norm_epsilon
            spec.decoder.scale_outputs = self.policy.output_scale
        return spec

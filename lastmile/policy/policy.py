"""The sequence-to-sequence model as the rest of lastmile sees it: encode, decode, project."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging

from lastmile.policy.attention import FOLDED
from lastmile.policy.fold import Rows
from lastmile.policy.products import FastProducts, linear, product
from lastmile.policy.weights import FAMILIES


@dataclass(frozen=True, slots=True)
class Encoded:
    """Encoder states of B documents.

    Attributes:
        states: `(B, S, d)`.
        mask: `(B, S)` bool, True where a document token counts.
    """

    states: Tensor
    mask: Tensor

    def detach(self) -> Encoded:
        """The same states, cut from the graph: what the sampler reads while the update keeps the gradient."""
        return Encoded(self.states.detach(), self.mask)

    def select(self, documents: Tensor) -> Encoded:
        """Only the given documents, in the given order."""
        return Encoded(self.states[documents], self.mask[documents])


class Policy(nn.Module):
    """An encoder-decoder with the token ids that start and end a summary.

    Attributes:
        model: The transformers model, an encoder-decoder.
        tokenizer: Its tokenizer.
        prefix: Token ids before the first sampled one: the decoder start and a forced first token where the
            checkpoint has one. They are context: no log-probability, no KL.
        eos_id: Ends a summary. May equal the decoder start (BART), so it is looked for after the prefix only.
        pad_id: Fills rows up; masked everywhere.
        dropped_presets: Decoding settings that the checkpoint brought and that are not used (3-gram blocking, least
            lengths, …): nothing may bend the sampling distribution unseen, and evaluation sets its own.
        can_fold: Whether the model is of a family (BART, PEGASUS, T5, mT5) whose rows share their documents' keys and
            values; sampling folds where it can.
        folds: Whether `decode` folds cross-attention; otherwise encoder states are copied to the rows, which tests and
            benchmarks hold it against.
        cuda_graphs: Whether sampling replays CUDA graphs, see `recorded.py`.
    """

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
        super().__init__()
        self.model = model
        self.tokenizer = tokenizer
        preset = model.generation_config
        start = model.config.decoder_start_token_id
        start = preset.decoder_start_token_id if start is None else start
        self.prefix: tuple[int, ...] = (
            (start,) if preset.forced_bos_token_id is None else (start, preset.forced_bos_token_id)
        )
        self.eos_id: int = model.config.eos_token_id
        self.pad_id: int = model.config.pad_token_id
        self.dropped_presets = self._drop_presets()
        self.can_fold = self.folds = model.config.model_type in FAMILIES
        self.cuda_graphs = False
        self.has_bias = bool(getattr(model, "final_logits_bias", torch.zeros(1)).any())
        if self.can_fold:
            model.set_attn_implementation(FOLDED)

    def _drop_presets(self) -> dict[str, object]:
        """Leave a generation config that says only how a summary starts and ends; return what was taken out."""
        clean = GenerationConfig(
            decoder_start_token_id=self.prefix[0],
            forced_bos_token_id=self.prefix[1] if len(self.prefix) > 1 else None,
            eos_token_id=self.eos_id,
            pad_token_id=self.pad_id,
            bos_token_id=getattr(self.model.config, "bos_token_id", None),
        )
        before = self.model.generation_config.to_diff_dict()
        self.model.generation_config = clean
        # What is switched off and transformers' own bookkeeping bend nothing.
        kept = {*clean.to_diff_dict(), "transformers_version", "use_cache", "_from_model_config"}
        return {key: value for key, value in before.items() if value and key not in kept}

    def save(self, folder: Path) -> None:
        """Write model (safetensors) and tokenizer in transformers' own format."""
        with without_bars():
            self.model.save_pretrained(folder, safe_serialization=True)
            self.tokenizer.save_pretrained(folder)

    def narrow(self, dtype: torch.dtype) -> None:
        """Hold the weights of matrix products in a shorter type, for a model that is not trained.

        Under autocast to that type nothing changes, since it would cast them at each use. What autocast leaves alone
        keeps its type: norms, and the embeddings with the output projection that is tied to them.
        """
        embeddings = self.model.get_input_embeddings().weight
        for module in self.model.modules():
            if isinstance(module, nn.Linear) and module.weight is not embeddings:
                module.weight = nn.Parameter(module.weight.to(dtype), requires_grad=False)

    @property
    def device(self) -> torch.device:
        """Where the parameters lie."""
        return self.model.device

    def encode(self, document_ids: Tensor, document_mask: Tensor) -> Encoded:
        """Read `(B, S)` documents once; every pass over their summaries shares the result."""
        with self._products():
            states = self.model.get_encoder()(
                input_ids=document_ids, attention_mask=self._masking(document_mask)
            ).last_hidden_state
        return Encoded(states, document_mask)

    def decode(self, decoder_ids: Tensor, encoded: Encoded, rows: Rows) -> Tensor:
        """Run the decoder over whole rows of token ids; see `step.py` for one token at a time.

        Args:
            decoder_ids: `(R, t)`.
            encoded: The B documents.
            rows: Each row's document.

        Returns:
            `(R, t, d)` hidden states, one step before `project`.
        """
        if self.folds:
            states, mask, extra = encoded.states, encoded.mask[:, None, None, :], {"rows": rows}
        else:
            copied = encoded.select(rows.document)
            states, mask, extra = copied.states, self._masking(copied.mask), {}
        with self._products():
            return self.model.get_decoder()(
                input_ids=decoder_ids,
                encoder_hidden_states=states,
                encoder_attention_mask=mask,
                use_cache=False,
                **extra,
            ).last_hidden_state

    def _products(self) -> AbstractContextManager:
        """Fast ones for the families that are known: others may write into what a product gave them."""
        return FastProducts() if self.can_fold else nullcontext()

    def _masking(self, mask: Tensor) -> Tensor:
        """Bool for the families that are known: others may compute with it."""
        return mask if self.can_fold else mask.long()

    @property
    def output_weight(self) -> Tensor:
        """`(V, d)` rows of the output projection."""
        return self.model.get_output_embeddings().weight

    @property
    def output_bias(self) -> Tensor | None:
        """`(V,)` bias of the output projection, where the family has one and it is not all zeros."""
        return self.model.final_logits_bias[0] if self.has_bias else None

    @property
    def output_scale(self) -> float:
        """Factor on the hidden states before the projection: T5 with tied embeddings has d^-½."""
        config = self.model.config
        if config.model_type not in ("t5", "longt5", "umt5", "switch_transformers"):
            return 1.0
        scaled = getattr(config, "scale_decoder_outputs", config.tie_word_embeddings)
        return config.d_model**-0.5 if scaled else 1.0

    def project(self, hidden: Tensor, packed_weight: Tensor | None = None) -> Tensor:
        """`(…, d)` hidden states → `(…, V)` logits; without gradient where the weight is given `packed`."""
        hidden, bias = hidden * self.output_scale, self.output_bias
        if packed_weight is None:
            return linear(hidden, self.output_weight, bias)
        kind = packed_weight.dtype
        return product(hidden.to(kind), packed_weight, None if bias is None else bias.to(kind))


@contextmanager
def without_bars() -> Iterator[None]:
    """Transformers' own progress bars off: loading and saving a checkpoint takes a moment, and we say what it is."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()

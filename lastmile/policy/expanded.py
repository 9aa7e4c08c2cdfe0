"""One token through transformers' own decoder, for families that `weights.py` does not know.

Nothing is folded: each row has a copy of its document's states, and so of its keys and values in cross-attention.
"""

from __future__ import annotations

from torch import Tensor
from transformers import DynamicCache, EncoderDecoderCache

from lastmile.policy.fold import Rows
from lastmile.policy.policy import Encoded, Policy


class ExpandedStep:
    """Does what `Step` does, for any encoder-decoder; slower, and with K times its keys and values.

    Args:
        policy: The model.
        encoded: B documents.
        num_samples: Rows a document, K.
        length: As of `Step`; room is made as it is needed.
    """

    def __init__(self, policy: Policy, encoded: Encoded, num_samples: int, length: int) -> None:
        device = encoded.states.device
        self.decoder = policy.model.get_decoder()
        self.output_weight = None
        self.encoded = encoded.select(Rows.grid(len(encoded.states), num_samples, device).document)
        self.cache = EncoderDecoderCache(DynamicCache(), DynamicCache())

    def __call__(self, tokens: Tensor) -> Tensor:
        """Read the newest token of each row: `(R,)` ids → `(R, d)` hidden states."""
        return self.decoder(
            input_ids=tokens[:, None],
            encoder_hidden_states=self.encoded.states,
            encoder_attention_mask=self.encoded.mask.long(),
            past_key_values=self.cache,
            use_cache=True,
        ).last_hidden_state[:, 0]

    def select(self, rows: Tensor) -> None:
        """Go on with these rows only, `(r,)`; a row may stand there more than once."""
        self.encoded = self.encoded.select(rows)
        self.cache.batch_select_indices(rows)

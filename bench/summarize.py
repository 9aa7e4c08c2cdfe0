"""Decoding for readers: `lastmile.policy.decode.decode_batch`, which `lastmile summarize` runs, against `generate`.

Greedy: summaries of the same planned lengths on both sides (see `lengths.py`). Beam search with 4 beams: random weights
end nothing, so both write as many tokens as they may. Both read the ids to text.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import transformers
from transformers import GenerationConfig, PreTrainedModel

from bench.floor import Meter, Sizes, sampling
from bench.lengths import NEVER, PlannedEnds, PlannedPolicy, documents, draw_lengths
from bench.results import Result, result
from bench.rollout import check_rows
from bench.shapes import SHAPES, build_model, build_tokenizer
from bench.turns import Setup, in_turns
from lastmile.config import Decoding
from lastmile.errors import RunError
from lastmile.policy.decode import decode_batch
from lastmile.records import Example, TokenBatch

BEAMS = 4


def run(setup: Setup, peer: bool = True) -> list[Result]:
    """Greedy in turns, then beams in turns."""
    vocabulary, limit = SHAPES[setup.shape]["vocab_size"], setup.summary_tokens
    tokenizer = build_tokenizer(setup.shape)
    policy = PlannedPolicy(build_model(setup.shape, setup.seed, setup.device), tokenizer).eval()
    model = build_model(setup.shape, setup.seed, setup.device) if peer else None
    ids, mask = documents(setup.documents, setup.document_tokens, vocabulary, setup.seed, setup.device)
    none = torch.zeros(setup.documents, 0, dtype=torch.int64)
    examples = tuple(Example(str(number), "") for number in range(setup.documents))
    batch = TokenBatch(examples, ids, mask, none, none.bool())
    lengths = draw_lengths(setup.documents, limit, setup.seed)
    meter = Meter(setup.dtype, setup.device, setup.shape == "tiny")

    def ours(beams: int) -> Callable[[], None]:
        def go() -> None:
            policy.plan(lengths, limit)
            with setup.autocast():
                written = decode_batch(policy, batch, Decoding(num_beams=beams, max_new_tokens=limit))
            if beams == 1 and [len(s.text.split("w")) - 1 + s.ended for s in written] != lengths:
                raise RunError("summaries of other lengths were written than planned")

        return go

    def theirs(beams: int) -> Callable[[], None]:
        config = GenerationConfig(
            num_beams=beams,
            do_sample=False,
            max_new_tokens=limit,
            early_stopping=beams > 1,
            decoder_start_token_id=policy.prefix[0],
            eos_token_id=policy.eos_id,
            pad_token_id=policy.pad_id,
        )

        def go() -> None:
            ends = [PlannedEnds(lengths, limit, policy.eos_id, NEVER)] if beams == 1 else []
            with setup.autocast():
                rows = _generate(model, ids, mask, config, ends)
            tokenizer.batch_decode(rows, skip_special_tokens=True)
            if beams == 1:
                check_rows(rows, lengths, limit, policy.eos_id)

        return go

    found = []
    size = 2 if setup.dtype == "bfloat16" else 4
    for name, beams in (("greedy", 1), (f"beam {BEAMS}", BEAMS)):
        sides: dict[str, Callable] = {"ours": ours(beams)} | ({"peer": theirs(beams)} if peer else {})
        spent = in_turns(sides | {"rates": meter}, setup.rounds, setup.device)
        written = lengths if beams == 1 else [limit] * (setup.documents * beams)
        found.append(
            result(
                name,
                setup,
                spent["ours"],
                spent.get("peer"),
                program=f"transformers {transformers.__version__} generate",
                unit="documents",
                work=setup.documents,
                phases=sampling(Sizes.of(setup.shape), written, beams, setup.document_tokens, size),
                rates=meter.rates,
            )
        )
    return found


def _generate(
    model: PreTrainedModel, ids: torch.Tensor, mask: torch.Tensor, config: GenerationConfig, ends: list
) -> torch.Tensor:
    return model.generate(ids, attention_mask=mask.long(), generation_config=config, logits_processor=ends)

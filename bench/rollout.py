"""Sampling K summaries a document: ours against transformers' `generate`, in useful tokens a second.

Both read the same documents and write summaries of the same lengths (see `lengths.py`), from softmax(logits) without
truncation. `generate` gets transformers' default attention and key-value cache, and one call for all documents.
On a GPU ours is timed with CUDA graphs as well.
"""

from __future__ import annotations

import torch
import transformers
from transformers import GenerationConfig

from bench.floor import Meter, Sizes, sampling
from bench.lengths import PlannedEnds, check_lengths, documents, draw_lengths, planned_uniforms
from bench.results import Result, result
from bench.shapes import SHAPES, build_model, build_policy
from bench.turns import Setup, in_turns
from lastmile.config import Sampling
from lastmile.errors import RunError
from lastmile.policy.sample import sample


def run(setup: Setup, peer: bool = True) -> list[Result]:
    """Ours, theirs and the machine's rates in turns."""
    vocabulary, limit = SHAPES[setup.shape]["vocab_size"], setup.summary_tokens
    policy = build_policy(setup.shape, setup.seed, setup.device)
    ids, mask = documents(setup.documents, setup.document_tokens, vocabulary, setup.seed, setup.device)
    lengths = draw_lengths(setup.rows, limit, setup.seed)
    uniforms = planned_uniforms(lengths, setup.documents, limit, setup.seed)
    settings = Sampling(num_samples=setup.samples, max_new_tokens=limit)

    @torch.no_grad()
    def ours() -> None:
        with setup.autocast():
            rollout = sample(policy, policy.encode(ids, mask), uniforms, settings)
        check_lengths(rollout, lengths)

    def recorded() -> None:
        policy.cuda_graphs = True
        try:
            ours()
        finally:
            policy.cuda_graphs = False

    sides = {"ours": ours} | ({"recorded": recorded} if setup.device == "cuda" else {})
    if peer:
        model = build_model(setup.shape, setup.seed, setup.device)
        config = GenerationConfig(
            do_sample=True,
            top_k=0,
            num_return_sequences=setup.samples,
            max_new_tokens=limit,
            decoder_start_token_id=policy.prefix[0],
            eos_token_id=policy.eos_id,
            pad_token_id=policy.pad_id,
        )

        def theirs() -> None:
            ends = PlannedEnds(lengths, limit, policy.eos_id)
            with setup.autocast():
                rows = model.generate(
                    ids, attention_mask=mask.long(), generation_config=config, logits_processor=[ends]
                )
            check_rows(rows, lengths, limit, policy.eos_id)

        sides["peer"] = theirs
    sides["rates"] = meter = Meter(setup.dtype, setup.device, setup.shape == "tiny")
    spent = in_turns(sides, setup.rounds, setup.device)
    size = 2 if setup.dtype == "bfloat16" else 4
    names = {"ours": "rollout", "recorded": "rollout, CUDA graphs"}
    return [
        result(
            names[side],
            setup,
            spent[side],
            spent.get("peer"),
            program=f"transformers {transformers.__version__} generate",
            unit="tokens",
            work=sum(lengths),
            phases=sampling(Sizes.of(setup.shape), lengths, setup.samples, setup.document_tokens, size),
            rates=meter.rates,
            facts={"useful tokens a turn": sum(lengths), "longest summary": max(lengths)},
        )
        for side in names
        if side in sides
    ]


def check_rows(rows: torch.Tensor, lengths: list[int], limit: int, eos_id: int) -> None:
    """What `generate` wrote, decoder start included, is what was planned.

    Raises:
        RunError: If not.
    """
    ends = (rows[:, 1:] == eos_id).int()
    found = torch.where(ends.any(-1), ends.argmax(-1) + 1, limit).tolist()
    if found != lengths:
        raise RunError(f"the peer wrote summaries of {found} tokens, {lengths} were planned")

"""Evaluation decoding: how a trained policy writes summaries that people will read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from transformers import GenerationConfig

from lastmile.config import Decoding
from lastmile.policy.policy import Policy
from lastmile.policy.sample import greedy
from lastmile.records import Summary, TokenBatch


@torch.no_grad()
def decode_batch(policy: Policy, batch: TokenBatch, settings: Decoding) -> list[Summary]:
    """Write one summary for each document of a batch.

    Greedy without constraints runs on our own sampler; everything else on transformers' `generate`, with a fresh
    generation config, so that no preset of a checkpoint (3-gram blocking, a least length of 56) slips in unseen.
    """
    ids, mask = batch.document_ids.to(policy.device), batch.document_mask.to(policy.device)
    if settings.num_beams == 1 and settings.no_repeat_ngram_size == 0 and settings.min_new_tokens == 0:
        written = greedy(policy, policy.encode(ids, mask), settings.max_new_tokens)
        rows = written.summary_ids[:, 0]
    else:
        rows = policy.model.generate(
            input_ids=ids, attention_mask=mask.long(), generation_config=generation_config(policy, settings)
        )[:, len(policy.prefix) :]
    texts = policy.tokenizer.batch_decode(rows, skip_special_tokens=True)
    ended = (rows == policy.eos_id).any(-1).tolist()
    return [Summary(text.strip(), done) for text, done in zip(texts, ended, strict=True)]


def generation_config(policy: Policy, settings: Decoding) -> GenerationConfig:
    """Exactly the decoding that was asked for; printed and stored with every number made from it."""
    return GenerationConfig(
        num_beams=settings.num_beams,
        do_sample=False,
        max_new_tokens=settings.max_new_tokens + len(policy.prefix) - 1,
        min_new_tokens=settings.min_new_tokens or None,
        length_penalty=settings.length_penalty,
        no_repeat_ngram_size=settings.no_repeat_ngram_size,
        early_stopping=settings.num_beams > 1,
        decoder_start_token_id=policy.prefix[0],
        forced_bos_token_id=policy.prefix[1] if len(policy.prefix) > 1 else None,
        eos_token_id=policy.eos_id,
        pad_token_id=policy.pad_id,
    )


def decode_all(policy: Policy, batches: Iterable[TokenBatch], settings: Decoding) -> Iterator[tuple[str, Summary]]:
    """Yield (example id, summary) batch by batch."""
    for batch in batches:
        for example, summary in zip(batch.examples, decode_batch(policy, batch, settings), strict=True):
            yield example.id, summary

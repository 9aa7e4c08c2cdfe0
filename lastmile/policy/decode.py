"""Evaluation decoding: how a trained policy writes summaries that people will read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from lastmile.config import Decoding, Sampling
from lastmile.policy.beam import beam_search
from lastmile.policy.policy import Policy
from lastmile.policy.sample import greedy, read_summaries, row_uniforms, sample
from lastmile.records import Summary, TokenBatch

if TYPE_CHECKING:
    from lastmile.policy.ctranslate import CTranslate2Decoder


def writer(policy: Policy, settings: Decoding) -> Policy | CTranslate2Decoder:
    """Who writes under these settings: the policy itself, or its weights as they are now in another engine.

    Raises:
        InputError: If the engine is not installed.
    """
    if settings.engine == "torch":
        return policy
    from lastmile.policy.ctranslate import CTranslate2Decoder

    return CTranslate2Decoder(policy, "int8" if settings.engine == "ctranslate2-int8" else "float32")


@torch.no_grad()
def decode_batch(policy: Policy | CTranslate2Decoder, batch: TokenBatch, settings: Decoding) -> list[Summary]:
    """Write one summary for each document of a batch.

    Args:
        policy: What `writer` returned.
        batch: B documents.
        settings: How to write.

    Nothing but these settings counts: no preset of a checkpoint (3-gram blocking, a least length of 56) slips in.
    """
    if not isinstance(policy, Policy):
        return policy(batch, settings)
    encoded = policy.encode(batch.document_ids.to(policy.device), batch.document_mask.to(policy.device))
    if settings.num_beams == 1 and settings.no_repeat_ngram_size == 0 and settings.min_new_tokens == 0:
        return _read(policy, greedy(policy, encoded, settings.max_new_tokens).summary_ids[:, 0])
    return _read(policy, beam_search(policy, encoded, settings))


@torch.no_grad()
def decode_candidates(
    policy: Policy,
    batch: TokenBatch,
    settings: Decoding,
    sampling: Sampling,
    num_candidates: int,
    first_by: Policy | CTranslate2Decoder | None = None,
) -> list[list[Summary]]:
    """Candidates for n-best reranking: the summary as `settings` decode it, then samples; `[b][k]`.

    Args:
        policy: In evaluation mode.
        batch: B documents.
        settings: How the first candidate is decoded, and the longest that any may be.
        sampling: Temperature and truncation of the other `num_candidates` − 1. Their random numbers depend on the
            example id alone, so every comparison draws the same ones.
        num_candidates: At least 2.
        first_by: Who writes the first, from `writer`; the policy where None.
    """
    ids = [example.id for example in batch.examples]
    uniforms = row_uniforms(0, 0, ids, num_candidates - 1, settings.max_new_tokens)
    encoded = policy.encode(batch.document_ids.to(policy.device), batch.document_mask.to(policy.device))
    sampled = read_summaries(policy, sample(policy, encoded, uniforms, sampling))
    decoded = decode_batch(first_by or policy, batch, settings)
    return [[first, *others] for first, others in zip(decoded, sampled, strict=True)]


def _read(policy: Policy, rows: Tensor) -> list[Summary]:
    texts = policy.tokenizer.batch_decode(rows, skip_special_tokens=True)
    ended = (rows == policy.eos_id).any(-1).tolist()
    return [Summary(text.strip(), done) for text, done in zip(texts, ended, strict=True)]

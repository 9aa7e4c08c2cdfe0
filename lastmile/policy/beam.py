"""Beam search over the one-token step: the beams of a document share one copy of it, finished documents leave."""

from __future__ import annotations

import torch
from torch import Tensor
from transformers import LogitsProcessorList, MinNewTokensLengthLogitsProcessor, NoRepeatNGramLogitsProcessor

from lastmile.config import Decoding
from lastmile.policy.expanded import ExpandedStep
from lastmile.policy.policy import Encoded, Policy
from lastmile.policy.step import Step

NONE = -1e9
"""The score of a beam that is not there."""


@torch.no_grad()
def beam_search(policy: Policy, encoded: Encoded, settings: Decoding) -> Tensor:
    """The best of `num_beams` summaries a document, as transformers' `generate` finds it with early stopping.

    Each beam is continued by its likeliest tokens; the best beams go on, those that end are kept with their
    log-probability over length to the power of `length_penalty`, and a document is done when as many have ended as
    there are beams. A forced first token counts for that length, as it does there. One beam is greedy decoding.

    Args:
        policy: In evaluation mode.
        encoded: B documents.
        settings: Beams, limits, constraints.

    Returns:
        `(B, T)` int64 token ids, prefix excluded, padded behind the end marker; T is at most `max_new_tokens`.
    """
    beams, limit, device = settings.num_beams, settings.max_new_tokens, encoded.states.device
    num_documents, prefix = len(encoded.states), torch.tensor(policy.prefix, device=device)
    processors = _constraints(policy, settings)
    best = torch.full((num_documents, limit), policy.pad_id, device=device)

    # Of the documents still being written: ids and scores of running and of finished summaries.
    documents = torch.arange(num_documents, device=device)
    ids = torch.full((num_documents, beams, limit), policy.pad_id, device=device)
    scores = torch.full((num_documents, beams), NONE, device=device)
    scores[:, 0] = 0.0
    finished_ids, finished_scores = ids.clone(), torch.full_like(scores, NONE)

    kind = Step if policy.can_fold else ExpandedStep
    step = kind(policy, encoded, beams, len(prefix) + limit)
    for token in policy.prefix:
        hidden = step(prefix.new_full((num_documents * beams,), token))
    for position in range(limit):
        log_probs = policy.project(hidden, step.output_weight).float().log_softmax(-1)
        if processors:
            written = torch.cat([prefix.expand(ids[:, :, 0].numel(), -1), ids[:, :, :position].flatten(0, 1)], 1)
            log_probs = processors(written, log_probs)
        total = (log_probs.view(len(ids), beams, -1) + scores[..., None]).flatten(1)
        # Twice as many as beams: half of them may end.
        top, place = total.topk(2 * beams)
        beam, token = place // log_probs.shape[-1], place % log_probs.shape[-1]
        candidates = _pick(ids, beam)
        candidates[..., position] = token
        ends = token == policy.eos_id if position + 1 < limit else torch.ones_like(token, dtype=torch.bool)

        # An end counts only where it is among the best.
        length = position + len(prefix)
        ended = torch.where(ends, top / length**settings.length_penalty, NONE)[:, :beams]
        finished_scores, kept = torch.cat([finished_scores, ended], 1).topk(beams)
        finished_ids = _pick(torch.cat([finished_ids, candidates[:, :beams]], 1), kept)

        scores, kept = torch.where(ends, NONE, top).topk(beams)
        ids, beam = _pick(candidates, kept), beam.gather(1, kept)
        done = (finished_scores > NONE / 2).all(1)
        best[documents[done]] = finished_ids[done, 0]
        if done.all():
            break
        going = (~done).nonzero()[:, 0]
        step.select((going[:, None] * beams + beam[going]).flatten())
        documents, ids, scores = documents[going], ids[going], scores[going]
        finished_ids, finished_scores = finished_ids[going], finished_scores[going]
        hidden = step(ids[:, :, position].flatten())
    return best[:, : int((best != policy.pad_id).any(0).sum())]


def _constraints(policy: Policy, settings: Decoding) -> LogitsProcessorList:
    asked = LogitsProcessorList()
    if settings.no_repeat_ngram_size:
        asked.append(NoRepeatNGramLogitsProcessor(settings.no_repeat_ngram_size))
    if settings.min_new_tokens:
        prefix = len(policy.prefix)
        asked.append(MinNewTokensLengthLogitsProcessor(prefix, settings.min_new_tokens, policy.eos_id, policy.device))
    return asked


def _pick(beams: Tensor, index: Tensor) -> Tensor:
    """`(B, n, T)` and `(B, m)` → `(B, m, T)`."""
    return beams.gather(1, index[..., None].expand(-1, -1, beams.shape[-1]))

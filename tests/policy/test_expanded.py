"""Families that cannot be folded: the same algorithm on copies of the documents."""

import pytest
import torch
from tiny import OTHERS, SENTENCES, tiny_batch, tiny_policy
from torch.nn.functional import cross_entropy
from transformers import GenerationConfig

from lastmile.config import Decoding, Sampling
from lastmile.policy.beam import beam_search
from lastmile.policy.sample import greedy, row_uniforms, sample
from lastmile.policy.score import score

IDS = "abcdef"


@pytest.fixture(params=OTHERS)
def policy(request):
    return tiny_policy(request.param)


@torch.no_grad()
def encode(policy, texts=SENTENCES):
    return policy.encode(*tiny_batch(policy, texts))


def generated(policy, **settings):
    ids, mask = tiny_batch(policy)
    starts = {"decoder_start_token_id": policy.prefix[0], "eos_token_id": 2, "pad_token_id": 0}
    config = GenerationConfig(max_new_tokens=10, do_sample=False, **starts, **settings)
    rows = policy.model.generate(input_ids=ids, attention_mask=mask.long(), generation_config=config)
    return to_the_end(rows[:, 1:])


def to_the_end(rows):
    """What follows the end marker is padding, of whatever kind."""
    return [row[: row.index(2) + 1] if 2 in row else row for row in rows.tolist()]


def test_it_does_not_fold(policy):
    assert not policy.can_fold and not policy.folds


def test_what_is_sampled_is_scored_the_same(policy):
    encoded = encode(policy)
    rollout = sample(policy, encoded, row_uniforms(1, 0, IDS, 4, 30), Sampling(temperature=0.7))
    assert len(rollout.summary_mask.sum(-1).unique()) > 1
    scores = score(policy, encoded, rollout.summary_ids, rollout.summary_mask, 0.7)
    torch.testing.assert_close(scores, rollout.log_probs, rtol=1e-4, atol=1e-4)


def test_greedy_and_beams_equal_generate(policy):
    rows = to_the_end(greedy(policy, encode(policy), 10).summary_ids[:, 0])
    assert rows == generated(policy)
    assert len({tuple(row) for row in rows}) > 1
    settings = Decoding(num_beams=3, max_new_tokens=10)
    beams = beam_search(policy, encode(policy), settings)
    assert to_the_end(beams) == generated(policy, num_beams=3, early_stopping=True)


def test_gradients_are_those_of_transformers_own_loss(policy):
    ids, mask = tiny_batch(policy)
    targets = torch.randint(3, 300, (6, 7), generator=torch.Generator().manual_seed(1))
    log_probs = score(policy, policy.encode(ids, mask), targets[:, None], torch.ones(6, 1, 7, dtype=torch.bool))
    ours = torch.autograd.grad(-log_probs.mean(), policy.output_weight)[0]
    starts = torch.full((6, 1), policy.prefix[0])
    logits = policy.model(
        input_ids=ids, attention_mask=mask.long(), decoder_input_ids=torch.cat([starts, targets[:, :-1]], 1)
    ).logits
    theirs = torch.autograd.grad(cross_entropy(logits.flatten(0, 1), targets.flatten()), policy.output_weight)[0]
    assert ours.norm() > 0
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)

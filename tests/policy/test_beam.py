"""Beams find what transformers' `generate` finds, for every family and setting."""

import pytest
import torch
from tiny import FAMILIES, SENTENCES, forced_start_policy, tiny_batch, tiny_policy
from transformers import GenerationConfig

from lastmile.config import Decoding
from lastmile.policy.beam import beam_search
from lastmile.policy.step import Step

SETTINGS = {
    "two": {"num_beams": 2},
    "four": {"num_beams": 4},
    "long ones preferred": {"num_beams": 4, "length_penalty": 2.0},
    "short ones preferred": {"num_beams": 4, "length_penalty": -1.0},
    "no bigram twice": {"num_beams": 3, "no_repeat_ngram_size": 2},
    "a least length": {"num_beams": 3, "min_new_tokens": 6},
    "all of it": {"num_beams": 5, "length_penalty": 0.6, "no_repeat_ngram_size": 3, "min_new_tokens": 4},
    "one beam": {"num_beams": 1, "no_repeat_ngram_size": 1, "min_new_tokens": 3},
}


@pytest.fixture(params=[*FAMILIES, "bart with a forced start"])
def policy(request):
    return tiny_policy(request.param) if request.param in FAMILIES else forced_start_policy()


def generated(policy, limit, asked):
    forced = len(policy.prefix) - 1  # `generate` counts a forced first token as new
    least = asked.get("min_new_tokens")
    ids, mask = tiny_batch(policy)
    config = GenerationConfig(
        **asked | ({"min_new_tokens": least + forced} if least else {}),
        max_new_tokens=limit + forced,
        early_stopping=asked["num_beams"] > 1,
        decoder_start_token_id=policy.prefix[0],
        forced_bos_token_id=policy.prefix[1] if forced else None,
        eos_token_id=policy.eos_id,
        pad_token_id=policy.pad_id,
    )
    rows = policy.model.generate(input_ids=ids, attention_mask=mask.long(), generation_config=config)
    rows = rows[:, len(policy.prefix) :]
    # Where padding has the id 0, `generate` fills up with end markers.
    behind = (rows == policy.eos_id).cumsum(-1) - (rows == policy.eos_id).int() > 0
    return rows.masked_fill(behind, policy.pad_id)


@pytest.mark.filterwarnings("ignore:Unfeasible length constraints")
@pytest.mark.parametrize("limit", [1, 6, 20])
@pytest.mark.parametrize("asked", SETTINGS.values(), ids=SETTINGS)
def test_beams_equal_transformers_generate(policy, asked, limit):
    with torch.no_grad():
        encoded = policy.encode(*tiny_batch(policy))
    ours = beam_search(policy, encoded, Decoding(max_new_tokens=limit, **asked))
    assert ours.tolist() == generated(policy, limit, asked).tolist()


@pytest.mark.parametrize("family", ["bart", "t5", "pegasus"])
def test_the_summaries_compared_are_worth_comparing(family):
    """They differ from document to document, from greedy ones, and with each setting; some end and some are cut."""
    policy = tiny_policy(family)
    found = {name: generated(policy, 20, asked).tolist() for name, asked in SETTINGS.items()}
    assert len({tuple(row) for row in found["four"]}) > 3
    assert found["four"] != generated(policy, 20, {"num_beams": 1}).tolist()
    assert len({str(rows) for rows in found.values()}) >= 5
    ended = [policy.eos_id in row for rows in found.values() for row in rows]
    assert any(ended) and not all(ended)


def test_finished_documents_leave(monkeypatch):
    policy, rows, call = tiny_policy("bart"), [], Step.__call__

    def note(self, tokens):
        rows.append(len(tokens))
        return call(self, tokens)

    monkeypatch.setattr(Step, "__call__", note)
    with torch.no_grad():
        beam_search(policy, policy.encode(*tiny_batch(policy)), Decoding(max_new_tokens=30, num_beams=2))
    assert rows[0] == 2 * len(SENTENCES)
    assert rows == sorted(rows, reverse=True)
    assert rows[-1] < rows[0]

"""Decoding for evaluation uses the settings that were asked for and no others."""

import pytest
import torch
from tiny import FAMILIES, SENTENCES, forced_start_policy, tiny_batch, tiny_model, tiny_policy, tiny_tokenizer

from lastmile.config import Decoding, Sampling
from lastmile.policy.decode import decode_batch, decode_candidates
from lastmile.policy.policy import Policy
from lastmile.policy.sample import greedy, read_summaries
from lastmile.records import Example, TokenBatch

SETTINGS = Decoding(max_new_tokens=12)
PRESETS = {"no_repeat_ngram_size": 3, "min_length": 10, "num_beams": 4, "forced_eos_token_id": 2, "length_penalty": 2.0}


def batch_of(policy):
    examples = tuple(Example(str(place), text) for place, text in enumerate(SENTENCES))
    nothing = torch.zeros(len(SENTENCES), 0)
    return TokenBatch(examples, *tiny_batch(policy), nothing.long(), nothing.bool())


def preset_model():
    """A checkpoint that brings settings of its own, as `bart-large-cnn` does."""
    model = tiny_model("bart")
    for name, value in PRESETS.items():
        setattr(model.generation_config, name, value)
    return model


def generate(model, **settings):
    """Transformers' `generate` under the checkpoint's own config, as texts."""
    ids, mask = tiny_batch(tiny_policy("bart"))
    rows = model.generate(input_ids=ids, attention_mask=mask.long(), max_new_tokens=12, **settings)
    return [text.strip() for text in tiny_tokenizer().batch_decode(rows, skip_special_tokens=True)]


def texts(summaries):
    return [summary.text for summary in summaries]


@pytest.mark.parametrize("family", FAMILIES)
def test_greedy_decoding_is_the_samplers(family):
    policy = tiny_policy(family)
    rollout = greedy(policy, policy.encode(*tiny_batch(policy)), 12)
    assert decode_batch(policy, batch_of(policy), SETTINGS) == [row[0] for row in read_summaries(policy, rollout)]


@pytest.mark.parametrize("settings", [SETTINGS, Decoding(max_new_tokens=12, num_beams=2)], ids=["greedy", "beams"])
def test_row21_a_checkpoints_presets_do_not_bend_decoding(settings):
    policy, clean = Policy(preset_model(), tiny_tokenizer()), tiny_policy("bart")
    wanted = decode_batch(clean, batch_of(clean), settings)
    assert decode_batch(policy, batch_of(policy), settings) == wanted
    # They would have: this is what `generate` does with the checkpoint as it came.
    bent = generate(preset_model(), num_beams=settings.num_beams)
    assert bent != generate(tiny_model("bart"), num_beams=settings.num_beams) == texts(wanted)


def test_what_is_asked_for_is_done():
    policy = tiny_policy("bart")
    plain = texts(decode_batch(policy, batch_of(policy), SETTINGS))
    for name, value in (("num_beams", 3), ("no_repeat_ngram_size", 1), ("min_new_tokens", 12)):
        found = texts(decode_batch(policy, batch_of(policy), SETTINGS.model_copy(update={name: value})))
        # Beam search stops as soon as it has as many finished summaries as beams.
        assert found == generate(tiny_model("bart"), **{name: value}, early_stopping=name == "num_beams")
        assert found != plain, name


def test_limits_do_not_count_a_forced_first_token():
    forced = forced_start_policy()
    # Greedy by our sampler and by one beam, which a least length of one token leads to, end at the same place.
    batch = batch_of(forced)
    for limit in (3, 12):
        ours = decode_batch(forced, batch, Decoding(max_new_tokens=limit))
        assert ours == decode_batch(forced, batch, Decoding(max_new_tokens=limit, min_new_tokens=1))


def test_ended_tells_a_finished_summary_from_one_cut_short():
    policy = tiny_policy("bart")
    cut = decode_batch(policy, batch_of(policy), Decoding(max_new_tokens=4, min_new_tokens=4, num_beams=2))
    assert not any(summary.ended for summary in cut)
    finished = decode_batch(policy, batch_of(policy), Decoding(max_new_tokens=30, num_beams=2))
    assert any(summary.ended for summary in finished)


def test_candidates_are_the_decoded_summary_and_the_same_samples_every_time():
    policy = tiny_policy("t5")
    batch, decoding, sampling = batch_of(policy), Decoding(max_new_tokens=8), Sampling(temperature=0.7)
    candidates = decode_candidates(policy, batch, decoding, sampling, 4)
    assert [len(row) for row in candidates] == [4] * len(SENTENCES)
    assert [row[0] for row in candidates] == decode_batch(policy, batch, decoding)
    assert len({summary.text for row in candidates for summary in row[1:]}) > len(SENTENCES)
    assert decode_candidates(policy, batch, decoding, sampling, 4) == candidates
    fewer = decode_candidates(policy, batch, decoding, sampling, 3)
    assert fewer == [row[:3] for row in candidates]

"""The CTranslate2 engine writes what our own decoding writes."""

import pytest
import torch
from tiny import FAMILIES, SENTENCES, tiny_batch, tiny_model, tiny_policy, tiny_tokenizer

from lastmile.config import Decoding
from lastmile.errors import InputError
from lastmile.policy import ctranslate
from lastmile.policy.decode import decode_batch
from lastmile.policy.policy import Policy
from lastmile.records import Example, TokenBatch

needs_engine = pytest.mark.skipif(ctranslate.ctranslate2 is None, reason="the extra `ctranslate2` is not installed")


def batch_of(policy):
    examples = tuple(Example(str(place), text) for place, text in enumerate(SENTENCES))
    nothing = torch.zeros(len(SENTENCES), 0)
    return TokenBatch(examples, *tiny_batch(policy), nothing.long(), nothing.bool())


@needs_engine
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("family", FAMILIES)
def test_greedy_summaries_are_equal(family, seed):
    policy = tiny_policy(family, seed)
    batch, settings = batch_of(policy), Decoding(max_new_tokens=12)
    wanted = decode_batch(policy, batch, settings)
    assert ctranslate.CTranslate2Decoder(policy)(batch, settings) == wanted
    assert len({summary.text for summary in wanted}) > 1 or (family, seed) == ("mt5", 2)  # one word for everything


@needs_engine
def test_a_forced_first_token_is_context():
    model = tiny_model("bart")
    model.generation_config.forced_bos_token_id = 1
    policy = Policy(model, tiny_tokenizer())
    batch, settings = batch_of(policy), Decoding(max_new_tokens=12)
    assert policy.prefix == (2, 1)
    assert ctranslate.CTranslate2Decoder(policy)(batch, settings) == decode_batch(policy, batch, settings)


@needs_engine
def test_repeated_ngrams_are_blocked_and_least_lengths_kept():
    policy = tiny_policy("pegasus")
    batch, settings = batch_of(policy), Decoding(max_new_tokens=12, min_new_tokens=6, no_repeat_ngram_size=2)
    assert ctranslate.CTranslate2Decoder(policy)(batch, settings) == decode_batch(policy, batch, settings)


@needs_engine
def test_conversion_leaves_the_policy_as_it_was():
    policy = tiny_policy("pegasus")
    before = policy.model.config.to_dict()
    ctranslate.CTranslate2Decoder(policy)
    assert policy.model.config.to_dict() == before
    assert policy.tokenizer.unk_token is None


@needs_engine
def test_an_unknown_type_of_computation_is_refused():
    with pytest.raises(InputError, match=r"`float3`: CTranslate2 has auto, .*float32.* on this cpu"):
        ctranslate.CTranslate2Decoder(tiny_policy("bart"), "float3")


@needs_engine
@pytest.mark.parametrize("device", ["mps", "xla:1", "cuda:99"])
def test_a_device_that_the_engine_has_not_is_refused(monkeypatch, device):
    monkeypatch.setattr(Policy, "device", property(lambda self: torch.device(device)))
    with pytest.raises(InputError) as refusal:
        ctranslate.CTranslate2Decoder(tiny_policy("bart"))
    assert str(refusal.value).startswith(f"`--engine ctranslate2`: cannot compute on `{device}`, where the model is (")
    assert str(refusal.value).endswith("It knows CPUs and CUDA GPUs; elsewhere use `--engine torch`")


@needs_engine
def test_the_second_gpu_is_the_second_gpu(monkeypatch):
    asked = []
    engine = ctranslate.ctranslate2
    monkeypatch.setattr(Policy, "device", property(lambda self: torch.device("cuda:1")))
    monkeypatch.setattr(engine, "get_supported_compute_types", lambda *where: asked.append(where) or {"float32"})
    monkeypatch.setattr(engine, "Translator", lambda folder, **where: asked.append(where))
    ctranslate.CTranslate2Decoder(tiny_policy("bart"))
    assert asked == [("cuda", 1), {"device": "cuda", "device_index": 1, "compute_type": "float32"}]


def test_a_family_that_was_not_held_against_pytorch_is_refused():
    wanted = (
        "`--engine ctranslate2`: its conversion of the family `mbart` is not tested against PyTorch; it knows bart, "
        "pegasus, t5, mt5. Use `--engine torch`"
    )
    with pytest.raises(InputError) as error:
        ctranslate.CTranslate2Decoder(tiny_policy("mbart"))
    assert str(error.value) == wanted


def test_without_the_package_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(ctranslate, "ctranslate2", None)
    with pytest.raises(InputError, match=r"`--engine ctranslate2`: is not installed.*lastmile\[ctranslate2\]"):
        ctranslate.CTranslate2Decoder(tiny_policy("bart"))

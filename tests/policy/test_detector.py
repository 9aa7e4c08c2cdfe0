"""The token classifier: which token belongs to which word, what is left unread, and what cannot be loaded."""

import json

import pytest
import torch
from small import tiny_checkpoint
from tiny import SENTENCES, tiny_tokenizer
from transformers import BertConfig, BertForMaskedLM, GPT2Config, GPT2LMHeadModel

from lastmile.errors import InputError
from lastmile.policy.detector import build_small_encoder, load_detector, load_encoder

PAIRS = [(SENTENCES[0], "Norwich votes, 2031."), (SENTENCES[1], "Ann Lee's 14 paintings."), ("Rain.", "")]


@pytest.fixture(scope="module")
def small():
    return build_small_encoder(SENTENCES, 64, seed=1).eval()


def bert(folder, kind=BertForMaskedLM, config=None):
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    torch.manual_seed(0)
    kind(config or BertConfig(vocab_size=300, max_position_embeddings=64, **sizes)).save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return str(folder)


def test_tokens_belong_to_words_of_the_summary_alone(small):
    encoded = small.encode(PAIRS)
    assert encoded.num_words == (3, 4, 0)
    for row, words in enumerate((["Norwich", "votes", "2031"], ["Ann", "Lee's", "14", "paintings"], [])):
        for number, word in enumerate(words):
            tokens = encoded.inputs["input_ids"][row][encoded.word_of[row] == number]
            assert small.tokenizer.decode(tokens).strip() == word
    # The first token behind a document ends it, the last one the pair: neither is of a word.
    assert (encoded.word_of[0] >= 0).sum() < encoded.inputs["attention_mask"][0].sum() / 2


def test_scores_do_not_depend_on_who_is_read_beside(small):
    together = small.score(PAIRS * 2, batch_size=4)
    assert [len(scores) for scores in together] == [3, 4, 0, 3, 4, 0]
    for pair, scores in zip(PAIRS * 2, together, strict=True):
        assert scores == pytest.approx(small.score([pair])[0], abs=1e-5)
        assert all(0 < score < 1 for score in scores)


def test_a_word_has_the_score_of_its_worst_token(small):
    encoded = small.encode(PAIRS[:1])
    with torch.no_grad():
        of_tokens = small(encoded).sigmoid()[0]
    worst = [float(of_tokens[encoded.word_of[0] == number].max()) for number in range(3)]
    assert list(small.score(PAIRS[:1])[0]) == pytest.approx(worst, abs=1e-6)


def test_documents_are_cut_and_so_is_the_end_of_a_very_long_summary(small):
    long = " ".join(["rain"] * 200)
    encoded = small.encode([(long, "Rain fell."), (long, long)])
    assert encoded.inputs["input_ids"].shape[1] == 64
    assert encoded.word_of[0].max() == 1
    scores = small.score([(long, long)])[0]
    assert len(scores) == 200 and scores[0] > 0 and scores[-1] == 0


def test_fresh_small_encoders_look_up_tokens_in_the_document(small):
    """Where a token stands in the document too, attention from the summary goes there and not to its neighbours."""
    encoded = small.encode([(SENTENCES[0], "Norwich.")])
    model = small.model.transformer.encoder
    model.set_attn_implementation("eager")
    seen = model(**encoded.inputs, output_attentions=True).attentions[0][0, -1]
    ids = encoded.inputs["input_ids"][0]
    place = int((encoded.word_of[0] == 0).nonzero()[-1])
    there = [other for other in range(place - 8) if ids[other] == ids[place]]
    assert there and seen[place, there].mean() > 2 * seen[place, : place - 8].mean()


def test_named_encoders_get_a_head(tmp_path):
    detector = load_encoder(bert(tmp_path / "bert"), 512)
    assert detector.max_tokens == 64, "the encoder has no more positions"
    assert len(detector.eval().score(PAIRS)[0]) == 3


def test_hub_encoders(hub, tmp_path):
    """In a process of its own, since transformers reads the endpoint when it is imported."""
    import subprocess
    import sys

    hub.add("models", "them/tiny-bert", tmp_path / "bert")
    bert(tmp_path / "bert")
    code = "from lastmile.policy.detector import load_encoder; print(load_encoder('them/tiny-bert', 32).max_tokens)"
    environment = hub.environment(tmp_path / "home")
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    assert done.stdout == "32\n", done.stderr


def test_what_is_no_encoder_is_refused(tmp_path):
    gpt = GPT2Config(vocab_size=300, n_embd=16, n_layer=1, n_head=2, n_positions=32)
    decoder = bert(tmp_path / "gpt", GPT2LMHeadModel, gpt)
    with pytest.raises(InputError) as refused:
        load_encoder(decoder, 64)
    assert str(refused.value) == (
        f"`{decoder}` is a gpt2 model, a decoder, which sees no word to its right; `--model` takes an encoder, "
        "e.g. `distilroberta-base`"
    )
    bart = str(tiny_checkpoint())
    with pytest.raises(InputError) as refused:
        load_encoder(bart, 64)
    assert str(refused.value) == (
        f"`{bart}` is a bart model, which transformers has no token classifier of; `--model` takes an encoder, "
        "e.g. `distilroberta-base`"
    )
    with pytest.raises(InputError, match=r"`.*nowhere` is neither a folder here nor a model that could be fetched"):
        load_encoder(str(tmp_path / "nowhere"), 64)


def test_what_is_no_detector_is_refused(small, tmp_path):
    with pytest.raises(InputError) as refused:
        load_detector(tmp_path)
    assert str(refused.value) == (
        f"`{tmp_path}` is no detector: it has no detector.json. `lastmile flag train` makes one"
    )
    small.save(tmp_path)
    (tmp_path / "detector.json").write_text('{"threshold": 0.5}')
    with pytest.raises(InputError) as refused:
        load_detector(tmp_path)
    assert str(refused.value) == f"`{tmp_path}`: detector.json is damaged. Train the detector again"
    # An encoder without a head is no detector either: what it would say is noise.
    bert(tmp_path / "bert")
    (tmp_path / "bert" / "detector.json").write_text(json.dumps({"threshold": 0.5, "max_tokens": 64}))
    with pytest.raises(InputError, match="does not fit its config: 2 of its weights are missing"):
        load_detector(tmp_path / "bert")


def test_kept_detectors_say_the_same(small, tmp_path):
    small.save(tmp_path)
    (tmp_path / "detector.json").write_text(json.dumps({"threshold": 0.25, "max_tokens": 64}))
    again = load_detector(tmp_path)
    assert again.threshold == 0.25
    for mine, theirs in zip(small.score(PAIRS), again.score(PAIRS), strict=True):
        assert mine == pytest.approx(theirs, abs=1e-6)

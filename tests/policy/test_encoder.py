"""Word vectors of any encoder: windows of long texts, batches, what is read of a word, and what cannot be loaded."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from readers import encoder_checkpoint, reader_tokenizer
from safetensors.torch import load_file, save_file
from small import tiny_checkpoint
from tiny import SENTENCES
from transformers import BertModel, GPT2Config, GPT2LMHeadModel

from lastmile.corpus.text import words
from lastmile.errors import InputError
from lastmile.policy.encoder import load_encoder
from lastmile.policy.pretrained import like_lengths

LONG = " ".join(SENTENCES)
LAYER = 3  # five sixths of four


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return encoder_checkpoint(tmp_path_factory.mktemp("encoders") / "bert")


@pytest.fixture(scope="module")
def encoder(place):
    return load_encoder(place)


def test_a_word_is_the_mean_of_its_tokens_at_length_1(encoder, place):
    text = "Rain-Zulu."
    ids = encoder.tokenizer(text, return_tensors="pt")
    states = BertModel.from_pretrained(place).eval()(**ids, output_hidden_states=True).hidden_states[LAYER][0]
    # Behind `<s>` and the tokens of `Rain-`, before those of `.` and `</s>`.
    parts = encoder.tokenizer(["Rain-", "Rain-Zulu"], add_special_tokens=False)["input_ids"]
    first, last = map(len, parts)
    assert last - first > 1
    expected = states[1 + first : 1 + last].mean(0)
    (found,) = encoder.read([text])
    assert found.dtype == np.float32 and found.shape == (2, 16)
    assert found[1] == pytest.approx((expected / expected.norm()).detach().numpy(), abs=1e-6)
    assert np.linalg.norm(found, axis=1) == pytest.approx(1, abs=1e-6)


def test_vectors_do_not_depend_on_what_is_read_beside(encoder):
    texts = [*SENTENCES, LONG, "", "…", "Rain."]
    together = encoder.read(texts)
    assert [len(found) for found in together] == [len(words(text)) for text in texts]
    for text, found in zip(texts, together, strict=True):
        assert found == pytest.approx(encoder.read([text])[0], abs=1e-5)
    assert encoder.read([]) == []


def test_long_texts_are_read_to_the_end_in_windows(encoder):
    """Each word as in the window where it stands furthest from a cut: compared with those windows read alone."""
    encoded = encoder.tokenizer(LONG, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    spots, room, shared = encoded["offset_mapping"], 62, 15
    assert encoder.max_tokens == 64 and len(spots) > 3 * room
    (found,) = encoder.read([LONG])
    assert (np.linalg.norm(found, axis=1) > 0.99).all()
    starts = range(0, len(spots) - shared, room - shared)
    best = np.full(len(found), -1)
    expected = np.zeros_like(found)
    for start in starts:
        window = spots[start : start + room]
        with torch.no_grad():
            states = encoder.model(
                torch.tensor([[1, *encoded["input_ids"][start : start + room], 2]]), output_hidden_states=True
            ).hidden_states[LAYER][0, 1:-1]
        for number, word in enumerate(words(LONG)):
            tokens = [k for k, (_, end) in enumerate(window) if word.start < end <= word.end]
            if not tokens:
                continue
            inner = [k for k, (_, end) in enumerate(window) if any(w.start < end <= w.end for w in words(LONG))]
            before = tokens[0] - inner[0] if start else 99
            behind = inner[-1] - tokens[-1] if start + room < len(spots) else 99
            if min(before, behind) > best[number]:
                best[number] = min(before, behind)
                expected[number] = states[tokens].mean(0).numpy()
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    assert found == pytest.approx(expected, abs=1e-5)


def test_marks_of_the_model_in_a_text_are_text(encoder):
    with_mark, without = encoder.read(["Rain </s> fell", "Rain fell"])
    assert len(with_mark) == 3, "`s` is a word"
    assert len(without) == 2


def test_nothing_is_learnt_and_autocast_changes_nothing(encoder):
    (plain,) = encoder.read([SENTENCES[0]])
    with torch.enable_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        (inside,) = encoder.read([SENTENCES[0]])
    assert (plain == inside).all()
    assert not any(parameter.requires_grad for parameter in encoder.model.parameters())


@pytest.mark.parametrize("family", ["bart", "t5"])
def test_the_encoder_of_an_encoder_decoder_will_do(family):
    encoder = load_encoder(str(tiny_checkpoint(family)))
    (found,) = encoder.read([LONG])
    assert found.shape == (len(words(LONG)), 32)
    assert np.linalg.norm(found, axis=1) == pytest.approx(1, abs=1e-5)


def test_by_name_from_the_hub_as_by_path(hub, tmp_path, place, encoder):
    """In a process of its own, since transformers reads the endpoint when it is imported."""
    hub.add("models", "them/encoder", place)
    code = "from lastmile.policy.encoder import load_encoder; print(*load_encoder('them/encoder').read(['Rain'])[0][0])"
    environment = hub.environment(tmp_path / "home")
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert [float(x) for x in done.stdout.split()] == pytest.approx(encoder.read(["Rain"])[0][0].tolist(), abs=1e-6)


def test_what_is_no_encoder_is_one_sentence(tmp_path, place):
    with pytest.raises(InputError) as refused:
        load_encoder(str(tmp_path / "nowhere"))
    assert str(refused.value).startswith(f"`{tmp_path / 'nowhere'}` is neither a folder here nor a model that could")
    GPT2LMHeadModel(GPT2Config(vocab_size=300, n_embd=16, n_layer=1, n_head=2)).save_pretrained(tmp_path / "gpt")
    with pytest.raises(InputError) as refused:
        load_encoder(str(tmp_path / "gpt"))
    assert str(refused.value) == (
        f"`{tmp_path / 'gpt'}` is a gpt2 model, a decoder, which sees no word to its right; an encoder is needed, "
        "e.g. `sentence-transformers/all-MiniLM-L6-v2`"
    )
    broken = shutil.copytree(place, tmp_path / "broken") / "model.safetensors"
    weights = load_file(broken)
    (first, *_) = [name for name in weights if name.endswith("layer.0.attention.self.query.weight")]
    save_file({name: w for name, w in weights.items() if name != first and "pooler" not in name}, broken)
    with pytest.raises(InputError, match="does not fit its config: 1 of its weights are missing or of another shape"):
        load_encoder(str(broken.parent))


def test_a_missing_pooler_is_no_matter(tmp_path, place, encoder):
    file = shutil.copytree(place, tmp_path / "plain") / "model.safetensors"
    save_file({name: weight for name, weight in load_file(file).items() if "pooler" not in name}, file)
    assert (load_encoder(str(tmp_path / "plain")).read(["Rain"])[0] == encoder.read(["Rain"])[0]).all()


def test_batches_hold_like_lengths_and_so_many_tokens():
    lengths = [5, 1, 9, 3, 20, 4]
    batches = list(like_lengths(lengths, 12))
    assert sorted(place for batch in batches for place in batch) == list(range(6))
    assert all(len(batch) == 1 or max(lengths[p] for p in batch) * len(batch) <= 12 for batch in batches)
    assert list(like_lengths([], 12)) == []
    assert reader_tokenizer().pad_token_id == 0

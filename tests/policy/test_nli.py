"""Entailment by any classifier: which label it is, pairs in batches, long texts in parts, what cannot be loaded."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from readers import LABELS, encoder_checkpoint, nli_checkpoint
from tiny import SENTENCES
from transformers import AutoModelForSequenceClassification

from lastmile.errors import InputError
from lastmile.policy.nli import check_nli, load_nli

PAIRS = [(one, other) for one in SENTENCES[:3] for other in ("The bridge stays.", SENTENCES[1][:40])]
PAIRS = [(one[:30], other) for one, other in PAIRS]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return nli_checkpoint(tmp_path_factory.mktemp("nli") / "bert")


@pytest.fixture(scope="module")
def nli(place):
    return load_nli(place)


def test_the_probability_of_the_label_entailment(nli, place):
    model = AutoModelForSequenceClassification.from_pretrained(place).eval()
    found = nli.entailments(PAIRS)
    for pair, value in zip(PAIRS, found, strict=True):
        encoded = nli.tokenizer(*pair, return_tensors="pt", return_token_type_ids=True)
        assert encoded["token_type_ids"].max() == 1, "the model learns which text is which"
        with torch.no_grad():
            logits = model(**encoded).logits[0]
        assert value == pytest.approx(float(logits.softmax(-1)[LABELS.index("entailment")]), abs=1e-6)
    assert found.std() > 0.01
    assert nli.entailments([]).shape == (0,)


def test_scores_do_not_depend_on_who_is_read_beside(nli):
    together = nli.entailments(PAIRS)
    assert together == pytest.approx(np.array([nli.entailments([pair])[0] for pair in PAIRS]), abs=1e-5)


@pytest.mark.parametrize(
    "labels",
    [
        ("entailment", "neutral", "contradiction"),
        ("CONTRADICTION", "ENTAILMENT", "NEUTRAL"),
        ("neutral", "contradiction", "entails"),
        ("SUPPORTS", "REFUTES", "NOT ENOUGH INFO"),
    ],
)
def test_the_order_and_the_case_of_labels_do_not_matter(nli, tmp_path, labels):
    other = load_nli(nli_checkpoint(tmp_path, labels))
    assert other.entailment == next(k for k, name in enumerate(labels) if name[0] in "eES")
    if len(labels[other.entailment]) == len("entailment"):  # its weights are drawn by its length
        assert other.entailments(PAIRS) == pytest.approx(nli.entailments(PAIRS), abs=1e-6)


def test_two_labels_are_enough(tmp_path):
    assert load_nli(nli_checkpoint(tmp_path, ("not_entailment", "entailment"))).entailment == 1


def test_labels_that_do_not_tell_are_one_sentence(tmp_path):
    place = nli_checkpoint(tmp_path, ("LABEL_0", "LABEL_10", "LABEL_200"))
    told = (
        f"`{place}`: an NLI model names one of its labels `entailment` or `supports` in its config's `id2label`, "
        "got `LABEL_0`, `LABEL_10`, `LABEL_200`. Choose a classifier for natural language inference, or name its "
        "labels there"
    )
    assert check_nli(place) == [told]
    with pytest.raises(InputError) as refused:
        load_nli(place)
    assert str(refused.value) == told


def test_what_cannot_be_loaded_is_one_sentence(tmp_path):
    (told,) = check_nli(str(tmp_path / "nowhere"))
    assert told.startswith(f"`{tmp_path / 'nowhere'}` is neither a folder here nor a model that could be fetched")
    # An encoder with the right labels but no head: what it would say is noise.
    place = encoder_checkpoint(tmp_path / "headless")
    config = tmp_path / "headless" / "config.json"
    config.write_text(config.read_text().replace("{", '{"id2label": {"0": "entailment", "1": "neutral"},', 1))
    with pytest.raises(InputError, match=r"does not fit its config: \d of its weights are missing"):
        load_nli(place)


def test_long_texts_come_in_parts_that_are_read_whole(nli):
    long = " ".join(SENTENCES)
    parts = nli.pieces(long)
    assert "".join(parts) == long and len(parts) > 3
    assert nli.pieces("Rain fell.") == ["Rain fell."]
    longest = [len(nli.tokenizer(part, add_special_tokens=False)["input_ids"]) for part in parts]
    # 64 positions less three marks, for two texts.
    assert nli.max_piece == 30 and max(longest) <= 30
    whole = [(one, other) for one in parts for other in parts]
    assert nli.entailments(whole).shape == (len(whole),)


def test_by_name_from_the_hub_as_by_path(hub, tmp_path, place, nli):
    hub.add("models", "them/nli", place)
    ask = "load_nli('them/nli').entailments([('Rain.', 'It fell.')])[0]"
    code = f"from lastmile.policy.nli import load_nli; print({ask})"
    environment = hub.environment(tmp_path / "home")
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == pytest.approx(float(nli.entailments([("Rain.", "It fell.")])[0]), abs=1e-6)

"""Which models are taken in, and the sentence that says why another is not."""

import json
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import FAMILIES, OTHERS, tiny_batch, tiny_model, tiny_policy, tiny_tokenizer
from transformers import AutoModelForSeq2SeqLM, BertTokenizer, GPT2Config, ProphetNetConfig, WhisperConfig

from lastmile.config import Hardware, Model, SmallModel
from lastmile.errors import InputError
from lastmile.policy.build import train_tokenizer
from lastmile.policy.load import check_model, is_cased, load_policy, load_tokenizer, resolve_model, weights_hash

PLAIN, HALF = Hardware(), Hardware(precision="16-mixed")


@pytest.fixture
def saved(tmp_path):
    """Saves a tiny policy of a family and returns its folder."""

    def save(family: str = "bart", name: str = "model", **settings: object) -> Path:
        tiny_policy(family, **settings).save(tmp_path / name)
        return tmp_path / name

    return save


def refusal(folder: Path | str) -> str:
    with pytest.raises(InputError) as error:
        load_policy(str(folder))
    return str(error.value)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_saved_policy_loads_as_it_was(family, saved):
    policy = tiny_policy(family)
    loaded = load_policy(str(saved(family)))
    assert not any(module.training for module in loaded.modules())
    assert weights_hash(loaded.model) == weights_hash(policy.model)
    assert (loaded.prefix, loaded.eos_id, loaded.pad_id) == (policy.prefix, policy.eos_id, policy.pad_id)
    assert loaded.has_bias == policy.has_bias == (family == "bart")
    ids, mask = tiny_batch(policy)
    assert torch.equal(tiny_batch(loaded)[0], ids)
    with torch.no_grad():
        torch.testing.assert_close(loaded.encode(ids, mask).states, policy.encode(ids, mask).states)


def test_saving_and_loading_show_no_bars(saved, capfd):
    load_policy(str(saved("t5")))
    assert capfd.readouterr() == ("", "")


def test_weights_load_in_float32_whatever_they_were_saved_in(saved):
    assert {p.dtype for p in load_policy(str(saved("t5", dtype=torch.bfloat16))).parameters()} == {torch.float32}


def test_a_run_stands_for_its_best_checkpoint(saved):
    saved("bart", "run/baseline")
    run = saved("bart", "run/best", seed=1).parent
    assert resolve_model(str(run)) == str(run / "best")
    assert weights_hash(load_policy(str(run)).model) == weights_hash(tiny_policy("bart", seed=1).model)
    (run / "best" / "config.json").unlink()
    assert resolve_model(str(run)) == str(run / "baseline")
    assert resolve_model("facebook/bart-base") == "facebook/bart-base"


DECODER_ONLY = (
    "`{}` is a gpt2 model without an encoder; lastmile trains encoder-decoders (bart, pegasus, t5, mt5). "
    "Choose one of these, e.g. `facebook/bart-base`"
)
STRANGER = (
    "`{}` is of the family `{}`, which lastmile cannot train: {}. Choose a model of one of bart, pegasus, t5, mt5"
)
SPEECH = STRANGER.format("{}", "whisper", "it does not go from text to text")


@pytest.mark.parametrize(("config", "message"), [(GPT2Config(), DECODER_ONLY), (WhisperConfig(), SPEECH)])
def test_other_families_are_refused_before_weights_are_read(tmp_path, config, message):
    config.save_pretrained(tmp_path)
    wanted = message.format(tmp_path)
    assert check_model(Model(name=str(tmp_path)), PLAIN, 64) == [wanted]
    assert refusal(tmp_path) == wanted


def test_a_family_that_computes_its_logits_in_another_way_is_refused(tmp_path):
    sides = ("num_{}_layers", 1), ("num_{}_attention_heads", 2), ("{}_ffn_dim", 8)
    sizes = {name.format(side): size for side in ("encoder", "decoder") for name, size in sides}
    config = ProphetNetConfig(hidden_size=8, vocab_size=300, max_position_embeddings=32, **sizes)
    AutoModelForSeq2SeqLM.from_config(config).save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    why = "its logits are no projection of its decoder's states"
    assert refusal(tmp_path) == STRANGER.format(tmp_path, "prophetnet", why)


@pytest.mark.parametrize("family", OTHERS)
def test_other_encoder_decoders_load_and_have_their_positions_checked(family, saved):
    folder = str(saved(family))
    assert not load_policy(folder).can_fold
    learned = f"`data.max_document_tokens` must be at most 128 for `{folder}` (its learned positions), got 129"
    assert check_model(Model(name=folder), PLAIN, 129) == ([] if family == "longt5" else [learned])
    (graphs,) = check_model(Model(name=folder), Hardware(cuda_graphs=True), 128)
    assert graphs.startswith(f"`hardware.cuda_graphs` is for bart, pegasus, t5, mt5, and `{folder}` is of the family")


def test_a_missing_folder_is_named_with_its_neighbour(saved):
    folder = saved(name="bart-small")
    wrong = str(folder).replace("small", "smal")
    message = refusal(wrong)
    assert message.startswith(f"`{wrong}` is neither a folder here nor a model that could be fetched: ")
    assert f"Did you mean `{folder}`?" in message
    assert check_model(Model(name=wrong), PLAIN, 64) == [message]


def test_a_folder_without_a_model_is_named(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    assert refusal(tmp_path).startswith(f"`{tmp_path}` holds no loadable model: ")


def test_a_tokenizer_with_more_tokens_than_embeddings_is_refused(saved):
    folder = saved(vocab_size=290)
    assert refusal(folder) == (
        f"the tokenizer of `{folder}` does not fit its model: 300 tokens, but embeddings for 290. "
        "Use the tokenizer that the model was trained with"
    )


def test_a_tokenizer_with_fewer_tokens_than_embeddings_fits(saved):
    assert load_policy(str(saved(vocab_size=320))).output_weight.shape[0] == 320


@pytest.mark.parametrize("family", ["bart", "t5"])
def test_a_missing_tokenizer_is_named(family, tmp_path):
    tiny_model(family).save_pretrained(tmp_path)
    wanted = f"`{tmp_path}` has no tokenizer beside its weights. Save the one it was trained with there"
    assert refusal(tmp_path) == wanted
    with pytest.raises(InputError) as error:
        load_tokenizer(Model(name=str(tmp_path)))
    assert str(error.value) == wanted


@pytest.mark.parametrize("contents", ["{", "{}", '{"added_tokens": [], "model": {"type": "BPE"}}'])
def test_a_damaged_tokenizer_is_named(contents, saved):
    folder = saved("t5")
    (folder / "tokenizer.json").write_text(contents)
    assert refusal(folder).startswith(f"`{folder}` has no usable tokenizer beside its weights: ")


@pytest.mark.parametrize("family", ["t5", "mt5", "pegasus"])
def test_row09_half_precision_is_refused_where_it_overflows(family, saved):
    model = Model(name=str(saved(family)))
    wanted = f"`hardware.precision=16-mixed` overflows {family.upper()} activations. Use `bf16-mixed`"
    assert check_model(model, HALF, 64) == [wanted]
    for precision in ("32-true", "bf16-mixed", "bf16-true"):
        assert check_model(model, Hardware(precision=precision), 64) == []


def test_row09_half_precision_is_allowed_for_bart(saved):
    assert check_model(Model(name=str(saved("bart"))), HALF, 64) == []


def test_documents_longer_than_learned_positions_are_refused(saved):
    folder = saved("bart")
    assert check_model(Model(name=str(folder)), PLAIN, 128) == []
    assert check_model(Model(name=str(folder)), PLAIN, 129) == [
        f"`data.max_document_tokens` must be at most 128 for `{folder}` (its learned positions), got 129"
    ]
    # Sinusoidal and relative positions have no such end.
    assert check_model(Model(name=str(saved("t5", "other"))), PLAIN, 4096) == []


def test_a_model_to_build_needs_no_check():
    assert check_model(Model(build=SmallModel()), HALF, 4096) == []


def test_damaged_weights_are_named(saved):
    folder = saved()
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    assert refusal(folder).startswith(f"`{folder}` holds no loadable model: ")


@pytest.mark.parametrize(
    ("setting", "value", "first", "number"),
    [
        ("decoder_layers", 3, "model.decoder.layers.2.encoder_attn.k_proj.bias", 26),
        ("encoder_ffn_dim", 96, "model.encoder.layers.0.fc1.bias", 6),
    ],
)
def test_weights_that_would_be_made_up_are_refused(setting, value, first, number, saved):
    folder = saved()
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {setting: value}))
    assert refusal(folder) == (
        f"`{folder}` does not fit its config: {number} of its weights are missing or of another shape, e.g. `{first}`. "
        "Save the whole model again where it was trained"
    )


def test_what_published_checkpoints_leave_out_is_not_missed(saved):
    """PEGASUS' positions are computed, and the bias of BART and PEGASUS is zero unless stored."""
    folder = saved("pegasus")
    weights = load_file(folder / "model.safetensors")
    stored = {k: v for k, v in weights.items() if "embed_positions" not in k and k != "final_logits_bias"}
    assert len(stored) == len(weights) - 3
    save_file(stored, folder / "model.safetensors", metadata={"format": "pt"})
    loaded = load_policy(str(folder))
    assert weights_hash(loaded.model) == weights_hash(tiny_model("pegasus"))
    # What is computed is not trained: data-parallel training would wait for its gradient for ever.
    frozen = {name for name, parameter in loaded.model.named_parameters() if not parameter.requires_grad}
    assert frozen == {"model.encoder.embed_positions.weight", "model.decoder.embed_positions.weight"}


class Trap:
    """What a malicious checkpoint would hold: unpickling it writes a file."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_pickled_weights_are_refused_unread(saved, tmp_path):
    folder = saved()
    (folder / "model.safetensors").unlink()
    trap = tmp_path / "sprung"
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Trap(trap)))
    message = refusal(folder)
    assert message.startswith(f"`{folder}` holds no loadable model: ")
    assert "safetensors" in message
    assert not trap.exists()


PRESETS = {
    "no_repeat_ngram_size": 3,
    "min_length": 56,
    "max_length": 142,
    "num_beams": 4,
    "length_penalty": 2.0,
    "early_stopping": True,
    "forced_eos_token_id": 2,
}


@pytest.mark.parametrize("file", ["generation_config.json", "config.json"])
def test_row21_presets_are_dropped_and_reported(file, saved):
    """Published checkpoints carry them in their generation config, older ones in the model's own."""
    folder = saved()
    settings = json.loads((folder / file).read_text())
    (folder / "generation_config.json").unlink()
    (folder / file).write_text(json.dumps(settings | PRESETS | {"forced_bos_token_id": 1}))
    policy = load_policy(str(folder))
    assert policy.dropped_presets == PRESETS
    left = policy.model.generation_config.to_diff_dict()
    assert not left.keys() & PRESETS.keys()
    # How a summary starts and ends is no preset.
    assert policy.prefix == (2, 1)
    assert (left["decoder_start_token_id"], left["forced_bos_token_id"], left["eos_token_id"]) == (2, 1, 2)
    policy.save(folder)
    again = load_policy(str(folder))
    assert (again.prefix, again.dropped_presets) == ((2, 1), {})


@pytest.mark.parametrize("family", FAMILIES)
def test_row21_a_plain_checkpoint_drops_nothing(family):
    assert tiny_policy(family).dropped_presets == {}


def test_cased_and_uncased_tokenizers_are_told_apart():
    words = ["[UNK]", "[PAD]", "[CLS]", "[SEP]", "[MASK]", "paris", "saw", "ann", "lee", "Paris", "Ann", "Lee"]
    vocabulary = {word: place for place, word in enumerate(words)}
    assert is_cased(BertTokenizer(vocab=vocabulary, do_lower_case=False))
    assert not is_cased(BertTokenizer(vocab=vocabulary, do_lower_case=True))
    assert is_cased(tiny_tokenizer())


def test_any_change_of_a_weight_changes_the_hash():
    model = tiny_model("bart")
    before = weights_hash(model)
    assert len(before) == 64
    assert before == weights_hash(tiny_model("bart")) != weights_hash(tiny_model("bart", seed=1))
    for name, tensor in model.state_dict().items():
        first = (0,) * tensor.ndim
        value = tensor[first].clone()
        tensor[first] += 1e-3
        assert weights_hash(model) != before, name
        tensor[first] = value
    assert weights_hash(model) == before
    assert weights_hash(model.to(torch.bfloat16).to(torch.float32)) != before


def test_a_trained_tokenizer_gives_text_back():
    tokenizer = train_tokenizer(["one two three"], 280, 32)
    ids = tokenizer.encode(" Zürich 2031 ☃")
    assert (ids[0], ids[-1]) == (tokenizer.bos_token_id, tokenizer.eos_token_id)
    assert tokenizer.decode(ids, skip_special_tokens=True) == " Zürich 2031 ☃"
    # Digits stand alone, so that numbers are spelled the same everywhere.
    assert all(len(token.strip("Ġ")) <= 1 for token in tokenizer.tokenize(" 2031"))

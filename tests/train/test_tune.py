from __future__ import annotations

import pytest
import torch
from small import NEVER_STOP, metrics, small_recipe, small_run, tiny_checkpoint, weights, write_corpus, write_rows

from lastmile.config import load_recipe
from lastmile.errors import InputError, RunError
from lastmile.policy.load import load_policy
from lastmile.recipe_files import find_recipe, list_recipes
from lastmile.train.likelihood import LikelihoodStage
from lastmile.train.run import RunFolder
from lastmile.train.tune import check_recipe, tune


@pytest.mark.parametrize("name", list_recipes())
def test_every_recipe_runs_two_steps(name, tmp_path):
    """With a tiny model of its family and a few documents; everything else as the file says."""
    path = find_recipe(name)
    model = load_recipe(path).model.name
    tiny = [f"data.name={write_corpus(tmp_path / 'data', train=8, validation=2, test=2)}"]
    tiny += [f"data.max_{part}_tokens=64" for part in ("document", "summary")]
    tiny += ["sampling.max_new_tokens=8", "compare.decoding.max_new_tokens=8", "sampling.num_samples=2"]
    tiny += ["hardware.accelerator=cpu", "hardware.devices=1"]
    for stage in ("likelihood", "policy_gradient"):
        tiny += [f"{stage}.documents_per_step=4", f"{stage}.validation_documents=2", f"{stage}.validate_every=1"]
    if model is None:
        tiny += ["model.build.vocabulary=300", "model.build.width=24"]
    else:
        family = next(family for family in ("bart", "t5", "pegasus") if family in model)
        tiny.append(f"model.name={tiny_checkpoint(family)}")
    recipe = load_recipe(path)
    if recipe.likelihood.epochs:
        tiny.append("likelihood.epochs=1")
    if recipe.policy_gradient.steps:
        tiny += ["policy_gradient.steps=2", *(f"policy_gradient.stop.{key}={v}" for key, v in NEVER_STOP.items())]
    recipe = load_recipe(path, tiny)
    run = small_run(tmp_path / "run", recipe)
    expected = {"likelihood": recipe.likelihood.epochs, "policy_gradient": recipe.policy_gradient.steps}
    for stage, wanted in expected.items():
        steps = [row["step"] for row in metrics(run, stage, "train")]
        assert steps == ([1, 2] if wanted else [])
    assert run.is_finished
    assert run.has("best") is bool(recipe.policy_gradient.steps)


def test_a_small_model_is_built_from_the_corpus_and_can_be_read_back(tmp_path):
    build = {"vocabulary": 300, "width": 24, "heads": 2, "encoder_layers": 1, "decoder_layers": 1}
    data, runs = write_corpus(tmp_path / "data"), []
    for name in ("one", "two"):
        recipe = small_recipe(data, "policy_gradient.steps=0", "model.name=null", f"model.build={build}")
        runs.append(small_run(tmp_path / name, recipe))
    policy = load_policy(str(runs[0].path / "baseline"))
    text = policy.tokenizer.decode(policy.tokenizer.encode("Norwich 2031"), skip_special_tokens=True)
    assert text.strip() == "Norwich 2031"
    assert metrics(runs[0]) == metrics(runs[1])
    assert runs[0].manifest["model"] == {"name": "built", "dropped_presets": {}}


def problems(*settings, **more) -> list[str]:
    with pytest.raises(InputError) as error:
        check_recipe(small_recipe("nothing.jsonl", *settings, **more))
    return str(error.value).split("\n")


def test_what_is_wrong_with_a_recipe_is_said_at_once_before_data_are_read():
    assert problems(
        "hardware.precision=16-mixed",
        "hardware.devices=3",
        "likelihood.epochs=0",
        "policy_gradient.steps=0",
        "policy_gradient.select_by={rougel: 1.0}",
        model=tiny_checkpoint("t5"),
    ) == [
        "`hardware.precision=16-mixed` overflows T5 activations. Use `bf16-mixed`",
        "`policy_gradient.select_by.rougel`: no such metric. Did you mean `rougeL`?",
        "`likelihood.epochs` and `policy_gradient.steps` are both 0: there is nothing to train",
    ]


def test_row17_every_part_of_a_step_needs_a_document():
    assert problems("likelihood.documents_per_step=5", "hardware.devices=3", "hardware.accumulate=2") == [
        "`likelihood.documents_per_step` must be at least 6 (devices × `hardware.accumulate`), got 5"
    ]


def test_hardware_that_is_not_there_is_said_in_one_line():
    (line,) = problems("hardware.accelerator=gpuu")
    assert line.startswith("`hardware`: ") and "gpuu" in line
    (line,) = problems("hardware.cuda_graphs=true")
    assert line == "`hardware.cuda_graphs` needs an NVIDIA GPU, got cpu. Leave it out"
    (line,) = problems("hardware.strategy=ddpp")
    assert line.startswith("`hardware`: ") and "ddpp" in line


def test_more_documents_a_step_than_there_are(tmp_path):
    recipe = small_recipe(write_corpus(tmp_path / "data", train=7))
    with pytest.raises(InputError) as error:
        tune(recipe, RunFolder.new(tmp_path / "run"))
    assert str(error.value).split("\n") == [
        f"`{stage}.documents_per_step` must be at most the 7 training documents, got 8"
        for stage in ("likelihood", "policy_gradient")
    ]
    assert not (tmp_path / "run").exists()


def test_stages_that_do_not_run_need_no_documents(tmp_path):
    data = write_corpus(tmp_path / "data", train=7)
    settings = "likelihood.epochs=0", "policy_gradient.documents_per_step=7", "policy_gradient.steps=1"
    recipe = small_recipe(data, *settings)
    assert small_run(tmp_path / "run", recipe).is_finished


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([{"text_": "a", "note": "b"}], "no document column recognised"),
        ([{"document": "", "summary": "b"}], "`document` is empty"),
    ],
)
def test_bad_data_leave_no_run_behind(tmp_path, rows, sentence):
    data = write_rows(tmp_path / "my.jsonl", rows)
    with pytest.raises(InputError, match=sentence):
        tune(small_recipe(data), RunFolder.new(tmp_path / "runs" / "one"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["my.jsonl"]


def test_row10_a_full_gpu_ends_the_run_with_advice(tmp_path, monkeypatch):
    def too_much(*_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    monkeypatch.setattr(LikelihoodStage, "training_step", too_much)
    recipe = small_recipe(write_corpus(tmp_path / "data"))
    with pytest.raises(RunError) as error:
        tune(recipe, RunFolder.new(tmp_path / "run"))
    assert str(error.value).startswith(
        "the GPU's memory is full. Start anew with a larger `hardware.accumulate`: smaller parts, same result"
    )


def test_fp16_is_unscaled_before_gradients_are_clipped(tmp_path, monkeypatch):
    """Lightning leaves unscaling to fused optimizers, which do it after clipping: the norm would be 65,536 times."""
    made = []
    configure = LikelihoodStage.configure_optimizers

    def watched(self):
        for precision in ("16-mixed", "32-true"):
            monkeypatch.setattr(type(self.trainer), "precision", precision)
            made.append(configure(self)["optimizer"].defaults["fused"])
        return configure(self)

    monkeypatch.setattr(LikelihoodStage, "configure_optimizers", watched)
    small_run(tmp_path / "run", small_recipe(write_corpus(tmp_path / "data"), "policy_gradient.steps=0"))
    assert made == [False, True]


def test_a_family_that_cannot_be_folded_is_trained_all_the_same_and_that_is_said(tmp_path, capsys):
    recipe = small_recipe(write_corpus(tmp_path / "data"), "likelihood.epochs=0", model=tiny_checkpoint("mbart"))
    run = small_run(tmp_path / "run", recipe)
    assert "no folding for the family `mbart`: each summary gets a copy of its document" in capsys.readouterr().err
    rows = metrics(run, "policy_gradient", "train")
    assert len(rows) == 3 and max(row["log_prob_gap"] for row in rows) < 1e-4
    assert weights(run, "last") != weights(run, "baseline")

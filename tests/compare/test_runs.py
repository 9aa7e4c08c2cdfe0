from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from small import finished_run, small_recipe, write_corpus

import lastmile.compare.runs
from lastmile.compare.runs import compare_runs
from lastmile.compare.systems import LEAD, LIKELIHOOD, N_BEST, POLICY_GRADIENT, TARGET
from lastmile.errors import InputError
from lastmile.records import Summary
from lastmile.train.run import RunFolder


@pytest.fixture
def run(tmp_path) -> RunFolder:
    """A copy of a finished run."""
    return RunFolder(shutil.copytree(finished_run().path, tmp_path / "run-1"))


@pytest.fixture
def other(tmp_path) -> RunFolder:
    """The same recipe under another seed."""
    return RunFolder(shutil.copytree(finished_run(2).path, tmp_path / "run-2"))


@pytest.fixture
def decoded(monkeypatch) -> list[str]:
    """What is decoded from now on."""
    seen: list[str] = []
    for name in ("decode_batch", "decode_candidates"):
        real = getattr(lastmile.compare.runs, name)

        def counting(*arguments, name=name, real=real):
            seen.append(name)
            return real(*arguments)

        monkeypatch.setattr(lastmile.compare.runs, name, counting)
    return seen


def compare(*runs: RunFolder, **more):
    said = []
    return compare_runs(runs, runs[0].recipe.compare, said.append, **more), said


def refused(*runs: RunFolder, **more) -> list[str]:
    with pytest.raises(InputError) as error:
        compare(*runs, **more)
    return str(error.value).split("\n")


def test_one_run_gives_four_cells_and_the_rivals(run, decoded):
    found, said = compare(run)
    assert [system.name for system in found.systems] == [
        LIKELIHOOD,
        f"{LIKELIHOOD} + post",
        POLICY_GRADIENT,
        f"{POLICY_GRADIENT} + post",
        N_BEST,
        f"{N_BEST} (oracle)",
        LEAD,
        TARGET,
    ]
    assert len(found.examples) == 6 and all(len(system.summaries) == 6 for system in found.systems)
    assert [system.name for system in found.systems if system.oracle] == [f"{N_BEST} (oracle)"]
    assert {name for name, reward in found.rewards.items() if reward.shape == (1, 6)} == {s.name for s in found.systems}
    oracle, fair = (np.nan_to_num(found.rewards[name], nan=-9).mean() for name in (f"{N_BEST} (oracle)", N_BEST))
    assert oracle >= fair
    assert found.signature["checkpoints"] == {
        f"run-1/{name}": run.manifest["weights"][name] for name in ("baseline", "best")
    }
    assert said == [f"run-1: {what}: 6 documents decoded" for what in (LIKELIHOOD, N_BEST, POLICY_GRADIENT)]
    assert found.curves and found.resources["run-1"].keys() == {"likelihood", "policy_gradient"}


def test_what_was_decoded_is_kept(run, decoded):
    first, _ = compare(run)
    assert decoded
    decoded.clear()
    second, said = compare(run)
    assert decoded == said == []
    assert second.systems == first.systems
    settings = run.recipe.compare
    beams = settings.decoding.model_copy(update={"num_beams": 2})
    compare_runs([run], settings.model_copy(update={"decoding": beams}), said.append)
    assert decoded


def test_another_checkpoint_under_the_same_name_is_decoded_anew(run, other, decoded):
    compare(run)
    decoded.clear()
    shutil.copy(other.path / "last" / "model.safetensors", run.path / "best" / "model.safetensors")
    compare(run)
    assert decoded == ["decode_batch"]


def test_seeds_of_one_recipe_are_joined(run, other):
    found, _ = compare(run, other)
    seeds = [(system.name, system.seed) for system in found.systems if system.family == POLICY_GRADIENT]
    assert seeds == [(name, seed) for name in (POLICY_GRADIENT, f"{POLICY_GRADIENT} + post") for seed in (1, 2)]
    assert found.rewards[LIKELIHOOD].shape == (2, 6)
    assert found.rewards[LEAD].shape == (1, 6)


def test_another_recipe_is_another_system(run, other):
    tree = (other.path / "recipe.yaml").read_text().replace("method: rloo", "method: scst")
    (other.path / "recipe.yaml").write_text(tree)
    names = {system.name for system in compare(run, other)[0].systems}
    assert {POLICY_GRADIENT, f"{POLICY_GRADIENT} (run-2)", f"{POLICY_GRADIENT} (run-2) + post"} <= names


def test_predictions_stand_beside_ours(run):
    theirs = [Summary(f"Summary {n}.") for n in range(6)]
    found, _ = compare(run, predictions={"theirs": theirs})
    (system,) = (system for system in found.systems if system.name == "theirs")
    assert system.summaries == tuple(theirs) and found.rewards["theirs"].shape == (1, 6)


def test_predictions_that_do_not_fit_are_refused_before_anything_is_decoded(run, decoded):
    ours = [Summary("a")] * 6
    assert refused(run, predictions={"theirs": ours[:5], "likelihood": ours, "target": ours}) == [
        "`--predictions theirs=…`: holds 5 summaries, but there are 6 test documents",
        "`--predictions likelihood=…`: `likelihood` is the name of a system of ours. Choose another",
        "`--predictions target=…`: `target` is the name of a system of ours. Choose another",
    ]
    assert decoded == []


def test_unfinished_runs_are_refused(run, other):
    for unfinished in (run, other):
        manifest = unfinished.manifest
        del manifest["stages"]["policy_gradient"]["ended"]
        (unfinished.path / "manifest.json").write_text(json.dumps(manifest))
    assert refused(run, other) == [
        f"`{path}` is not finished. Continue it with `lastmile tune --resume {path}`" for path in (run.path, other.path)
    ]


def test_runs_on_different_data_are_refused(run, other):
    manifest = other.manifest
    manifest["data"]["fingerprint"] = "0" * 64
    (other.path / "manifest.json").write_text(json.dumps(manifest))
    (line,) = refused(run, other)
    assert line.startswith("runs of different data cannot be compared (`")
    changed, then = refused(other)[0], "0" * 12
    assert "changed since" in changed and f"then {then}). Bring the old data back" in changed


def test_a_run_without_stage_2_is_compared_too(run):
    shutil.rmtree(run.path / "best")
    recipe = small_recipe(write_corpus(run.path.parent / "same"), "policy_gradient.steps=0")
    text = (run.path / "recipe.yaml").read_text()
    (run.path / "recipe.yaml").write_text(text.replace("  steps: 3\n", "  steps: 0\n"))
    assert RunFolder.open(run.path).recipe.policy_gradient.steps == recipe.policy_gradient.steps == 0
    names = [system.name for system in compare(RunFolder.open(run.path))[0].systems]
    assert names[:2] == [LIKELIHOOD, f"{LIKELIHOOD} + post"] and POLICY_GRADIENT not in names

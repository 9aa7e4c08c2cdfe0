"""`lastmile flag --check` and `flag audit` with models as detectors, and `tune` with models of the hub as rewards."""

import json
import subprocess
import sys

import pytest
from readers import encoder_checkpoint, nli_checkpoint
from small import finished_run, metrics, small_recipe, tiny_checkpoint, write_corpus, write_rows

from lastmile.compare.audit import audit_run
from lastmile.compare.audit_tables import print_audit
from lastmile.compare.witness import model_witness
from lastmile.config import dump_recipe
from lastmile.judge.nli import load_entailment
from lastmile.judge.semantic import load_semantic
from lastmile.train.run import RunFolder

STORM = "A storm hit the coast of Wales on Monday. Twelve boats sank in the harbour, said Ann Smith."
BRIDGE = "The council met on Friday. It approved the new bridge over the river for 20 million pounds."
ROWS = [
    {"dataset": "news", "source": STORM, "summary": "A storm hit the coast of Wales.", "label": 1},
    {"dataset": "news", "source": STORM, "summary": "Nobody heard of it in Norway.", "label": 0},
    {"dataset": "town", "source": BRIDGE, "summary": "It approved the new bridge.", "label": 1},
    {"dataset": "town", "source": BRIDGE, "summary": "Why?", "label": 0},
    {"dataset": "town", "source": BRIDGE, "summary": "…", "label": 0},
]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Option to a checkpoint."""
    folder = tmp_path_factory.mktemp("models")
    return {"semantic": encoder_checkpoint(folder / "encoder"), "nli": nli_checkpoint(folder / "nli")}


@pytest.fixture
def labelled(tmp_path):
    return write_rows(tmp_path / "labelled.jsonl", ROWS)


def test_models_are_detectors_beside_the_others(run, labelled, models):
    command = ("flag", labelled, "--check", "--bootstrap-samples", 100, "--semantic", models["semantic"])
    status, out, err = run(*command, "--nli", models["nli"], "--json")
    assert status == 0, err
    found = json.loads(out)
    everything = found["groups"][0]
    pairs = [(row["source"], row["summary"]) for row in ROWS]
    for name, load in (("semantic", load_semantic), ("nli", load_entailment)):
        support = load(models[name])(pairs)[:4]
        # The fifth summary has no word, so no score. Of two faulty and two good ones: the share of pairs in order.
        both = [(support[good], support[bad]) for good in (0, 2) for bad in (1, 3)]
        wins = sum((good > bad) + 0.5 * (good == bad) for good, bad in both)
        assert everything["detectors"][name]["rows"] == 4
        assert everything["detectors"][name]["auc"]["value"] == wins / 4
        (rival,) = [row for row in everything["differences"] if row["b"] == name]
        assert (rival["b_is"], rival["rows"]) == ("model", 4)
    assert found["signature"]["models"] == models
    # Without the options nothing of them is there.
    plain = json.loads(run(*command[:5], "--json")[1])
    assert "semantic" not in plain["groups"][0]["detectors"] and plain["signature"]["models"] == {}


def test_they_have_a_line_and_a_column(run, labelled, models):
    status, out, err = run("flag", labelled, "--check", "--bootstrap-samples", 100, "--semantic", models["semantic"])
    assert status == 0, err
    assert "semantic" in out, "among those beside consistency"
    assert "seman-" in out, "among the AUCs of each group"


def test_models_that_cannot_be_used_are_told_together(run, labelled, tmp_path):
    nameless = nli_checkpoint(tmp_path / "nameless", ("LABEL_0", "LABEL_1"))
    nowhere = tmp_path / "nowhere"
    status, out, err = run("flag", labelled, "--check", "--semantic", nowhere, "--nli", nameless)
    assert (status, out) == (2, "")
    told = [line for line in err.splitlines() if line.startswith("`--")]
    assert told[0].startswith(f"`--semantic`: `{nowhere}` is neither a folder here nor a model that could be fetched")
    assert told[1].startswith(f"`--nli`: `{nameless}`: an NLI model names one of its labels `entailment`")


@pytest.mark.parametrize("option", ["--semantic", "--nli"])
def test_only_a_check_uses_them(run, labelled, tmp_path, option):
    status, _, err = run("flag", labelled, "--out", tmp_path / "out.jsonl", option, "x")
    assert (status, err.rstrip()) == (2, f"`{option}`: not for this; `lastmile flag --help` says for what")


@pytest.mark.parametrize("kind", ["semantic", "nli"])
def test_an_audit_hears_the_model_as_witness(kind, models, capsys):
    found = audit_run(finished_run().path, 100, **{kind: models[kind]})
    name = f"{kind}_doubt"
    assert found["witness"] == {
        "name": name,
        "is": f"1 − the support that `{models[kind]}` sees, {kind}; not a reward of this run",
    }
    (row,) = [row for row in found["pairs"][0]["measures"] if row["name"] == name]
    assert 0 <= row["early"] <= 1 and row["low"] <= row["delta"] <= row["high"]
    print_audit(found)
    assert f"{'NLI' if kind == 'nli' else kind} doubt" in capsys.readouterr().out


def test_a_reward_is_no_witness_against_itself(run, models, tmp_path):
    trained = RunFolder(tmp_path / "run")
    rewards = [{"kind": "rouge"}, {"kind": "semantic", "model": models["semantic"]}]
    trained.begin(small_recipe(write_corpus(tmp_path / "data"), rewards=rewards))
    samples = [
        {"stage": "policy_gradient", "step": step, "id": f"validation-{n}", "summary": f"It is {step}.", "ended": True}
        for step in (0, 5)
        for n in range(6)
    ]
    write_rows(trained.path / "samples.jsonl", samples)
    again = f"{models['semantic']}/."
    status, _, err = run("flag", "audit", trained.path, "--semantic", again)
    assert (status, err.rstrip()) == (
        2,
        f"`--semantic {again}`: the run was rewarded by this very model (`rewards.1`), so it is no witness. "
        "Give one that training did not use",
    )
    status, _, err = run("flag", "audit", trained.path, "--semantic", "a", "--nli", "b")
    assert (status, err.rstrip()) == (2, "an audit has one witness: give one of `--semantic`, `--nli`")
    kin = model_witness(trained, None, encoder_checkpoint(tmp_path / "other"), None)
    assert kin.name == "semantic_doubt"
    assert kin.means.endswith("though another model of its kind was")
    same, worse = kin.doubts([("It rained in Oslo.", "It rained in Oslo."), ("It rained in Oslo.", "Prices rose.")])
    assert same < worse


def test_models_of_the_hub_reward_and_a_missing_one_is_told_before_data(hub, tmp_path, models):
    hub.add("models", "them/encoder", models["semantic"])
    hub.add("models", "them/nli", models["nli"])
    rewards = [{"kind": "semantic", "model": "them/encoder"}, {"kind": "nli", "model": "them/nli"}]
    settings = "likelihood.epochs=0", "policy_gradient.steps=2"
    recipe = small_recipe(write_corpus(tmp_path / "data"), *settings, rewards=rewards, model=tiny_checkpoint())
    (tmp_path / "small.yaml").write_text(dump_recipe(recipe))

    def tune(*more: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "lastmile", "tune", "--recipe", "small.yaml", *more]
        environment = hub.environment(tmp_path / "home")
        return subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300)

    missing = tune("--out", "none", "rewards=[{kind: semantic, model: them/encodr}]", "data.name=nothing.jsonl")
    assert missing.returncode == 2
    assert missing.stderr.splitlines()[-1].startswith(
        "`rewards.0.model`: `them/encodr` is neither a folder here nor a model that could be fetched: "
    )
    assert not (tmp_path / "none").exists()
    done = tune("--out", "run")
    assert done.returncode == 0, done.stderr
    rows = metrics(RunFolder.open(tmp_path / "run"), "policy_gradient", "train")
    assert len(rows) == 2 and all(0 <= row[f"reward/{kind}"] <= 1 for row in rows for kind in models)

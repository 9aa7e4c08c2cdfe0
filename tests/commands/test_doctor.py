"""`lastmile doctor`: the facts are true of this machine, and each advice follows from a fact."""

import copy
import json

import pytest
import torch

from lastmile.commands import doctor
from lastmile.commands.doctor import advise, gather

WELL = {
    "versions": {"unmet": []},
    "devices": {"cuda": [], "mps": False},
    "cpu": {"cores": 2, "threads": 2},
    "precision": {"cpu_bf16_speed": 1.0},
    "allocator": {"preloaded": "tcmalloc", "tcmalloc": "libtcmalloc_minimal.so.4"},
    "memory": {"total_gib": 16.0, "available_gib": 12.0, "container_limit_gib": None},
    "caches": {"hf_home": "/hf", "hub": "/hf/hub", "lastmile": "/cache", "not_writable": [], "offline": False},
    "disk": {"here_free_gib": 50.0, "hub_free_gib": 50.0},
}


def test_nothing_to_change():
    assert advise(WELL) == []


@pytest.mark.parametrize(
    ("section", "name", "value", "sentence"),
    [
        (
            "versions",
            "unmet",
            ["torch>=2.11 (found 2.1)", "rich>=15 (found none)"],
            "Install what is missing or too old: torch>=2.11 (found 2.1), rich>=15 (found none). "
            "In a checkout `make test` does it.",
        ),
        (
            "caches",
            "not_writable",
            ["/hf/hub"],
            "The cache folder /hf/hub cannot be written. Set HF_HOME to a folder of yours.",
        ),
        (
            "caches",
            "not_writable",
            ["/cache"],
            "The cache folder /cache cannot be written. Set LASTMILE_CACHE to a folder of yours.",
        ),
        (
            "caches",
            "offline",
            True,
            "HF_HUB_OFFLINE is set: only what lies in the cache can be loaded. Unset it to download.",
        ),
        (
            "disk",
            "here_free_gib",
            9.5,
            "Only 9.5 GiB are free where this folder lies. A run keeps several copies of the model.",
        ),
        (
            "disk",
            "hub_free_gib",
            0.0,
            "Only 0 GiB are free where the cache lies. A run keeps several copies of the model.",
        ),
        (
            "memory",
            "available_gib",
            3.5,
            "Only 3.5 GiB of memory are available. Stop other programs or take a smaller model.",
        ),
        (
            "memory",
            "container_limit_gib",
            2.0,
            "Only 2 GiB of memory are available. Stop other programs or take a smaller model.",
        ),
        ("cpu", "threads", 1, "torch uses 1 of 2 cores. Unset OMP_NUM_THREADS, unless others need the rest."),
        ("cpu", "threads", 8, "torch starts 8 threads on 2 cores, which slows it. Set OMP_NUM_THREADS=2."),
        (
            "precision",
            "cpu_bf16_speed",
            3.0,
            "This CPU multiplies matrices about 3 times as fast in bf16 as in float32. "
            "Try `hardware.precision=bf16-mixed`; small models may not gain.",
        ),
        (
            "devices",
            "cuda",
            [{"name": "new", "memory_gib": 80.0, "bf16": True}],
            "The GPU computes in bf16. Use `hardware.precision=bf16-mixed`.",
        ),
        (
            "devices",
            "cuda",
            [{"name": "old", "memory_gib": 16.0, "bf16": False}],
            "The GPU has no bf16. Keep `hardware.precision=32-true`: T5, mT5 and PEGASUS overflow in fp16.",
        ),
    ],
)
def test_one_change_one_sentence(section, name, value, sentence):
    facts = copy.deepcopy(WELL)
    facts[section][name] = value
    assert advise(facts) == [sentence]


@pytest.mark.parametrize(
    ("found", "todo"),
    [
        ("libtcmalloc.so.4", "Set LD_PRELOAD=libtcmalloc.so.4"),
        (None, "Install it (Debian: libtcmalloc-minimal4) and preload it"),
    ],
)
def test_tcmalloc_is_advised_on_linux(monkeypatch, found, todo):
    facts = copy.deepcopy(WELL) | {"allocator": {"preloaded": None, "tcmalloc": found}}
    monkeypatch.setattr(doctor.platform, "system", lambda: "Linux")
    (sentence,) = advise(facts)
    assert todo in sentence
    monkeypatch.setattr(doctor.platform, "system", lambda: "Darwin")
    assert advise(facts) == []


def test_an_unset_container_limit_is_no_limit():
    facts = copy.deepcopy(WELL)
    facts["memory"] = {"total_gib": None, "available_gib": None, "container_limit_gib": None}
    assert advise(facts) == []


def test_facts_of_this_machine():
    facts = gather()
    assert facts["versions"]["torch"] == torch.__version__
    assert facts["versions"]["unmet"] == []
    assert facts["cpu"]["threads"] == torch.get_num_threads()
    assert facts["precision"]["cpu_bf16_speed"] > 0
    assert len(facts["devices"]["cuda"]) == torch.cuda.device_count()
    assert json.loads(json.dumps(facts)) == facts, "plain values only"


def test_a_cache_that_cannot_be_written(monkeypatch, tmp_path):
    monkeypatch.setenv("LASTMILE_CACHE", str(tmp_path / "deep" / "cache"))
    assert str(tmp_path / "deep" / "cache") not in gather()["caches"]["not_writable"], "it will be made"
    monkeypatch.setattr(doctor.os, "access", lambda path, mode: path != tmp_path)
    assert gather()["caches"]["not_writable"] == [str(tmp_path / "deep" / "cache")]


def test_requirements_that_are_not_met(monkeypatch):
    monkeypatch.setattr(
        doctor, "requires", lambda _: ["torch>=999", "no-such-package", "rich>=1", 'ruff>=999; extra == "test"']
    )
    assert doctor._unmet() == [f"torch>=999 (found {torch.__version__})", "no-such-package (found none)"]


def test_json_and_table_say_the_same(run, monkeypatch):
    facts = copy.deepcopy(WELL)
    facts["cpu"]["cores"], facts["cpu"]["threads"] = 1, 4
    monkeypatch.setattr(doctor, "gather", lambda: facts)
    status, out, err = run("doctor", "--json")
    assert (status, err) == (0, "")
    report = json.loads(out)
    assert report == {"facts": facts, "advice": advise(facts)}
    status, out, _ = run("doctor")
    assert status == 0
    assert f"- {report['advice'][0]}" in out
    row = next(line for line in out.splitlines() if "cores" in line)
    assert row.split("│")[-2].strip() == "1", "a count is a number, not a yes"


def test_all_well_is_said(run, monkeypatch):
    monkeypatch.setattr(doctor, "gather", lambda: WELL)
    assert run("doctor")[1].endswith("Nothing to change.\n")


def test_without_torch_the_doctor_still_answers(run, monkeypatch):
    monkeypatch.setattr(doctor, "_version", lambda package: None if package in ("torch", "datasets") else "1.0")
    assert run("doctor") == (
        2,
        "",
        "not installed: torch, datasets. In a checkout `make test` installs what lastmile needs\n",
    )

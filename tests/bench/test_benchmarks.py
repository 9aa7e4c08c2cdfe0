"""Each benchmark runs on the tiny shape and writes what `table` reads. Times themselves are not tested."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from bench.__main__ import app
from bench.peer import peer_python
from bench.places import peers_folder
from bench.startup import first_step
from bench.table import markdown
from lastmile.errors import RunError

CHECKOUT = Path(__file__).parent.parent.parent
SMALL = ["--shape", "tiny", "--document-tokens", "12", "--summary-tokens", "8", "--rounds", "1", "--threads", "1"]
FIELDS = {"name", "ours", "peer", "ratio", "floor", "fraction", "settings", "machine", "command"}


@pytest.fixture(autouse=True)
def threads_are_put_back():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def bench(tmp_path):
    def bench(*arguments):
        out = tmp_path / f"{arguments[0]}.json"
        done = CliRunner().invoke(app, [*arguments, *SMALL, "--out", str(out)])
        assert done.exit_code == 0, (done.output, done.exception)
        found = json.loads(out.read_text())
        assert all(set(one) >= FIELDS for one in found)
        assert all(one["name"] in done.output for one in found)
        return found

    return bench


def spread(values):
    assert values["min"] <= values["median"] <= values["max"]
    return values["median"]


def check(one, floor=True):
    ratio = one["peer"]["seconds"]["median"] / one["ours"]["seconds"]["median"]
    assert spread(one["ratio"]) == pytest.approx(ratio)
    if floor:
        assert one["fraction"] == pytest.approx(one["floor"] / one["ours"]["seconds"]["median"])


def test_rollout(bench):
    (one,) = bench("rollout", "--documents", "2", "--samples", "3")
    check(one)
    assert one["ours"]["tokens_per_second"] > 0
    assert one["peer"]["program"].startswith("transformers")
    assert one["machine"]["threads"] == 1


def test_rollout_in_bfloat16_and_alone(bench):
    (one,) = bench("rollout", "--documents", "2", "--samples", "2", "--dtype", "bfloat16", "--no-peer")
    assert one["peer"] is None and one["ratio"] is None
    assert one["settings"]["dtype"] == "bfloat16"


def test_update_agrees_with_its_rivals(bench, tmp_path):
    expanded, plain, again = bench("update", "--documents", "2", "--samples", "3")
    for one in (expanded, plain, again):
        check(one)
    assert expanded["gradients_differ"]["float64"] < 1e-6
    # 2 documents of 12 tokens, 2 layers, keys and values of width 32; the rival has them 3 times.
    assert expanded["cross_cache_elements"] == {"ours": 2 * 12 * 2 * 2 * 32, "peer": 3 * 2 * 12 * 2 * 2 * 32}
    page = markdown(tmp_path)
    assert "| cross-attention cache, share of the expanded one | 1/K | 1/3 | yes | tiny, float32 |" in page
    assert "| sampling 8 summaries, against `generate` | ≥ 3 × | not measured | | | |" in page


def test_step_alone(bench):
    (one,) = bench("step", "--documents", "2", "--samples", "3", "--no-peer")
    assert one["ours"]["summaries_per_second"] > 0 and one["floor"] > 0


def test_reward(bench, monkeypatch):
    monkeypatch.delenv("LASTMILE_DATA", raising=False)
    rouge, flags = bench("reward", "--documents", "5", "--samples", "2")
    check(rouge, floor=False)
    assert rouge["facts"]["largest difference from rouge_score"] <= 1e-12
    assert rouge["facts"]["texts from"] == "demo"
    assert flags["ours"]["summaries_per_second"] > 0


def test_judge(bench, tmp_path, monkeypatch):
    monkeypatch.delenv("LASTMILE_DATA", raising=False)
    monkeypatch.setattr("bench.judge.SCORING_SECONDS", 0.05)
    overlapped, alone = bench("judge", "--documents", "5", "--samples", "2")
    check(overlapped, floor=False), check(alone, floor=False)
    assert overlapped["facts"]["seconds the model scores meanwhile"] == 0.05
    assert "| a step's wait for the judge: worker processes beside 1 s of scoring, against none |" in markdown(tmp_path)


def test_startup(bench, tmp_path):
    found = bench("startup")
    assert [one["name"] for one in found] == ["startup, --help", "startup, likelihood", "startup, policy gradient"]
    shown, *stages = [one["ours"]["seconds"]["median"] for one in found]
    assert all(seconds > shown > 0 for seconds in stages)
    assert "| `lastmile --help` | ≤ 0.5 s |" in markdown(tmp_path)


def test_a_start_that_fails_says_why(tmp_path):
    with pytest.raises(RunError, match=r"ended before its first step of likelihood:\n`hardware`: .*martian"):
        first_step("likelihood", ["hardware.accelerator=martian"], dict(os.environ))


def test_likelihood_alone(bench):
    (one,) = bench("likelihood", "--documents", "32", "--no-peer")
    assert one["facts"] == {"pairs": 32, "optimizer steps a turn": 2}
    assert one["ours"]["target_tokens_per_second"] > 0


@pytest.mark.skipif(not (peers_folder() / "accelerate").exists(), reason="`bash bench/peers.sh` has not been run")
def test_likelihood_against_transformers(tmp_path):
    """In a process of its own: transformers looks for `accelerate` once."""
    out = tmp_path / "likelihood.json"
    command = [sys.executable, "-m", "bench", "likelihood", "--documents", "32", *SMALL, "--out", str(out)]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    shuffled, grouped = json.loads(out.read_text())
    check(shuffled), check(grouped)


def test_summarize(bench):
    greedy, beams = bench("summarize", "--documents", "3")
    check(greedy), check(beams)


def test_scale(bench, tmp_path):
    found = bench("scale", "--documents", "200")
    assert [one["name"] for one in found] == ["scale, 20 documents", "scale, 200 documents"]
    assert found[0]["growth"]["median"] == 1
    assert "| reading, tokenizing, flagging 200 documents | ≤ 1.10 |" in markdown(tmp_path)


def test_memory_alone(bench):
    whole, above = bench("memory", "--documents", "2", "--samples", "2", "--no-peer")
    assert whole["ours"]["bytes"]["median"] > above["ours"]["bytes"]["median"] > 0
    assert whole["ours"]["bytes"]["median"] > 50e6


def test_phases(bench, tmp_path):
    found = bench("phases", "--documents", "2", "--samples", "2")
    assert [one["name"] for one in found] == [f"phase, {x}" for x in ("sampling", "reference", "update", "optimizer")]
    for one in found:
        assert sum(one["facts"].values()) == pytest.approx(1)
        assert one["floor"] > 0
    sampling, reference, update, optimizer = (one["facts"] for one in found)
    assert min(x["matrix products"] for x in (sampling, reference, update)) > 0.05 > optimizer["matrix products"]
    assert min(x["products of attention"] for x in (sampling, reference, update)) > 0
    assert "| update | " in markdown(tmp_path)


def test_a_peer_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setenv("LASTMILE_PEERS", str(tmp_path))
    done = CliRunner().invoke(app, ["step", "--documents", "1", "--samples", "2", *SMALL])
    assert done.exit_code == 2
    assert "TRL has no environment here. Make it with `bash bench/peers.sh`, or say `--no-peer`" in done.output


def test_a_shape_of_nowhere():
    done = CliRunner().invoke(app, ["rollout", "--shape", "gpt"])
    assert done.exit_code == 2 and "must be one of tiny, t5-small" in done.output


@pytest.mark.skipif(peer_python("trl") is None, reason="`bash bench/peers.sh` has not been run")
def test_step_and_memory_against_trl(bench):
    (step,) = bench("step", "--documents", "2", "--samples", "3")
    check(step)
    assert step["peer"]["program"].startswith("TRL 0.11.4")
    memory, above = bench("memory", "--documents", "1", "--samples", "3")
    assert memory["peer"]["bytes"]["median"] > 50e6
    assert memory["peer"]["bytes"]["median"] > above["peer"]["bytes"]["median"] > 0

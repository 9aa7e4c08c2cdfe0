import json
import math
import os
from dataclasses import replace

import numpy as np
import pytest
from harbours import PROFILE, SETTINGS, make_examples, make_report, make_systems

from lastmile.compare.report import build_report, default_comparisons, write_report
from lastmile.compare.systems import System
from lastmile.errors import InputError, RunError
from lastmile.judge.metrics import METRICS, TESTED
from lastmile.records import Summary


@pytest.fixture
def examples():
    return make_examples()


@pytest.fixture
def systems():
    return make_systems()


@pytest.fixture
def report():
    return make_report()


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The folder of a written report."""
    folder = tmp_path_factory.mktemp("reports") / "new" / "folder"
    assert write_report(folder, make_report(), make_examples(), make_systems()) == folder / "report.html"
    return folder


def build(examples, systems, **more):
    return build_report("harbours", examples, systems, PROFILE, SETTINGS, **more)


def by_name(report):
    return {system["name"]: system for system in report["systems"]}


def difference(report, a, b, metric):
    return next(row for row in report["differences"] if (row["a"], row["b"], row["metric"]) == (a, b, metric))


def test_report_json_has_its_schema(written, systems):
    found = json.loads((written / "report.json").read_text(encoding="utf-8"))
    assert set(found) == {
        "title", "verdict", "documents", "systems", "differences", "runs", "post_processing", "unseen", "signature",
        "resources",
    }  # fmt: skip
    assert [system["name"] for system in found["systems"]] == [system.name for system in systems]
    for system in found["systems"]:
        assert set(system) == {"name", "family", "post_processed", "oracle", "metrics"}
        assert set(system["metrics"]) <= set(METRICS)
        for name, metric in system["metrics"].items():
            assert set(metric) == {"value", "low", "high"}
            assert metric["low"] - 1e-9 <= metric["value"] <= metric["high"] + 1e-9, (system["name"], name)
    for row in found["differences"]:
        assert set(row) == {"a", "b", "metric", "delta", "low", "high", "p", "p_holm", "effect"}
        assert row["metric"] in TESTED
        assert 0 < row["p"] <= row["p_holm"] <= 1
    signature = found["signature"]
    assert signature["data"] == "abc123"
    assert signature["checkpoints"] == {"likelihood": "def456"}
    assert {"rouge", "sentence_splitter", "several_targets", "decoding", "post_processing"} <= set(signature)
    assert (signature["bootstrap_samples"], signature["bootstrap_seed"]) == (1200, 1)
    assert found["resources"] == {"policy gradient": {"seconds": 12}}


def test_the_better_system_is_found_better(report):
    assert report["verdict"].startswith(
        "Without post-processing, policy gradient against likelihood: better on ROUGE-L and flag rate"
    )
    row = difference(report, "policy gradient", "likelihood", "flag_rate")
    systems = by_name(report)
    a, b = (systems[name]["metrics"]["flag_rate"]["value"] for name in ("policy gradient", "likelihood"))
    assert row["delta"] == pytest.approx(a - b)
    # three of four likelihood summaries are at fault; policy gradient keeps 4 of 40, those of i = 0, 10, 20, 30:
    # repetition (0, 20) and unfinished (10, 30)
    assert (a, b) == (0.1, 0.75)


def test_post_processing_counts_every_rule(report):
    counts = report["post_processing"]["likelihood + post"]
    assert {rule: count for rule, count in counts.items() if count} == {
        "unfinished": 10,
        "duplicate_sentences": 10,
        "unsupported": 10,
    }
    assert tuple(counts) == SETTINGS.post_processing


def test_targets_are_scored_on_the_other_targets_and_never_tested(report, examples, systems):
    target = by_name(report)["target"]["metrics"]
    assert 0 < target["rougeL"]["value"] < 100
    assert not any("target" in (row["a"], row["b"]) for row in report["differences"])
    alone = [replace(example, targets=example.targets[:1]) for example in examples]
    assert "rougeL" not in by_name(build(alone, systems))["target"]["metrics"]


def test_default_comparisons():
    cells = ["likelihood", "likelihood + post", "policy gradient", "policy gradient + post"]
    assert default_comparisons([*cells, "lead-3", "target"]) == [
        ("policy gradient", "likelihood"),
        ("policy gradient + post", "likelihood"),
        ("policy gradient", "likelihood + post"),
        ("policy gradient + post", "likelihood + post"),
        ("lead-3", "likelihood + post"),
    ]
    assert default_comparisons(["lead-3", "mine"]) == []


def test_holm_counts_the_pairs_of_one_metric(report):
    rows = [row for row in report["differences"] if row["metric"] == "rougeL"]
    assert len(rows) == 6
    smallest = min(rows, key=lambda row: row["p"])
    assert smallest["p_holm"] == pytest.approx(6 * smallest["p"])
    assert report["signature"]["bootstrap_samples"] == 200 * 6


def test_runs_of_one_name_are_one_row(examples, systems):
    pg, mle = systems[2], systems[0]
    worse = replace(pg, summaries=mle.summaries[:20] + pg.summaries[20:])
    runs = [replace(mle, seed=1), replace(pg, seed=1), replace(worse, seed=2)]
    report = build(examples, runs, rewards_by_system={"policy gradient": np.stack([np.zeros(40), np.ones(40)])})
    assert [system["name"] for system in report["systems"]] == ["likelihood", "policy gradient"]
    assert [(run["name"], run["seed"]) for run in report["runs"]] == [("policy gradient", 1), ("policy gradient", 2)]
    values = [run["metrics"]["rougeL"] for run in report["runs"]]
    metrics = by_name(report)["policy gradient"]["metrics"]
    assert metrics["rougeL"]["value"] == pytest.approx(sum(values) / 2)
    assert metrics["reward"]["value"] == 0.5
    row = difference(report, "policy gradient", "likelihood", "rougeL")
    base = by_name(report)["likelihood"]["metrics"]["rougeL"]["value"]
    assert row["by_run"] == pytest.approx([value - base for value in values])


def test_the_same_seed_gives_the_same_report(examples, systems):
    assert build(examples, systems[:2], seed=3) == build(examples, systems[:2], seed=3)
    a, b = (build(examples, systems[:2], seed=seed)["systems"][0]["metrics"]["rougeL"] for seed in (3, 4))
    assert a["value"] == b["value"] and a["low"] != b["low"]


def test_unscored_rewards_are_left_out(examples, systems):
    rewards = np.full(40, np.nan)
    rewards[:4] = 2.0
    report = build(examples, systems[:1], rewards_by_system={"likelihood": rewards})
    assert report["systems"][0]["metrics"]["reward"]["value"] == 2.0


def test_cases_are_gains_first_then_losses(report, examples):
    winners = [case["winner"] for case in report["cases"]]
    assert winners == ["policy gradient"] * len(winners) and len(winners) == 2
    case = report["cases"][0]
    assert case["document"] in {example.document for example in examples}
    assert {flag["name"] for flag in case["summaries"][0]["flags"]}
    assert case["summaries"][0]["system"] == "likelihood"


def test_one_system_alone_is_reported(examples, systems):
    report = build(examples, systems[4:5])
    assert report["differences"] == [] and report["cases"] == []
    assert "names no winner" in report["verdict"]


def test_wrong_input_is_told_all_at_once(examples, systems):
    """Checklist 24 for systems."""
    short = System("mine", (Summary("x"),))
    with pytest.raises(InputError) as error:
        build(
            examples,
            [systems[0], short],
            comparisons=[("mine", "likelyhood")],
            rewards_by_system={"mime": np.zeros(40)},
            unseen=["absent_word"],
        )
    assert str(error.value).split("\n") == [
        "`mine`: one summary is needed for each document, got 1 for 40 documents",
        "`likelyhood`: no such system to compare. Did you mean `likelihood`?",
        "`mime`: no such system to compare. Did you mean `mine`?",
        "`absent_word`: no such metric. Did you mean `absent_words`?",
    ]
    with pytest.raises(InputError, match="a report needs systems and documents, got 0 and 0"):
        build([], [])
    with pytest.raises(InputError, match="one reward is needed for each document, got 3 for 40 documents"):
        build(examples, systems[:1], rewards_by_system={"likelihood": np.zeros(3)})


def test_everything_is_written_and_nothing_left_aside(written, systems):
    assert sorted(os.listdir(written)) == ["report.html", "report.json", "report.md", "summaries.jsonl"]
    rows = [json.loads(line) for line in (written / "summaries.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 40
    assert rows[3]["id"] == "doc-003"
    assert rows[3]["summaries"]["likelihood"] == systems[0].summaries[3].text


def test_a_folder_that_cannot_be_written_is_a_failed_run(report, examples, systems, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(RunError, match=r"summaries\.jsonl: cannot be written: No space left on device"):
        write_report(tmp_path, report, examples, systems)
    assert os.listdir(tmp_path) == []


def test_no_number_is_infinite(report):
    def walk(value):
        if isinstance(value, dict):
            return [leaf for part in value.values() for leaf in walk(part)]
        if isinstance(value, list):
            return [leaf for part in value for leaf in walk(part)]
        return [value]

    numbers = [value for value in walk(report["systems"]) + walk(report["differences"]) if isinstance(value, float)]
    assert len(numbers) > 200 and all(map(math.isfinite, numbers))

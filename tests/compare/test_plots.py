import re
from xml.etree import ElementTree

import pytest

from lastmile.compare.plots import curve_plots, flag_plots, interval_plots, reward_plots


def system(name, value, **more):
    metrics = {
        metric: {"value": value, "low": value - 0.05, "high": value + 0.05}
        for metric in ("rougeL", "flag_rate", "flag/copy", "flag/empty", "reward", "absent_words")
    }
    metrics["flag/empty"] = {"value": 0.0, "low": 0.0, "high": 0.0}
    return {"name": name, "family": name, "post_processed": False, "metrics": metrics, **more}


def texts(svg):
    return [element.text for element in ElementTree.fromstring(svg).iter() if element.tag.endswith("text")]


def test_every_system_has_its_row_and_only_metrics_that_exist_a_picture():
    plots = interval_plots([system("a & <b>", 0.4), system("x" * 60, 0.5)])
    assert [plot.title for plot in plots] == ["ROUGE-L", "flag rate", "absent words"]
    assert {"a & <b>", "x" * 27 + "…"} <= set(texts(plots[0].svg))


def test_a_baseline_far_off_stands_at_the_edge_in_words():
    plots = interval_plots([system("a", 40.0), system("b", 41.0), system("lead-3", 20.0), system("target", 60.0)])
    assert {" ← 20.00", "60.00 → "} <= set(texts(plots[0].svg))


def test_flags_that_nobody_has_get_no_picture():
    assert [plot.title for plot in flag_plots([system("a", 0.3)])] == ["copy"]


def test_reward_is_shown_for_trained_systems_alone():
    assert reward_plots([system("lead-3", 0.3)], ["absent_words"]) == []
    unrewarded = system("b", 0.3)
    del unrewarded["metrics"]["reward"]
    (plot,) = reward_plots([system("a", 0.3), unrewarded], ["absent_words", "copied_trigrams"])
    assert "var(--s0)" in plot.svg and "var(--s1)" not in plot.svg


def test_curves_are_found_by_stage_and_split():
    rows = [
        {"stage": "policy_gradient", "split": split, "step": step, "rougeL": 30.0 + step, "reward/mine": 0.1, "lr": 1}
        for step in range(3)
        for split in ("train", "validation")
    ]
    plots = curve_plots(rows, "policy_gradient")
    assert [plot.title for plot in plots] == ["ROUGE-L", "reward: mine"]
    assert plots[0].note == "line: in training; dots: on validation documents"
    assert curve_plots(rows, "likelihood") == []
    assert curve_plots(rows[:2], "policy_gradient") == [], "one point is no curve"


def test_missing_values_leave_a_gap():
    rows = [{"stage": "likelihood", "split": "train", "step": i, "loss": v} for i, v in enumerate([2.0, None, 1.0])]
    (plot,) = curve_plots(rows, "likelihood")
    assert plot.title == "loss"


@pytest.mark.parametrize("value", [0.3, 0.0])
def test_pictures_are_the_same_every_time_and_stand_alone(value):
    first, again = (flag_plots([system("a", value + 0.1)])[0].svg for _ in range(2))
    assert first == again
    assert not re.search(r'<g id=|<style|<\?xml|width="[\d.]+pt"', first)

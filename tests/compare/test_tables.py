import io

import pytest
from harbours import make_report
from rich.console import Console

from lastmile.compare.tables import flat, interval_cell, markdown, print_metrics, print_table


@pytest.fixture
def report():
    return make_report()


def printed(draw, data, width):
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    draw(data, console)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 100, 200])
def test_the_table_fits(report, width):
    lines = printed(print_table, report, width).splitlines()
    assert max(map(len, lines)) <= min(width, 100)
    text = " ".join(" ".join(lines).split())
    assert report["verdict"] in text
    for name in ("likelihood + post", "lead-3", "target", "R-Lsum", "40 documents"):
        assert name in text
    assert "…" not in text, "nothing is cut off"


def test_the_headline_differences_are_printed(report):
    lines = [line.strip() for line in printed(print_table, report, 100).splitlines()]
    start = lines.index("policy gradient − likelihood")
    assert [line.split("  ")[0] for line in lines[start + 1 : start + 3]] == ["ROUGE-L", "flag rate"]
    assert "−65.0 pp" in lines[start + 2] and lines[start + 2].endswith("better")


def test_several_runs_show_their_range(report):
    rows = [{**row, "by_run": [0.5, 0.125, 0.25]} for row in report["differences"][:1]]
    rows[0]["metric"] = "rougeL"
    runs = [{"name": "policy gradient", "seed": seed, "metrics": {"rougeL": 30.5 + seed}} for seed in (1, 2)]
    several = {**report, "differences": rows, "runs": runs}
    assert "runs +0.12 to +0.50" in printed(print_table, several, 100)
    assert "| policy gradient | 2 |" in markdown(several) and "32.50" in markdown(several)


def test_markup_in_a_name_is_only_a_name(report):
    systems = [{**report["systems"][0], "name": "[red]x[/red] [/]"}]
    text = printed(print_table, {**report, "systems": systems, "verdict": "[bold]v", "differences": []}, 100)
    assert "[red]x[/red] [/]" in text and "[bold]v" in text


def test_markdown_has_every_metric_and_difference(report):
    text = markdown(report)
    assert text.startswith("# harbours\n\nWithout post-processing")
    assert "| ROUGE-L ↑ |" in text and "| flag rate ↓ |" in text
    assert text.count("| policy gradient | likelihood |") == 10
    assert "- checkpoints.likelihood: def456" in text
    assert "- policy gradient.seconds: 12" in text
    assert "| likelihood + post | 0 | 10 |" in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert all(line.endswith("|") for line in rows)


def test_markdown_escapes_names(report):
    text = markdown({**report, "title": "<script>a|b_c"})
    assert text.startswith("# \\<script\\>a\\|b\\_c\n")


def test_metrics_of_one_system(report):
    found = {"documents": 40, "metrics": report["systems"][0]["metrics"], "signature": {"a": [1, 2], "b": {"c": "d"}}}
    text = printed(print_metrics, found, 80)
    assert max(map(len, text.splitlines())) <= 80
    assert "40 documents" in text and "ROUGE-Lsum" in text
    assert "a: 1, 2" in text and "b.c: d" in text


def test_what_does_not_apply_is_a_dash():
    assert interval_cell({"metrics": {}}, "rougeL") == "–"
    found = {"metrics": {"flag_rate": {"value": 0.1, "low": 0.05, "high": 0.2}}}
    assert interval_cell(found, "flag_rate") == "10.0 % (5.0–20.0)"
    assert list(flat({})) == []

"""`report.html`: one self-contained page, readable by light and in the dark; no scripts, nothing loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from lastmile.compare.marked import mark, passage, render, spoken
from lastmile.compare.plots import FAR_OFF, curve_plots, flag_plots, interval_plots, reward_plots
from lastmile.compare.systems import LIKELIHOOD, POLICY_GRADIENT, TARGET
from lastmile.compare.tables import (
    ARROWS,
    count_text,
    difference_cells,
    flat,
    interval_cell,
    outcome_in_words,
    runs_in_words,
    short_columns,
)
from lastmile.compare.verdict import HEADLINE, POST
from lastmile.config import FLAG_NAMES
from lastmile.judge.metrics import METRICS, p_text, shown, verdict_of

# Likelihood blue, policy gradient orange, and whatever else comes; chosen to read on white and on black.
COLOURS = {LIKELIHOOD: "#3d7fd9", POLICY_GRADIENT: "#e2742b", "lead-3": "#868c9b", TARGET: "#2c9c78"}
OTHER_COLOURS = ("#8a68d6", "#c2569b", "#a8842c", "#3aa3b5", "#b4544c", "#6d8b3a")
DEGREE = ("unsupported_word", "unrelated")  # too many, and too often right, to point at


def render_page(report: Mapping[str, Any]) -> str:
    """Render the report. Every text of a document, a summary or a name is escaped by the template."""
    systems, differences = report["systems"], report["differences"]
    colours = _colours(systems)
    cases = [_case(case) for case in report["cases"]]
    return render(
        "report.html.jinja",
        report=report,
        colours=colours,
        scores=_scores(differences),
        columns=[(name, METRICS[name]) for name in short_columns(systems)],
        every_metric=[metric for metric in METRICS.values() if any(metric.name in s["metrics"] for s in systems)],
        arrows=ARROWS,
        shown=shown,
        interval_cell=interval_cell,
        count_text=count_text,
        marks=_marks(systems, differences),
        pairs=_pairs(differences),
        intervals=interval_plots(systems),
        flags=flag_plots(systems),
        far_off=FAR_OFF,
        rewards=reward_plots(systems, report["unseen"]),
        curves=[
            (title, plots)
            for stage, title in (("likelihood", "Stage 1: likelihood"), ("policy_gradient", "Stage 2: policy gradient"))
            if (plots := curve_plots(report["curves"], stage, report["unseen"] if stage == "policy_gradient" else ()))
        ],
        cases=cases,
        legend=_legend(report["cases"]),
        rules=list(dict.fromkeys(rule for counts in report["post_processing"].values() for rule in counts)),
        signature=list(flat(report["signature"])),
        resources=list(flat(report.get("resources", {}))),
    )


def _colours(systems: Sequence[Mapping[str, Any]]) -> list[str]:
    """A colour a system; the raw and the post-processed variant of one share it."""
    others: dict[str, str] = {}
    colours = []
    for system in systems:
        base = system["name"].removesuffix(POST)
        if base not in COLOURS:
            others.setdefault(base, OTHER_COLOURS[len(others) % len(OTHER_COLOURS)])
        colours.append(COLOURS.get(base) or others[base])
    return colours


def _scores(differences: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The three questions of the verdict with their headline figures, as cards."""
    questions = (
        ("Raw against raw", POLICY_GRADIENT, LIKELIHOOD),
        ("Both post-processed", POLICY_GRADIENT + POST, LIKELIHOOD + POST),
        ("Raw against post-processed likelihood", POLICY_GRADIENT, LIKELIHOOD + POST),
    )
    cards = []
    for title, a, b in questions:
        rows = [row for name in HEADLINE for row in differences if (row["a"], row["b"], row["metric"]) == (a, b, name)]
        if rows:
            cards.append({"title": title, "a": a, "b": b, "figures": [_difference(row) for row in rows]})
    return cards


def _difference(row: Mapping[str, Any]) -> dict[str, Any]:
    label, delta, spread, _, word = difference_cells(row)
    return {
        "label": label,
        "delta": delta,
        "interval": spread,
        "p": p_text(row["p_holm"]),
        "p_alone": p_text(row["p"]),
        "effect": "–" if row["effect"] is None else f"{row['effect']:+.2f}".replace("-", "−"),
        "outcome": verdict_of(row["metric"], row["delta"], row["p_holm"]),
        "word": word,
        "runs": runs_in_words(row),
    }


def _pairs(differences: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, list[dict[str, Any]]]]:
    groups = groupby(differences, key=lambda row: (row["a"], row["b"]))
    return [(a, b, [_difference(row) for row in rows]) for (a, b), rows in groups]


def _marks(
    systems: Sequence[Mapping[str, Any]], differences: Sequence[Mapping[str, Any]]
) -> dict[tuple[str, str], dict[str, Any]]:
    """For each tested cell of the table its outcome against the rival: raw against raw, all else against post."""
    found = {(row["a"], row["b"], row["metric"]): row for row in differences}
    marks = {}
    for system in systems:
        name = system["name"]
        rivals = (LIKELIHOOD, LIKELIHOOD + POST) if name == POLICY_GRADIENT else (LIKELIHOOD + POST, LIKELIHOOD)
        for metric in METRICS:
            row = next((found[name, b, metric] for b in rivals if (name, b, metric) in found), None)
            if row is not None:
                outcome = verdict_of(metric, row["delta"], row["p_holm"])
                marks[name, metric] = {"outcome": outcome, "title": f"{outcome_in_words(row)}, against {row['b']}"}
    return marks


def _legend(cases: Sequence[Mapping[str, Any]]) -> list[str]:
    """The flags with something to mark, in the recipe's order; others, such as wrong facts, behind them."""
    flags = (flag for case in cases for summary in case["summaries"] for flag in summary["flags"])
    names = {flag["name"] for flag in flags if flag["start"] < flag["end"]}
    return sorted(names, key=lambda name: (FLAG_NAMES.index(name) if name in FLAG_NAMES else len(FLAG_NAMES), name))


def _case(case: Mapping[str, Any]) -> dict[str, Any]:
    """The case with marked texts. Only the learned systems' evidence is marked: a lead would colour everything."""
    document, evidence = case["document"], []
    summaries: dict[bool, list[dict[str, Any]]] = {True: [], False: []}
    written = {summary["system"]: summary["text"] for summary in case["summaries"]}
    for index, summary in enumerate(case["summaries"]):
        name, text, flags = summary["system"], summary["text"], summary["flags"]
        first = name.removesuffix(POST) in (POLICY_GRADIENT, LIKELIHOOD)
        if name == TARGET:
            continue
        if first:
            evidence += [span for flag in flags if flag["name"] not in DEGREE for span in _evidence(document, flag)]
        summaries[first].append(
            {
                "system": name,
                "index": index,
                "post": name.endswith(POST),
                "rougeL": summary["rougeL"],
                "pieces": mark(text, [(flag["start"], flag["end"], flag["name"], spoken(flag)) for flag in flags]),
                "unchanged": name.endswith(POST) and written.get(name.removesuffix(POST)) == text,
                "notes": [spoken(flag) for flag in flags if flag["start"] == flag["end"]],
                "flags": flags,
            }
        )
    # Reports without learned systems show all they have.
    first, others = (summaries[True], summaries[False]) if summaries[True] else (summaries[False], [])
    return {**case, "summaries": first, "others": others, "pieces": mark(document, evidence)}


def _evidence(document: str, flag: Mapping[str, Any]) -> list[tuple[int, int, str, str]]:
    """Where the document holds what the flag rests on, if it does."""
    title = f"evidence for {flag['name'].replace('_', ' ')}: {flag['text']}"
    place = passage(document, flag["evidence"])
    return [(*place, flag["name"], title)] if place else []

"""Plots as small SVG pictures that sit in the page: no files, no scripts, colours from the page's own style sheet."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from lastmile.compare.systems import LEAD, TARGET
from lastmile.config import FLAG_NAMES
from lastmile.judge.learned import LEARNED
from lastmile.judge.metrics import FAULTS, METRICS, shown

# Matplotlib wants colours, the page wants variables that change with light and dark: each of these stands for one and
# is replaced in the finished SVG.
INK, FAINT, GRID, ACCENT = "#010101", "#020202", "#030303", "#030405"
SYSTEM = "#0400{:02x}"
VARIABLES = {INK: "var(--ink)", FAINT: "var(--faint)", GRID: "var(--rule)", ACCENT: "var(--accent)"}

INTERVALS = ("rougeL", "wrong_facts", "flag_rate", "absent_words", "repeated_trigrams", "copied_trigrams",
             "length_ratio")  # fmt: skip
FAR_OFF = (LEAD, TARGET)
CURVES = {
    "likelihood": ("loss", "rougeL", "flag_rate"),
    "policy_gradient": ("return", "kl", "words", "rougeL", "flag_rate", "length_ratio"),
}
SPLITS = {"train": "line: in training", "validation": "dots: on validation documents"}

LABELS = {"kl": "KL to the likelihood model (nats)"}
LONGEST_NAME = 28


class Plot(NamedTuple):
    """A picture with the words that go with it.

    Attributes:
        title: Short head.
        note: One line below the head.
        svg: Safe to put into the page as it stands.
    """

    title: str
    note: str
    svg: str


def interval_plots(systems: Sequence[Mapping[str, Any]]) -> list[Plot]:
    """One picture a metric: each system's value and 95 % interval, hollow where post-processed."""
    return [
        Plot(METRICS[metric].label, METRICS[metric].meaning, _draw(_intervals, systems, metric, height=_rows(systems)))
        for metric in INTERVALS
        if any(metric in system["metrics"] for system in systems)
    ]


def flag_plots(systems: Sequence[Mapping[str, Any]]) -> list[Plot]:
    """One picture a flag that any system has, the faults first."""
    names = [*FAULTS, *(name for name in (*FLAG_NAMES, LEARNED) if name not in FAULTS)]
    found = [f"flag/{name}" for name in names if any(_value(s, f"flag/{name}") for s in systems)]
    return [
        Plot(METRICS[metric].label, METRICS[metric].meaning, _draw(_bars, systems, metric, height=_rows(systems)))
        for metric in found
    ]


def reward_plots(systems: Sequence[Mapping[str, Any]], unseen: Sequence[str]) -> list[Plot]:
    """One picture a measure that the reward does not contain: the trained reward across, the measure up.

    Lead and targets are left out: they lie far off, and nobody trained them.
    """
    rewarded = [
        (i, system)
        for i, system in enumerate(systems)
        if "reward" in system["metrics"] and system["family"] not in FAR_OFF
    ]
    return [
        Plot(METRICS[metric].label, METRICS[metric].meaning, _draw(_scatter, rewarded, metric, height=2.3))
        for metric in unseen
        if any(metric in system["metrics"] for _, system in rewarded)
    ]


def curve_plots(rows: Sequence[Mapping[str, Any]], stage: str, unseen: Sequence[str] = ()) -> list[Plot]:
    """One picture a logged number of a stage: train as a line, validation with dots."""
    mine = [row for row in rows if row.get("stage") == stage]
    rewards = sorted({key for row in mine for key in row if key.startswith("reward/")})
    wanted = dict.fromkeys([*CURVES.get(stage, ()), *rewards, *unseen])
    plots = []
    for name in wanted:
        series = {split: _series(mine, name, split) for split in SPLITS}
        series = {split: points for split, points in series.items() if len(points) > 1}
        if series:
            label = METRICS[name].label if name in METRICS else LABELS.get(name, name.replace("/", ": "))
            note = "; ".join(SPLITS[split] for split in series)
            plots.append(Plot(label, note, _draw(_curve, series, name, height=1.9)))
    return plots


def _series(rows: Sequence[Mapping[str, Any]], name: str, split: str) -> list[tuple[int, float]]:
    points = ((row["step"], row.get(name)) for row in rows if row.get("split") == split)
    return [(step, _scale(name) * value) for step, value in points if value is not None and math.isfinite(value)]


def _intervals(axes: Any, systems: Sequence[Mapping[str, Any]], metric: str) -> None:
    """The axis fits the learned systems, which lie close together; a baseline far off stands at the edge in words."""
    left, right = _range([system for system in systems if system["family"] not in FAR_OFF] or systems, metric)
    for i, system in enumerate(systems):
        found = system["metrics"].get(metric)
        if not found:
            continue
        value, low, high = (_scale(metric) * found[key] for key in ("value", "low", "high"))
        colour = SYSTEM.format(i)
        if left <= value <= right:
            axes.plot([low, high], [i, i], color=colour, linewidth=2.2, solid_capstyle="round")
            axes.plot([value], [i], "o", color=colour, markersize=6.5, **_face(system))
        elif value < left:
            axes.text(left, i, f" ← {shown(metric, found['value'])}", color=FAINT, va="center", ha="left")
        else:
            axes.text(right, i, f"{shown(metric, found['value'])} → ", color=FAINT, va="center", ha="right")
    axes.set_xlim(left, right)
    _name_rows(axes, systems)


def _range(systems: Sequence[Mapping[str, Any]], metric: str) -> tuple[float, float]:
    found = [system["metrics"][metric] for system in systems if metric in system["metrics"]]
    low, high = (_scale(metric) * pick(row[key] for row in found) for pick, key in ((min, "low"), (max, "high")))
    margin = 0.12 * (high - low) or 0.5
    return low - margin, high + margin


def _bars(axes: Any, systems: Sequence[Mapping[str, Any]], metric: str) -> None:
    for i, system in enumerate(systems):
        found = system["metrics"].get(metric)
        if found:
            value, low, high = (100 * found[key] for key in ("value", "low", "high"))
            alpha = 0.35 if system["post_processed"] else 0.8
            axes.barh([i], [value], height=0.62, color=SYSTEM.format(i), alpha=alpha, linewidth=0)
            axes.plot([low, high], [i, i], color=INK, linewidth=1)
    _name_rows(axes, systems)
    axes.set_xlim(left=0)


def _scatter(axes: Any, rewarded: Sequence[tuple[int, Mapping[str, Any]]], metric: str) -> None:
    for i, system in rewarded:
        if metric in system["metrics"]:
            across, up = system["metrics"]["reward"], system["metrics"][metric]
            x, y, colour = across["value"], _scale(metric) * up["value"], SYSTEM.format(i)
            axes.plot([across["low"], across["high"]], [y, y], color=colour, linewidth=1.2)
            axes.plot([x, x], [_scale(metric) * up["low"], _scale(metric) * up["high"]], color=colour, linewidth=1.2)
            axes.plot([x], [y], "o", color=colour, markersize=7, **_face(system))
    axes.set_xlabel("trained reward")
    axes.set_ylabel(METRICS[metric].label + _unit(metric))
    axes.grid(True, color=GRID, linewidth=0.7)
    axes.margins(0.1)


def _curve(axes: Any, series: Mapping[str, Sequence[tuple[int, float]]], name: str) -> None:
    for split, points in series.items():
        steps, values = zip(*points, strict=True)
        if split == "train":
            axes.plot(steps, values, color=FAINT, linewidth=1.1)
        else:
            axes.plot(steps, values, "o-", color=ACCENT, linewidth=1.6, markersize=4)
    axes.set_xlabel("step")
    axes.set_ylabel(_unit(name).strip(" ()"))
    axes.grid(True, axis="y", color=GRID, linewidth=0.7)


def _name_rows(axes: Any, systems: Sequence[Mapping[str, Any]]) -> None:
    axes.set_yticks(range(len(systems)), [_short(system["name"]) for system in systems])
    axes.set_ylim(len(systems) - 0.5, -0.5)
    axes.grid(True, axis="x", color=GRID, linewidth=0.7)


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"


def _face(system: Mapping[str, Any]) -> dict[str, Any]:
    return {"markerfacecolor": "none", "markeredgewidth": 1.8} if system["post_processed"] else {}


def _draw(draw: Any, data: Any, name: str, *, height: float) -> str:
    """Draw on fresh axes of 4.2 inches by `height` and return the SVG element alone."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    style = {"svg.fonttype": "none", "svg.hashsalt": f"{draw.__name__}-{name}", "font.size": 9, "text.color": INK,
             "axes.labelcolor": FAINT, "xtick.color": FAINT, "ytick.color": INK, "text.parse_math": False}  # fmt: skip
    with rc_context(style):
        figure = Figure(figsize=(4.2, height), layout="constrained")
        axes = figure.add_subplot()
        for side in axes.spines.values():
            side.set_visible(False)
        axes.tick_params(length=0)
        axes.set_axisbelow(True)
        draw(axes, data, name)
        file = io.StringIO()
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = file.getvalue()
    svg = re.sub(r"<(metadata|style).*?</\1>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)  # the same in every picture, and a page wants each id once
    svg = re.sub(r'<svg (.*?)width="[\d.]+pt"(.*?)height="[\d.]+pt"', r'<svg role="img" \1\2', svg, count=1)
    for colour, variable in VARIABLES.items():
        svg = svg.replace(colour, variable)
    return re.sub(r"#0400([0-9a-f]{2})", lambda found: f"var(--s{int(found[1], 16)})", svg)


def _rows(systems: Sequence[Any]) -> float:
    return 0.55 + 0.27 * len(systems)


def _value(system: Mapping[str, Any], metric: str) -> float:
    return system["metrics"].get(metric, {}).get("value", 0.0)


def _scale(name: str) -> float:
    return 100 if name in METRICS and METRICS[name].unit == "share" else 1


def _unit(name: str) -> str:
    return " (%)" if _scale(name) == 100 else ""

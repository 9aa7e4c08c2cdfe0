"""The report as tables: for the terminal (at most 100 columns), and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from lastmile.compare.verdict import HEADLINE
from lastmile.judge.metrics import METRICS, p_text, shown, shown_difference, verdict_of

if TYPE_CHECKING:
    from rich.console import Console

# Columns of the short table with their heads; a column that no system has is left out.
SHORT = {
    "rouge1": "R-1",
    "rouge2": "R-2",
    "rougeL": "R-L",
    "rougeLsum": "R-Lsum",
    "wrong_facts": "wrong\nfacts",
    "flag_rate": "flag\nrate",
    "absent_words": "absent\nwords",
    "repeated_trigrams": "re-\npeated",
    "copied_trigrams": "copied\n3-grams",
    "words": "words",
}
WIDTH = 100


def print_table(report: Mapping[str, Any], console: Console | None = None) -> None:
    """Print verdict, systems and headline differences on stdout; never wider than 100 columns."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    console = console or Console()
    width = min(console.width, WIDTH)
    console.print(report["verdict"], width=width, markup=False, highlight=False)
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=0)
    table.add_column(f"{report['documents']} documents", overflow="fold", ratio=1)
    columns = short_columns(report["systems"])
    for metric in columns:
        table.add_column(SHORT[metric], justify="right", no_wrap=True)
    for system in report["systems"]:
        table.add_row(_plain(system["name"]), *(_cell(system, metric) for metric in columns))
    console.print(table, width=width)
    for (a, b), rows in _by_pair(report["differences"]):
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False, title_justify="left")
        table.title = _plain(f"{a} − {b}")
        for row in rows:
            if row["metric"] in HEADLINE:
                label, delta, spread, p, words = difference_cells(row)
                colour = {"better": "green", "worse": "red"}.get(words, "dim")
                runs = f"runs {runs_in_words(row)}" if row.get("by_run") else ""
                table.add_row("", label, delta, spread, f"p {p}", f"[{colour}]{words}", runs)
        console.print(table, width=width)
        console.print()


def table_console() -> Console:
    """As wide as the terminal, up to 100 columns; always 100 into a pipe or a file."""
    from rich.console import Console

    console = Console()
    return Console(width=min(console.width, WIDTH) if console.is_terminal else WIDTH)


def print_metrics(found: Mapping[str, Any], console: Console | None = None) -> None:
    """Print what `evaluate_files` found: every metric with its interval, then the signature."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    console = console or Console()
    width = min(console.width, WIDTH)
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for head, justify in ((f"{found['documents']} documents", "left"), ("value", "right"), ("95 % interval", "left")):
        table.add_column(head, justify=justify)
    for metric in found["metrics"]:
        value, spread = interval_cell(found, metric).removesuffix(")").split(" (")
        table.add_row(METRICS[metric].label, value, spread)
    console.print(table, width=width)
    for name, text in flat(found["signature"]):
        console.print(f"{name}: {text}", width=width, markup=False, highlight=False, style="dim")


def markdown(report: Mapping[str, Any]) -> str:
    """The whole report as Markdown: verdict, every metric with its interval, every tested difference, signature."""
    systems = report["systems"]
    parts = [f"# {_escape(report['title'])}", _escape(report["verdict"])]
    parts.append(f"## Systems on {report['documents']} documents")
    head = ["", *(_escape(system["name"]) for system in systems)]
    rows = [
        [f"{METRICS[metric].label}{ARROWS[METRICS[metric].better]}", *(interval_cell(s, metric) for s in systems)]
        for metric in METRICS
        if any(metric in system["metrics"] for system in systems)
    ]
    parts.append(_markdown_table(head, rows))
    parts.append("Value, then its 95 % interval. ↑ higher is better, ↓ lower is better; – does not apply.")
    if report["differences"]:
        parts.append("## Differences")
        rows = [[_escape(row["a"]), _escape(row["b"]), *difference_cells(row)] for row in report["differences"]]
        parts.append(_markdown_table(["a", "b", "metric", "a − b", "95 % interval", "p (Holm)", "a is"], rows))
    if report["runs"]:
        parts.append("## Runs")
        columns = short_columns(systems)
        rows = [[_escape(run["name"]), str(run["seed"]), *(_cell(run, m) for m in columns)] for run in report["runs"]]
        parts.append(_markdown_table(["system", "seed", *(METRICS[metric].label for metric in columns)], rows))
    if report["post_processing"]:
        parts.append("## Outputs that post-processing changed")
        rules = list(dict.fromkeys(rule for counts in report["post_processing"].values() for rule in counts))
        rows = [[_escape(n), *(count_text(c.get(r, 0)) for r in rules)] for n, c in report["post_processing"].items()]
        parts.append(_markdown_table(["system", *(_escape(rule) for rule in rules)], rows))
    for title, facts in (("Resources", report.get("resources", {})), ("Signature", report["signature"])):
        if facts:
            parts.append(f"## {title}")
            parts.append("\n".join(f"- {_escape(name)}: {_escape(text)}" for name, text in flat(facts)))
    return "\n\n".join(parts) + "\n"


ARROWS = {"higher": " ↑", "lower": " ↓", "neither": ""}


def short_columns(systems: Sequence[Mapping[str, Any]]) -> list[str]:
    """The columns of the short table that some system has a value for."""
    return [metric for metric in SHORT if any(metric in system["metrics"] for system in systems)]


def interval_cell(system: Mapping[str, Any], metric: str) -> str:
    """`33.82 (32.90–34.71)`, or a dash where the metric does not apply."""
    found = system["metrics"].get(metric)
    if found is None:
        return "–"
    value, low, high = (shown(metric, found[key]) for key in ("value", "low", "high"))
    return f"{value} ({low.removesuffix(' %')}–{high.removesuffix(' %')})"


def difference_cells(row: Mapping[str, Any]) -> tuple[str, str, str, str, str]:
    """Metric, difference, interval, corrected p, and the outcome in words."""
    metric = row["metric"]
    delta, spread = shown_difference(metric, row["delta"], row["low"], row["high"])
    return METRICS[metric].label, delta, spread, p_text(row["p_holm"]), outcome_in_words(row)


def runs_in_words(row: Mapping[str, Any]) -> str:
    """The lowest and the highest difference of a run, where there are several; else nothing."""
    if not row.get("by_run"):
        return ""
    return shown_difference(row["metric"], row["delta"], min(row["by_run"]), max(row["by_run"]))[1]


def count_text(count: float) -> str:
    """A count, or a mean of counts.

    >>> count_text(12.0), count_text(42.333)
    ('12', '42.3')
    """
    return f"{count:.0f}" if count == int(count) else f"{count:.1f}"


def outcome_in_words(row: Mapping[str, Any]) -> str:
    """`better`, `worse`, `more`, `less`; else whether it was the correction that took the difference away."""
    outcome = verdict_of(row["metric"], row["delta"], row["p_holm"])
    if outcome != "same":
        return outcome
    return "not after correction" if row["p"] < 0.05 else "no detectable difference"


def flat(facts: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested settings as lines of `name.part` and text.

    >>> list(flat({"decoding": {"num_beams": 1}, "rules": ["a", "b"]}))
    [('decoding.num_beams', '1'), ('rules', 'a, b')]
    """
    for name, value in facts.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
        elif isinstance(value, list | tuple):
            yield f"{prefix}{name}", ", ".join(map(str, value))
        else:
            yield f"{prefix}{name}", str(value)


def _by_pair(differences: Sequence[Mapping[str, Any]]) -> Iterator[tuple[tuple[str, str], list[Mapping[str, Any]]]]:
    for pair, rows in groupby(differences, key=lambda row: (row["a"], row["b"])):
        yield pair, list(rows)


def _cell(system: Mapping[str, Any], metric: str) -> str:
    """The value alone, without its unit: the head says it. Runs carry plain values, systems carry intervals."""
    found = system["metrics"].get(metric)
    value = found["value"] if isinstance(found, Mapping) else found
    return "–" if value is None else shown(metric, value).removesuffix(" %")


def _plain(text: str) -> Any:
    from rich.text import Text

    return Text(text)


def _markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _escape(text: str) -> str:
    """Names and values are other people's text: neither a table nor HTML may open in them."""
    for sign in "\\`*_|<>[]":
        text = text.replace(sign, "\\" + sign)
    return text.replace("\n", " ")

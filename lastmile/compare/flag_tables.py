"""What `flag --check` found, as tables of at most 100 columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lastmile.compare.tables import WIDTH, table_console
from lastmile.judge.metrics import p_text

if TYPE_CHECKING:
    from rich.console import Console

HEADS = {
    "consistency": "consis-\ntency",
    "any_fault": "any\nfault",
    "learned": "learned",
    "semantic": "seman-\ntic",
    "nli": "NLI",
    "repetition": "repe-\ntition",
    "unsupported_entity": "unsup.\nentity",
    "unsupported_number": "unsup.\nnumber",
    "unsupported_word": "unsup.\nword",
    "unrelated": "unre-\nlated",
    "contradiction": "contra-\ndiction",
    "wrong_speaker": "wrong\nspeaker",
    "garbled": "garbled",
    "boilerplate": "boiler-\nplate",
    "copy": "copy",
    "unfinished": "unfin-\nished",
    "empty": "empty",
    "length": "length",
}
NOTE = (
    "AUC: the chance that a summary which people found faulty scores above one which they did not; 0.5 is chance. "
    "Copying alone often does well: trust a detector by what it adds to coverage, density and novel bigrams. "
    "Brackets are 95 % intervals over documents."
)
PRECISION = (
    "At `precision 0.9` nine in ten alarms should be right where half of the summaries, or words, are faulty, and "
    "fewer where faults are rarer."
)
POOLED = "Data sets differ in how often they are faulty, which flatters every detector over all of them: read each."


def print_check(report: Mapping[str, Any], console: Console | None = None) -> None:
    """Print every data set in full, then the AUC of our detectors for every group."""
    console = console or table_console()
    width = min(console.width, WIDTH)
    groups = report["groups"]
    datasets = [group for group in groups if group["dataset"] and not group["model"]]
    for group in datasets or groups[:1]:
        console.print(_headline(group), width=width, markup=False, highlight=False)
        for table in (_kinds(group), _detectors(group), _alarms(group), _differences(group, width == WIDTH)):
            if table is not None:
                console.print(table, width=width)
    models = report["signature"]["models"]
    spoke = [name for name, row in groups[0]["detectors"].items() if row.get("raised") or name in models]
    size = (width - 26) // 8  # what names and counts leave
    for start in range(0, len(spoke) if len(groups) > 1 else 0, size):
        console.print(_matrix(groups, spoke[start : start + size]), width=width)
    fitted = f"Consistency was fitted on {report['signature']['consistency_fitted_on']}: there it looks too good."
    for text in (NOTE, PRECISION, POOLED if datasets else "", fitted):
        if text:
            console.print(text, width=width, markup=False, highlight=False, style="dim")


DETECTOR_NOTE = (
    "Words that a rule changed in people's targets of the test split, or that a generator got wrong behind their "
    "beginnings: no person judged them, and real faults differ. "
    "AUC and the rest are of words, within the targets of each kind; all: together with targets left as they were."
)


def print_detector(found: Mapping[str, Any], console: Console | None = None) -> None:
    """Print how well a new detector finds each kind of change."""
    console = console or table_console()
    table = _table("changed", "targets", "AUC", "precision", "recall", "F1")
    for kind, row in found["held_out"]["kinds"].items():
        shares = ("–" if row[name] is None else f"{100 * row[name]:.1f} %" for name in ("precision", "recall", "f1"))
        table.add_row(kind, f"{row['summaries']:,}", "–" if row["auc"] is None else f"{row['auc']:.3f}", *shares)
    console.print(table)
    left, reached = found["held_out"]["none"], found["precision"]
    for text in (
        f"Of {left['summaries']:,} targets left as they were, {100 * (left['marked'] or 0):.1f} % have a marked word.",
        f"Threshold {found['threshold']:.3f}: precision {100 * reached['reached_on_validation']:.1f} % on validation, "
        f"where half the targets are changed (wanted: {100 * reached['wanted']:.0f} %).",
        DETECTOR_NOTE,
    ):
        console.print(text, width=min(console.width, WIDTH), markup=False, highlight=False)


def _headline(group: Mapping[str, Any]) -> str:
    undefined = f". Undefined: {group['undefined']}" if group["undefined"] else ""
    return (
        f"{_name(group)}: {group['rows']:,} {'summary' if group['rows'] == 1 else 'summaries'} of "
        f"{group['documents']:,} {'document' if group['documents'] == 1 else 'documents'}, "
        f"{group['consistent']:,} consistent, {group['inconsistent']:,} not{undefined}"
    )


def _name(group: Mapping[str, Any]) -> str:
    return " ".join(part for part in (group["dataset"], group["model"]) if part) or "all"


def _kinds(group: Mapping[str, Any]) -> Any:
    table = _table("label", "coverage", "density", "novel bigrams")
    for label, row in group["extractiveness"].items():
        if row["coverage"] is not None:
            share, novel = (_share(row[name]) for name in ("coverage", "novel_2grams"))
            table.add_row("consistent" if label == "consistent" else "not", share, _number(row["density"], 1), novel)
    return table


def _detectors(group: Mapping[str, Any]) -> Any:
    spans = [name for name, row in group["detectors"].items() if row.get("spans", {}).get("f1")]
    parts = ("precision", "recall", "F1 of words") if spans else ()
    table = _table("detector", "AUC", "balanced acc.", "raised", *parts)
    for name, row in group["detectors"].items():
        if "raised" not in row:
            continue
        cells = [_number(row["auc"], 3), _share(row["balanced_accuracy"]), f"{row['raised']:,}"]
        if parts:
            cells += [_short(row["spans"][part]) for part in ("precision", "recall")] + [_share(row["spans"]["f1"])]
        table.add_row(name.replace("_", " "), *cells)
    return table


def _alarms(group: Mapping[str, Any]) -> Any:
    """What the combination calls faulty at the threshold that ships, and at those for a precision."""
    words = [name for name, row in group["alarms"].items() if row.get("words", {}).get("recall")]
    parts = ("precision\nof words", "recall\nof words") if words else ()
    table = _table("alarms of", "raised", "precision", "recall", *parts)
    for name, row in group["alarms"].items():
        cells = [f"{row['raised']:,}", _share(row["precision"]), _share(row["recall"])]
        if parts:
            cells += [_short(row["words"][part]) for part in ("precision", "recall")]
        table.add_row(name, *cells)
    return table


def _differences(group: Mapping[str, Any], wide: bool) -> Any:
    if not group["differences"]:
        return None
    heads = ("beside", "its AUC", "consistency", "difference", "95 % interval", "p", "p (Holm)")
    left_out = () if wide else ("consistency", "p")
    table = _table(*(head for head in heads if head not in left_out))
    for row in group["differences"]:
        spread = f"{_signed(row['low'])} to {_signed(row['high'])}"
        name = row["b"].replace("_2grams", " bigrams") if row["b_is"] == "overlap" else row["b"]
        part = f" ({row['rows']:,} rows)" if row["rows"] < group["rows"] else ""
        cells = (_number(row["value_b"], 3), f"{row['value_a']['value']:.3f}", _signed(row["delta"]), spread)
        cells = (*cells, p_text(row["p"]), p_text(row["p_holm"]))
        kept = (cell for head, cell in zip(heads[1:], cells, strict=True) if head not in left_out)
        table.add_row(_plain(name + part), *kept)
    return table


def _matrix(groups: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Any:
    """The AUC of each of these detectors, a column each, for every group."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), title_justify="left")
    table.title = "AUC of each group; below its name, novel bigrams of the consistent and of the faulty summaries"
    table.add_column("", overflow="fold", ratio=1)
    table.add_column("rows,\nfaulty", justify="right", no_wrap=True)
    for name in names:
        table.add_column(HEADS.get(name, name), justify="right", no_wrap=True)
    for group in groups:
        cells = [_stacked(group["detectors"][name]["auc"]) for name in names]
        share = group["inconsistent"] / group["rows"]
        table.add_row(_named(group), f"{group['rows']:,}\n[dim]{share:.0%}", *cells)
    return table


def _named(group: Mapping[str, Any]) -> Any:
    """The name above how much the two kinds of summaries copy."""
    novel = (row["novel_2grams"] for row in group["extractiveness"].values())
    shares = "/".join("–" if share is None else f"{100 * share['value']:.0f}" for share in novel)
    return _plain(_name(group)).append(f"\n{shares} %", "dim")


def _table(*heads: str) -> Any:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for place, head in enumerate(heads):
        table.add_column(head, justify="right" if place else "left", overflow="fold", no_wrap=bool(place))
    return table


def _number(found: Mapping[str, float] | None, digits: int) -> str:
    if found is None:
        return "–"
    return f"{found['value']:.{digits}f} [dim]({found['low']:.{digits}f}–{found['high']:.{digits}f})[/]"


def _share(found: Mapping[str, float] | None) -> str:
    if found is None:
        return "–"
    return f"{100 * found['value']:.1f} % [dim]({100 * found['low']:.0f}–{100 * found['high']:.0f})[/]"


def _short(found: Mapping[str, float] | None) -> str:
    return "–" if found is None else f"{100 * found['value']:.0f} %"


def _stacked(found: Mapping[str, float] | None) -> str:
    """The value above its interval."""
    if found is None:
        return "–"
    low, high = (f"{found[end]:.2f}".removeprefix("0") for end in ("low", "high"))
    return f"{found['value']:.2f}\n[dim]{low}–{high}"


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−")


def _plain(text: str) -> Any:
    from rich.text import Text

    return Text(text)

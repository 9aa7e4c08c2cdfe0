"""What `flag audit` found, as tables of at most 100 columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lastmile.compare.tables import WIDTH, table_console
from lastmile.judge.metrics import METRICS, p_text, shown, shown_difference

if TYPE_CHECKING:
    from rich.console import Console

LABELS = {
    "total": "return before KL",
    "names": "names a summary",
    "numbers": "numbers a summary",
    "doubt": "witness: doubt",
    "detector": "witness: detector",
    "semantic_doubt": "semantic doubt",
    "nli_doubt": "NLI doubt",
    "wrong_facts": "witness: wrong facts",
}
DOUBTS = ("doubt", "semantic_doubt", "nli_doubt")
NOTES = (
    "`liked` is the third of the documents whose return rose most. A flag is `evaded` if it became rarer and its "
    "witness did not. `shorter`, `copied more` and `vaguer` (fewer names and numbers) are told on the documents that "
    "lost it, outside of what was flagged; they are questions to ask of the summaries, no proofs."
)


def print_audit(found: Mapping[str, Any], console: Console | None = None) -> None:
    """Print every pair's measures and flags, then the most suspicious summaries of the larger pair."""
    console = console or table_console()
    width = min(console.width, WIDTH)
    wide = width == WIDTH

    def say(text: str, style: str = "") -> None:
        console.print(text, width=width, markup=False, highlight=False, style=style)

    witness = found["witness"]
    say(f"Witness: {witness['name'] or 'none'} ({witness['is']})" if witness["name"] else f"Witness: {witness['is']}")
    for pair in found["pairs"]:
        console.print()
        say(f"{pair['name']}: {pair['documents']:,} documents", "bold")
        console.print(_measures(pair, wide), width=width)
        console.print(_flags(pair, wide), width=width)
    largest = max(found["pairs"], key=lambda pair: pair["documents"])
    if largest["suspicious"]:
        say(f"Most suspicious of {largest['name']}: the return rose and the witness complains more", "bold")
    for number, row in enumerate(largest["suspicious"], 1):
        say(f"\n{number:>2}. {row['id']}: {_moves(row)}")
        say(f"    early: {_line(row['early'])}", "dim")
        say(f"    late:  {_line(row['late'])}")
    console.print()
    say(NOTES, "dim")


def _measures(pair: Mapping[str, Any], wide: bool) -> Any:
    heads = ["", "early", "late", "late − early", "95 % interval"]
    table = _table(*heads, *(["p", "p (Holm)", "of those liked"] if wide else ["p (Holm)"]))
    for row in pair["measures"]:
        if row["delta"] is None:
            continue
        name = row["name"]
        delta, spread = _difference(name, row["delta"], row["low"], row["high"])
        liked = "–" if row["liked"]["delta"] is None else _difference(name, *([row["liked"]["delta"]] * 3))[0]
        cells = (_value(name, row["early"]), _value(name, row["late"]), delta, spread)
        p, p_holm = p_text(row["p"]), p_text(row["p_holm"])
        table.add_row(_label(name), *cells, *([p, p_holm, liked] if wide else [p_holm]))
    return table


def _flags(pair: Mapping[str, Any], wide: bool) -> Any:
    heads = ["flag priced", "early", "late", "95 % interval", "gone/new"]
    table = _table(*heads, *(["its witness", "how"] if wide else ["how"]))
    for row in pair["flags"]:
        if not (row["early"] or row["late"]):
            continue
        name = f"flag/{row['flag']}"
        told = row["witness_moved"]
        moved = "–"
        if told is not None and told["delta"] is not None:
            delta, spread = _difference(row["witness"], told["delta"], told["low"], told["high"])
            moved = f"{delta.removesuffix(' pp')} ({spread})"
        spread = _difference(name, row["delta"], row["low"], row["high"])[1]
        cells = (_value(name, row["early"]), _value(name, row["late"]), spread, f"{row['gone']:,}/{row['come']:,}")
        how = ", ".join(row["how"])
        table.add_row(row["flag"].replace("_", " "), *cells, *([moved, how] if wide else [how]))
    return table


def _moves(row: Mapping[str, Any]) -> str:
    early, late = row["total"]
    parts = [f"return {early:+.2f} to {late:+.2f}"]
    if row["witness"] is not None:
        parts.append("witness {:.2f} to {:.2f}".format(*row["witness"]))
    if row["flags_gone"]:
        parts.append(f"lost {', '.join(row['flags_gone'])}".replace("_", " "))
    return ", ".join([*parts, *row["signs"]]).replace("-", "−")


def _table(*heads: str) -> Any:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for place, head in enumerate(heads):
        left = place == 0 or head == "how"
        table.add_column(head, justify="left" if left else "right", overflow="fold", no_wrap=not left)
    return table


def _label(name: str) -> str:
    if name in LABELS:
        return LABELS[name]
    if name.startswith("reward/"):
        return f"reward: {name.removeprefix('reward/')}"
    return METRICS[name].label


def _value(name: str, value: float) -> str:
    if name in DOUBTS:
        return f"{100 * value:.1f} %"
    return shown(name, value) if name in METRICS else f"{value:.2f}".replace("-", "−")


def _difference(name: str, delta: float, low: float, high: float) -> tuple[str, str]:
    if name in METRICS or name in DOUBTS:
        return shown_difference(name if name in METRICS else "flag_rate", delta, low, high)
    one, two, three = (f"{value:+.2f}".replace("-", "−") for value in (delta, low, high))
    return one, f"{two} to {three}"


def _line(text: str) -> str:
    return " ".join(text.split()) or "(empty)"

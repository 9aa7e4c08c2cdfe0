"""One page to read flags on: document and summary side by side, each flagged span linked to its evidence."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lastmile.compare.flag_file import check_names, flagged_rows, flagging_bar, written_aside
from lastmile.compare.labelled import read_label
from lastmile.compare.learned import ask
from lastmile.compare.marked import Piece, mark, passage, render, spoken
from lastmile.compare.pairs import PairFile, field_text
from lastmile.config import FLAG_NAMES
from lastmile.corpus.files import Row
from lastmile.judge.consistency import judge_consistency
from lastmile.judge.learned import LEARNED
from lastmile.judge.profile import profile_targets
from lastmile.records import Example, Flag, Summary

MAX_CASES = 200  # a page with more is no longer read, and browsers grow slow


class Linked(NamedTuple):
    """A piece of text with its place in the web of spans and evidence.

    Attributes:
        text: The text.
        classes: For the style sheet: the flags' names, and which span or evidence of the case it belongs to.
        title: Shown under the pointer.
        id: What links lead to, if any do.
        href: The id of the evidence that a span rests on, if the page has it.
    """

    text: str
    classes: str
    title: str
    id: str
    href: str


def explain_file(
    path: Path,
    out: Path,
    names: Sequence[str] = FLAG_NAMES,
    split: str | None = None,
    progress: bool = True,
    detector: Path | None = None,
) -> tuple[int, int]:
    """Write the page of a file's summaries: all of them, or the `MAX_CASES` whose flags cost most, in their order.

    Args:
        path: Rows as in `PairFile`; `label`, `model`, `dataset` and `id` are shown where rows have them.
        out: The page, which needs no other file and runs no script.
        names: The flags to look for.
        split: Take only rows with this `split`.
        progress: Show a bar on stderr.
        detector: A folder of `lastmile flag train`, whose flag is `learned`.

    Returns:
        How many summaries the page shows, and how many the file has.

    Raises:
        InputError: If a flag is unknown, or rows cannot be used, naming each line.
        RunError: If `out` cannot be written.
    """
    check_names(names)
    pairs = PairFile(path, split)
    rows, cased = pairs.check()
    profile = profile_targets((example for _, example, _ in pairs), cased)
    asked = ask(detector, profile)
    names = [*names, *([LEARNED] if asked else [])]
    flagged = 0
    dearest: list[tuple[float, int, tuple[Row, Example, Summary, tuple[Flag, ...]]]] = []
    with flagging_bar(progress) as bar:
        task = bar.add_task("flagging", total=rows)
        for number, case in enumerate(flagged_rows(pairs, profile, names, asked)):
            found = case[3]
            flagged += bool(found)
            entry = (sum(flag.cost for flag in found), -number, case)
            (heapq.heappush if len(dearest) < MAX_CASES else heapq.heappushpop)(dearest, entry)
            bar.advance(task)
    shown = sorted(dearest, key=lambda entry: -entry[1])
    cases = [_case(number, *entry[2], cased) for number, entry in enumerate(shown)]
    counts = Counter(name for case in cases for name in case["names"])
    page = render(
        "explain.html.jinja",
        title=path.name,
        cases=cases,
        rows=rows,
        flagged=flagged,
        flags=[(name, counts[name]) for name in names if counts[name]],
        never=[name for name in names if not counts[name]],
        most_spans=max(len(entry[2][3]) for entry in shown),
        cased=cased,
    )
    with written_aside(out) as file:
        file.write(page)
    return len(cases), rows


def _case(
    number: int, row: Row, example: Example, summary: Summary, found: Sequence[Flag], cased: bool
) -> dict[str, Any]:
    """A row as the page shows it. Evidence stands in the document, or, of a repetition, earlier in the summary."""
    document, text = example.document, summary.text
    spans, sources = [], []
    for k, flag in enumerate(found):
        title = spoken({"name": flag.name, "evidence": flag.evidence})
        spans.append((flag.start, flag.end, f"span {k}", title))
        if flag.name == "repetition":
            start = text.rfind(flag.evidence, 0, flag.start)
            spans += [(start, start + len(flag.evidence), f"evidence {k}", "")] if start >= 0 else []
        elif there := passage(document, flag.evidence):
            sources.append((*there, f"evidence {k}", f"for {flag.name.replace('_', ' ')}: {flag.text}"))
    left, right = mark(document, sources), mark(text, spans)
    places = _places(left, number, "d") | _places(right, number, "s")
    label = read_label(row.fields.get("label"))
    return {
        "where": row.where,
        "id": field_text(row.fields, "id"),
        "system": " ".join(filter(None, (field_text(row.fields, name) for name in ("dataset", "model")))),
        "label": {True: "consistent", False: "not consistent", None: ""}[label],
        "consistency": judge_consistency(document, text, cased=cased).probability,
        "cost": sum(flag.cost for flag in found),
        "names": list(dict.fromkeys(flag.name for flag in found)),
        "findings": _findings(found, places),
        "document": _link(left, found, places, number, "d"),
        "summary": _link(right, found, places, number, "s"),
    }


def _places(pieces: Sequence[Piece], number: int, side: str) -> dict[str, str]:
    """Mark to the id of the first piece that it lies on; several marks may begin on one piece."""
    places: dict[str, str] = {}
    for at, piece in enumerate(pieces):
        for name in piece.marks:
            places.setdefault(name, f"c{number}{side}{at}")
    return places


def _findings(found: Sequence[Flag], places: Mapping[str, str]) -> list[dict[str, Any]]:
    """The list below a summary: flags of one name that rest on the same evidence stand together."""
    groups: dict[tuple[str, str], list[int]] = {}
    for k, flag in enumerate(found):
        groups.setdefault((flag.name, flag.evidence), []).append(k)
    return [
        {
            "name": name,
            "texts": [(found[k].text, places.get(f"span {k}", "")) for k in members if found[k].text],
            "cost": sum(found[k].cost for k in members),
            "evidence": evidence,
            "how": {"repetition": "said before", "copy": "copied from", LEARNED: "by"}.get(name, "nearest passage"),
            "href": places.get(f"evidence {members[0]}", ""),
        }
        for (name, evidence), members in groups.items()
    ]


def _link(
    pieces: Sequence[Piece], found: Sequence[Flag], places: Mapping[str, str], number: int, side: str
) -> list[Linked]:
    """Give each piece its classes, the id that others link to, and the evidence that it links to itself."""
    linked = []
    for at, piece in enumerate(pieces):
        classes: list[str] = []
        href = ""
        for kind, k in (name.split() for name in piece.marks):
            classes += ["span", found[int(k)].name, f"s{k}"] if kind == "span" else ["evidence", f"e{k}"]
            href = href or (places.get(f"evidence {k}", "") if kind == "span" else "")
        id = f"c{number}{side}{at}"
        is_place = any(places[name] == id for name in piece.marks)
        title = piece.title.strip("; ")
        linked.append(Linked(piece.text, " ".join(dict.fromkeys(classes)), title, id if is_place else "", href))
    return linked

"""The pages of docs/flags say what the flags do: every example on them is run."""

import html
import re
from dataclasses import fields, replace
from pathlib import Path

import pytest

from lastmile.config import FLAG_NAMES
from lastmile.judge.flags import find_flags
from lastmile.judge.profile import TargetProfile
from lastmile.records import Summary

DOCS = Path(__file__).parent.parent / "docs"
PROFILE = {field.name for field in fields(TargetProfile)}
COLUMNS = {"document", "summary", "ended", "marked", "evidence", "cost", "why"}
WHOLE = "*the whole*"  # what a flag without a span marks


def tables(page):
    """The tables of a page, each a list of rows by column; where one holds no row the page is broken."""
    for block in re.findall(r"(?:^\|.*\n)+", page, flags=re.MULTILINE):
        head, _, *rows = [[plain(cell) for cell in line.strip()[1:-1].split("|")] for line in block.splitlines()]
        assert rows, f"a table without rows: {head}"
        yield [dict(zip(head, row, strict=True)) for row in rows]


def plain(cell):
    return html.unescape(re.sub(r"<br>\s*", "\n", cell.strip()))


def documents(page):
    """The quoted documents by their letter; a single one has none."""
    found = {}
    for quote in re.findall(r"(?:^> .*\n)+", page, flags=re.MULTILINE):
        text = plain(" ".join(line.removeprefix("> ") for line in quote.splitlines()))
        letter, text = re.fullmatch(r"(?:\*\*([A-Z])\*\* )?(.+)", text, flags=re.DOTALL).groups()
        found[letter] = text
    return found


def examples(name):
    """What a page claims: document, summary, and the marked spans with their evidence and cost where it gives them."""
    page = (DOCS / "flags" / f"{name}.md").read_text(encoding="utf-8")
    profile, quoted = TargetProfile.neutral(cased=True), documents(page)
    for table in tables(page):
        if set(table[0]) <= PROFILE:
            profile = replace(profile, **{key: float(value) for key, value in table[0].items()})
        elif "summary" in table[0]:
            assert set(table[0]) <= COLUMNS, f"{name}: a column that nothing reads: {set(table[0]) - COLUMNS}"
            for row in table:
                yield quoted[row.get("document")], row, profile


def shown(row, flags):
    """The flags as the columns of the row would have them."""
    found = {
        "marked": " · ".join(flag.text if flag.end > flag.start else WHOLE for flag in flags),
        "evidence": " · ".join(flag.evidence for flag in flags),
        "cost": f"{sum(flag.cost for flag in flags):.2f}",
    }
    return {column: found[column] for column in ("marked", *(column for column in found if column in row))}


@pytest.mark.parametrize("name", FLAG_NAMES)
def test_examples_do_what_the_page_says(name):
    hits = accepted = 0
    for document, row, profile in examples(name):
        flags = find_flags(document, Summary(row["summary"], row.get("ended") != "no"), profile, [name])
        assert shown(row, flags) == {"marked": ""} | {
            k: v for k, v in row.items() if k in ("marked", "evidence", "cost")
        }
        assert bool(flags) == bool(row.get("marked")), row
        hits, accepted = hits + bool(flags), accepted + (not flags)
    assert hits >= 2, "at least two examples of hits"
    assert accepted >= 1, "and one that is let pass"


@pytest.mark.parametrize("name", FLAG_NAMES)
def test_every_flag_has_its_page_and_the_overview_links_to_it(name):
    page = (DOCS / "flags" / f"{name}.md").read_text(encoding="utf-8")
    assert page.startswith(f"# `{name}`\n")
    assert {"## Hits", "## Accepted", "## Figures"} <= set(page.splitlines())
    assert f"[`{name}`](flags/{name}.md)" in (DOCS / "flags.md").read_text(encoding="utf-8")

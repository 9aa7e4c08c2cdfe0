"""Rows with a document and a summary of it: a file that is checked as a whole, then read as often as one likes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lastmile.corpus.files import Problem, Row, read_rows, refuse
from lastmile.errors import InputError, did_you_mean
from lastmile.records import Example, Summary

DOCUMENT_FIELDS = ("document", "source")
TARGET_FIELDS = ("target", "targets", "reference", "references")


@dataclass(frozen=True, slots=True)
class PairFile:
    """A file of documents with their summaries. Iterating reads it anew, in bounded memory, once it was checked.

    A row has a `document` (or `source`) and a `summary`; `ended: false` says that the summary was cut at a limit.
    `target`, `targets`, `reference` or `references` are what people wrote.

    Attributes:
        path: Any of the formats of `lastmile.corpus.files`.
        split: Take only the rows whose `split` is this; others are not even checked.
    """

    path: Path
    split: str | None = None

    def check(self, further: Callable[[Row], Iterable[Problem]] = lambda row: ()) -> tuple[int, bool]:
        """The number of rows, and whether any summary has a capital letter.

        Args:
            further: What else may be wrong with a row, whatever it holds.

        Raises:
            InputError: If there are no rows, or some cannot be used, naming each line.
        """
        count, cased = 0, False
        problems: list[Problem] = []
        splits: set[str] = set()
        for row in read_rows(self.path):
            if isinstance(row, Row) and not self._takes(row):
                splits.add(str(row.fields.get("split")))
                continue
            count += 1
            if isinstance(row, Problem):
                problems.append(row)
                continue
            problems += [*_faults(row), *further(row)]
            text = str(row.fields.get("summary", ""))
            cased = cased or text != text.lower()
        if not count and self.split is not None and splits:
            there = ", ".join(f"`{name}`" for name in sorted(splits))
            hint = did_you_mean(self.split, splits)
            raise InputError(f"{self.path.name}: no row has `split` `{self.split}`; there are {there}.{hint}")
        if not count:
            problems.append(Problem("empty", self.path.name, "at least one row is wanted, got none"))
        refuse(problems)
        return count, cased

    def __iter__(self) -> Iterator[tuple[Row, Example, Summary]]:
        """The rows of a checked file."""
        for row in read_rows(self.path):
            assert isinstance(row, Row)
            if not self._takes(row):
                continue
            fields = row.fields
            values = [fields[name] for name in TARGET_FIELDS if fields.get(name)]
            targets = [text for value in values for text in (value if isinstance(value, list) else [value])]
            usable = tuple(dict.fromkeys(text for text in targets if text_fault(text) is None and text.strip()))
            document = next(fields[name] for name in DOCUMENT_FIELDS if name in fields)
            summary = Summary(fields["summary"], fields.get("ended") is not False)
            yield row, Example(row.where, document, usable), summary

    def _takes(self, row: Row) -> bool:
        return self.split is None or str(row.fields.get("split")) == self.split


def text_fault(value: Any) -> str | None:
    """What keeps a value from being text that can be written, if anything."""
    if not isinstance(value, str):
        return f"must be text, got {type(value).__name__}"
    try:
        value.encode()
    except UnicodeEncodeError:
        return "holds half a character (a lone surrogate)"
    return None


def field_text(fields: Mapping[str, Any], name: str) -> str:
    """A field that nothing depends on, as text that can be written: empty where there is none, `?` for half characters.

    >>> field_text({"id": "a\\ud800"}, "id"), field_text({"id": None}, "id")
    ('a?', '')
    """
    value = fields.get(name)
    return "" if value is None else str(value).encode("utf-8", "replace").decode()


def _faults(row: Row) -> list[Problem]:
    problems = []
    document = next((name for name in DOCUMENT_FIELDS if name in row.fields), None)
    if document is None:
        problems.append(Problem("column", row.where, "a document is wanted: `document` or `source`"))
    elif not str(row.fields[document]).strip():
        problems.append(Problem("empty", row.where, f"`{document}` is empty"))
    if "summary" not in row.fields:
        problems.append(Problem("column", row.where, "a `summary` is wanted, got none"))
    for name in (document, "summary"):
        if name in row.fields and (fault := text_fault(row.fields[name])):
            problems.append(Problem("column", row.where, f"`{name}` {fault}"))
    return problems

"""Which columns of a row are the document and its targets, and one row made into an `Example`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lastmile.corpus.files import Problem, Row
from lastmile.errors import InputError, did_you_mean
from lastmile.records import Example

# The most telling names first: `source` and `text` mean other things in some data sets.
DOCUMENT_COLUMNS = ("document", "article", "dialogue", "email_body", "documents", "text", "source", "content")
SUMMARY_COLUMNS = ("summary", "target", "highlights", "abstract", "subject_line", "tldr", "headline")
MORE_TARGETS = ("references", "targets", "summaries", "summary1", "summary2", "summary3")


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns that a file or data set is read by.

    Attributes:
        document: Column of the document.
        targets: Columns of the targets, in order, each one text or a list of texts. Every row must have the first; the
            others may be absent or empty. No columns: targets are not read.
    """

    document: str
    targets: tuple[str, ...]


def recognise(
    found: Iterable[str], where: str, *, document: str | None, summary: str | None, need_targets: bool = True
) -> Columns:
    """Choose the columns: those that the user named, else those of the usual data sets.

    `summary` comes first where a data set also has lists of `references`, so it is the target that is trained on;
    a column that the user named is taken alone.

    Raises:
        InputError: Naming the columns found, with the nearest for a name that is not among them.
    """
    found = list(found)
    listing = ", ".join(f"`{column}`" for column in found) or "none"
    problems = []
    for named in (document, summary):
        if named is not None and named not in found:
            problems.append(f"{where}: no column `{named}`.{did_you_mean(named, found)} Columns found: {listing}")
    if document is None:
        document = next((column for column in DOCUMENT_COLUMNS if column in found and column != summary), None)
        if document is None:
            problems.append(
                f"{where}: no document column recognised. Name it with `--document-column`. Columns found: {listing}"
            )
    if summary is not None:
        targets: tuple[str, ...] = (summary,)
    elif need_targets:
        single = [column for column in SUMMARY_COLUMNS if column in found and column != document][:1]
        more = sorted(MORE_TARGETS, key=lambda column: column not in found)  # those found first, order kept
        targets = (*single, *more)
        if targets[0] not in found:
            problems.append(
                f"{where}: no summary column recognised. Name it with `--summary-column`. Columns found: {listing}"
            )
    else:
        targets = ()
    if problems:
        raise InputError.of(problems)
    return Columns(document or "", targets)


def to_example(
    row: Row, number: int, columns: Columns, clean: Callable[[str], str] | None = None
) -> Example | list[Problem]:
    """Make an `Example` of a row, or say everything that keeps it from being one.

    Args:
        row: As read.
        number: Position of the row in its split, from 0; its id where the row brings none.
        columns: Where document and targets stand.
        clean: Applied to the document first.
    """
    problems: list[Problem] = []
    document = _text(row, columns.document, problems)
    if clean is not None and document:
        document = clean(document)
        if not document.strip():
            problems.append(Problem("empty", row.where, f"`{columns.document}` is empty after clean-up"))
    targets: list[str] = []
    for column in columns.targets:
        value = row.fields.get(column)
        if not value and column != columns.targets[0]:
            continue
        if not isinstance(value, list):
            targets.append(_text(row, column, problems))
        elif not value:
            problems.append(Problem("empty", row.where, f"`{column}` is empty"))
        else:
            parts = {f"{column}[{place}]": text for place, text in enumerate(value)}
            targets += [_text(Row(row.where, parts), part, problems) for part in parts]
    if problems:
        return problems
    name = row.fields.get("id")
    usable = isinstance(name, str | int) and str(name).strip() and _encodable(str(name))
    example_id = str(name) if usable else f"{number:07d}"
    # Data sets that have both repeat the summary among the references; it counts once.
    if targets and targets[0] in targets[1:] and isinstance(row.fields[columns.targets[0]], str):
        del targets[targets.index(targets[0], 1)]
    return Example(example_id, document, tuple(targets))


def _text(row: Row, column: str, problems: list[Problem]) -> str:
    """The text in a column; what is not a text with something in it becomes a problem."""
    value = _joined(row.fields, column)
    if column not in row.fields:
        problems.append(Problem("column", row.where, f"no `{column}` in this row"))
    elif value is None:
        problems.append(Problem("empty", row.where, f"`{column}` is empty"))
    elif not isinstance(value, str):
        problems.append(Problem("column", row.where, f"`{column}` must be text, got {type(value).__name__}"))
    elif not value.strip():
        problems.append(Problem("empty", row.where, f"`{column}` is empty"))
    elif not _encodable(value):
        problems.append(Problem("encoding", row.where, f"`{column}` holds half a character (a lone surrogate)"))
    else:
        return value
    return ""


def _joined(fields: Mapping[str, Any], column: str) -> Any:
    """A document kept as a list of paragraphs or turns is those on lines of their own."""
    value = fields.get(column)
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return "\n".join(value)
    return value


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True

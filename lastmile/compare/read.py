"""Summaries, targets and documents of any system out of files: one a line, or rows with named fields."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lastmile.corpus.columns import DOCUMENT_COLUMNS, MORE_TARGETS, SUMMARY_COLUMNS
from lastmile.corpus.files import Problem, file_format, read_rows, refuse
from lastmile.errors import InputError
from lastmile.records import Summary

PREDICTION_FIELDS = ("prediction", "summary", "output", "generated", "text")


def read_predictions(path: Path) -> list[Summary]:
    """One summary a line, or the first of `PREDICTION_FIELDS` of each row; `ended: false` in a row is kept.

    An empty line is an empty summary: it keeps its place, and is measured as one.

    Raises:
        InputError: If the file cannot be read or rows have no such field, naming them all.
    """
    if file_format(path) is None:
        return [Summary(line) for line in _lines(path)]
    summaries, problems = [], []
    for where, fields in _rows(path, problems):
        text = _first(fields, PREDICTION_FIELDS)
        if not isinstance(text, str):
            problems.append(Problem("column", where, f"a prediction is wanted: one of {_listed(PREDICTION_FIELDS)}"))
        else:
            summaries.append(Summary(text, fields.get("ended") is not False))
    refuse(problems)
    return summaries


def read_targets(path: Path) -> list[tuple[str, ...]]:
    """One target a line, or all targets of each row, given as text or as lists of texts.

    Raises:
        InputError: If the file cannot be read, or a document has no target, naming every such line.
    """
    problems: list[Problem] = []
    targets = []
    if file_format(path) is None:
        rows = [(f"{path} line {number}", [line]) for number, line in enumerate(_lines(path), 1)]
    else:
        names = (*SUMMARY_COLUMNS, *MORE_TARGETS)
        rows = [(where, [fields[name] for name in names if name in fields]) for where, fields in _rows(path, problems)]
    for where, values in rows:
        flat = [text for value in values for text in (value if isinstance(value, list) else [value])]
        found = tuple(dict.fromkeys(text for text in flat if isinstance(text, str) and text.strip()))
        if not found:
            problems.append(Problem("empty", where, "a target is wanted, got none"))
        targets.append(found)
    refuse(problems)
    return targets


def read_documents(path: Path) -> list[str]:
    """One document a line, or the document of each row.

    Raises:
        InputError: If the file cannot be read, or a document is empty, naming every such line.
    """
    problems: list[Problem] = []
    if file_format(path) is None:
        rows = [(f"{path} line {number}", line) for number, line in enumerate(_lines(path), 1)]
    else:
        rows = [(where, _first(fields, DOCUMENT_COLUMNS)) for where, fields in _rows(path, problems)]
    problems += [
        Problem("empty", where, "a document is wanted, got none")
        for where, text in rows
        if not isinstance(text, str) or not text.strip()
    ]
    refuse(problems)
    return [text for _, text in rows]


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _lines(path: Path) -> list[str]:
    """Lines end at `\\n` alone: Unicode's other line breaks occur inside summaries."""
    try:
        data = path.read_bytes()
        if path.name.lower().endswith(".gz"):
            data = gzip.decompress(data)
        text = data.decode("utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        reason = "not readable as gzip" if isinstance(error, gzip.BadGzipFile) else error.strerror
        raise InputError(f"{path}: {reason}") from None
    except (EOFError, zlib.error):
        raise InputError(f"{path}: not readable as gzip: the file is cut off or damaged") from None
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path} line {line}: not UTF-8. Save the file as UTF-8") from None
    return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")] if text else []


def _rows(path: Path, problems: list[Problem]) -> list[tuple[str, Mapping[str, Any]]]:
    rows = []
    for row in read_rows(path):
        if isinstance(row, Problem):
            problems.append(row)
        else:
            rows.append((row.where, row.fields))
    return rows


def _first(fields: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((fields[name] for name in names if name in fields), None)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)

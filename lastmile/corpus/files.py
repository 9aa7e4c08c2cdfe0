"""Rows out of files: .jsonl, .json, .csv and .parquet, each also .gz; one at a time, each with its line number."""

from __future__ import annotations

import csv
import gzip
import io
import json
import sys
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from lastmile.errors import InputError

FORMATS = (".jsonl", ".json", ".csv", ".parquet")
MAX_LISTED = 20


@dataclass(frozen=True, slots=True)
class Row:
    """One row as a file holds it.

    Attributes:
        where: `train.jsonl line 17`, or `train.parquet row 17` for formats without lines.
        fields: Column name to value.
    """

    where: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something a person has to mend in a file.

    Attributes:
        kind: `syntax`, `encoding`, `column`, `empty`, `duplicate`, `shared` or `long`.
        where: Place in the file, as in `Row`.
        text: What is wrong, without the place.
    """

    kind: str
    where: str
    text: str

    def __str__(self) -> str:
        return f"{self.where}: {self.text}"


def file_format(path: Path) -> str | None:
    """Return which of `FORMATS` a file name has, `.gz` set aside; None for any other.

    >>> file_format(Path("a/train.jsonl.gz")), file_format(Path("notes.txt"))
    ('.jsonl', None)
    """
    name = path.name.lower().removesuffix(".gz")
    return next((ending for ending in FORMATS if name.endswith(ending)), None)


def read_rows(path: Path) -> Iterator[Row | Problem]:
    """Read a file row by row, in bounded memory for all formats but `.json`, which is one value and is read whole.

    Blank lines are passed over. A row that cannot be read comes as a `Problem` in its place and reading goes on.

    Raises:
        InputError: If the file is not there or its ending is none of `FORMATS`.
    """
    readers = {".jsonl": _json_lines, ".json": _json, ".csv": _csv, ".parquet": _parquet}
    ending = file_format(path)
    if ending is None:
        raise InputError(f"{path}: the file name must end in one of {', '.join(FORMATS)} (or the same with .gz)")
    try:
        with gzip.open(path, "rb") if path.name.lower().endswith(".gz") else path.open("rb") as handle:
            yield from readers[ending](path.name, handle)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        yield Problem("syntax", path.name, f"not readable as gzip: {error}")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (IsADirectoryError, PermissionError) as error:
        raise InputError(f"{path}: not readable: {error.strerror}") from None


def refuse(problems: Iterable[Problem], hint: str = "") -> None:
    """Raise all problems as one `InputError`, the first 20 in full and the rest counted; none at all is fine.

    Args:
        problems: What is wrong.
        hint: What shows the rest of them.
    """
    problems = list(problems)
    if problems:
        lines = [str(problem) for problem in problems[:MAX_LISTED]]
        if len(problems) > MAX_LISTED:
            lines.append(f"and {len(problems) - MAX_LISTED} more{hint}")
        raise InputError.of(lines)


def _json_lines(name: str, handle: BinaryIO) -> Iterator[Row | Problem]:
    for number, line in enumerate(handle, 1):
        where = f"{name} line {number}"
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        except UnicodeDecodeError as error:
            yield _undecodable(where, error)
            continue
        if not text:
            continue
        try:
            yield _row(where, json.loads(text))
        except (json.JSONDecodeError, RecursionError) as error:
            yield Problem("syntax", where, f"not readable as JSON: {_json_reason(error)}")


def _json(name: str, handle: BinaryIO) -> Iterator[Row | Problem]:
    """A list of objects; many tools also give the ending .json to JSON Lines, so those are read as what they are."""
    data = handle.read()
    if not data.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"["):
        yield from _json_lines(name, io.BytesIO(data))
        return
    try:
        values = json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line_start = data.rfind(b"\n", 0, error.start) + 1
        number = data.count(b"\n", 0, error.start) + 1
        yield _undecodable(f"{name} line {number}", error, line_start)
    except json.JSONDecodeError as error:
        yield Problem("syntax", f"{name} line {error.lineno}", f"not readable as JSON: {_json_reason(error)}")
    except RecursionError as error:
        yield Problem("syntax", name, f"not readable as JSON: {_json_reason(error)}")
    else:
        for number, value in enumerate(values, 1):
            yield _row(f"{name} row {number}", value)


def _csv(name: str, handle: BinaryIO) -> Iterator[Row | Problem]:
    # The csv module refuses fields above 128 KiB unless told otherwise; scientific papers are longer.
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    undecodable: list[Problem] = []

    def lines() -> Iterator[str]:
        for number, line in enumerate(handle, 1):
            try:
                yield line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                undecodable.append(_undecodable(f"{name} line {number}", error))
                yield line.decode("utf-8", errors="replace")

    reader = csv.reader(lines(), strict=True)
    header: list[str] | None = None
    while True:
        where = f"{name} line {reader.line_num + 1}"
        try:
            values = next(reader, None)
        except csv.Error as error:
            yield Problem("syntax", where, f"not readable as CSV: {error}")
            values = None
        if undecodable:
            yield from undecodable
            undecodable.clear()
        elif values and header is None:
            header = values
        elif values and len(values) != len(header or ()):
            yield Problem("syntax", where, f"has {len(values)} fields, the header has {len(header or ())}")
        elif values:
            yield Row(where, dict(zip(header or (), values, strict=True)))
        if values is None:
            return


def _parquet(name: str, handle: BinaryIO) -> Iterator[Row | Problem]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    # Parquet is read from its end, which a gzip stream cannot do cheaply: the rare .parquet.gz is unpacked in memory.
    source = pa.BufferReader(handle.read()) if isinstance(handle, gzip.GzipFile) else handle
    number = 0
    try:
        for batch in pq.ParquetFile(source).iter_batches(batch_size=256):
            for fields in batch.to_pylist():
                number += 1
                yield Row(f"{name} row {number}", fields)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        yield Problem("syntax", name, f"not readable as Parquet after row {number}: {' '.join(str(error).split())}")


def _row(where: str, value: Any) -> Row | Problem:
    if isinstance(value, dict):
        return Row(where, value)
    return Problem("syntax", where, f"a row must be a JSON object, got {json.dumps(value, ensure_ascii=False)[:40]}")


def _undecodable(where: str, error: UnicodeDecodeError, line_start: int = 0) -> Problem:
    byte = error.object[error.start]
    text = f"byte {error.start - line_start + 1} of the line (0x{byte:02x}) is not UTF-8. Save the file as UTF-8"
    return Problem("encoding", where, text)


def _json_reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg[0].lower()}{error.msg[1:]} at character {error.colno}"
    return "nested too deeply"

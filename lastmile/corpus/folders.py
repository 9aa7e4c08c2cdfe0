"""Files and folders of the user as sources."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from lastmile.config import Data
from lastmile.corpus.files import FORMATS, file_format, read_rows
from lastmile.corpus.intake import Read, Source, read_examples, source_key
from lastmile.errors import InputError

ALIASES = {"train": ("train",), "validation": ("validation", "valid", "val", "dev"), "test": ("test",)}


def folder_sources(folder: Path, data: Data) -> dict[str, Source]:
    """The splits that a folder has files for: `train.jsonl`, `dev.csv.gz`, shards as `test-00000-of-00002.parquet`.

    Raises:
        InputError: If a split has files under two names (`dev` and `validation`), or no split has any.
    """
    sources = {}
    files = [file for file in sorted(folder.iterdir()) if file.is_file() and file_format(file)]
    for split, names in ALIASES.items():
        pattern = re.compile(rf"({'|'.join(names)})(-\d+-of-\d+)?", re.IGNORECASE)
        matches = [(file, match) for file in files if (match := pattern.fullmatch(_stem(file)))]
        stems = [match[0].lower() for _, match in matches]
        if len({match[1].lower() for _, match in matches}) > 1 or len(set(stems)) < len(stems):
            listing = ", ".join(f"`{file.name}`" for file, _ in matches)
            raise InputError(f"{folder}: several files for the {split} split: {listing}. Keep one")
        if matches:
            sources[split] = file_source([file for file, _ in matches], data)
    if not sources:
        listing = ", ".join(f"`{file.name}`" for file in sorted(folder.iterdir())[:10]) or "nothing"
        raise InputError(
            f"{folder}: no train file. A folder holds files called train, validation (or dev) and test, each "
            f"{', '.join(FORMATS)} or one of these with .gz; found {listing}"
        )
    return sources


def file_source(files: list[Path], data: Data, targets: bool = True) -> Source:
    """One split from one file, or from the shards of one."""
    columns = {"document": data.document_column, "summary": data.summary_column, "targets": targets}

    def key() -> str:
        return source_key(columns, [(file.name, _content(file)) for file in files])

    def read() -> Read:
        for file in files:
            yield from read_examples(read_rows(file), file.name, **columns)

    return Source(", ".join(map(str, files)), key, read)


def _stem(file: Path) -> str:
    return file.name[: file.name.lower().rindex(file_format(file) or "")]


def _content(file: Path) -> str:
    try:
        with file.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except FileNotFoundError:
        raise InputError(f"{file}: no such file") from None
    except OSError as error:
        raise InputError(f"{file}: not readable: {error.strerror}") from None

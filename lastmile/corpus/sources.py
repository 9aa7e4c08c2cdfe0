"""Where documents come from: a known name, a hub data set, a file or a folder, made into one `Corpus`."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from lastmile.config import Data
from lastmile.corpus.columns import recognise, to_example
from lastmile.corpus.files import FORMATS, Problem, Row, file_format, read_rows, refuse
from lastmile.corpus.splits import ArrowSplit, cached_split, corpus_fingerprint, document_hash
from lastmile.errors import InputError
from lastmile.records import Corpus, Example

SPLITS = {"train": ("train",), "validation": ("validation", "valid", "val", "dev"), "test": ("test",)}
CARVED_SHARE = 0.05
# Raised when rows come out differently for the same input, so that older prepared files are not used.
PREPARATION = 1


def load_corpus(data: Data, *, seed: int = 1, splits: Iterable[str] = tuple(SPLITS)) -> Corpus:
    """Load a corpus by name, hub id, file or folder; prepared rows are cached on disk and memory-mapped.

    A file alone is split by its documents: ordered by a hash of the document keyed with `seed`, the first 5 % are the
    test split, the next 5 % validation, the rest train. Rows with the same document stay together. A folder that lacks
    validation or test has 5 % of train taken for it in the same way. Both are said on stderr.

    `name#500` keeps at most 500 examples of each split, drawn with `seed`; `#500` is a part of `#1000`.

    Args:
        data: What to load and which columns to read.
        seed: Of the split and of the subset. Runs that are to be compared use the same.
        splits: The splits that must be there; others are empty where a folder lacks them.

    Raises:
        InputError: With every bad row (the first 20 in full), unknown columns, missing files, or documents that train
            shares with test.
    """
    name, limit = split_name(data.name)
    parts = _load_folder_or_file(Path(name), data, seed, tuple(splits))
    parts = _without_shared(parts, name)
    if limit is not None:
        parts = {split: _subset(part, limit, seed) for split, part in parts.items()}
    return Corpus(name=data.name, **parts, fingerprint=corpus_fingerprint(*(parts[split] for split in SPLITS)))


def load_documents(path: Path, document_column: str | None = None) -> ArrowSplit:
    """Load the documents of one file, targets or not, e.g. to summarize them.

    Raises:
        InputError: With every bad row (the first 20 in full) or an unknown column.
    """
    return _prepare([Path(path)], Data(name=str(path), document_column=document_column), need_targets=False)


def split_name(name: str) -> tuple[str, int | None]:
    """Take the number of examples off a name.

    >>> split_name("cnn_dm#500"), split_name("a.jsonl")
    (('cnn_dm', 500), ('a.jsonl', None))

    Raises:
        InputError: If what follows `#` is not a number above 0.
    """
    base, mark, count = name.rpartition("#")
    if not mark:
        return name, None
    if not re.fullmatch(r"[1-9]\d*", count):
        raise InputError(f"`{name}`: after `#` stands how many examples to take of each split, e.g. `{base}#500`")
    return base, int(count)


def _load_folder_or_file(path: Path, data: Data, seed: int, needed: tuple[str, ...]) -> dict[str, ArrowSplit]:
    if path.is_dir():
        files = split_files(path)
        absent = [split for split in needed if not files[split] and not (split != "train" and files["train"])]
        if absent:
            listing = ", ".join(f"`{file.name}`" for file in sorted(path.iterdir())[:10]) or "nothing"
            wanted = ", ".join(f"`{split}`" for split in absent)
            raise InputError(
                f"{path}: no {wanted} file. A corpus folder holds train, validation (or dev) and test files "
                f"({', '.join(FORMATS)}, or these with .gz); found {listing}"
            )
        parts = {split: _prepare(found, data) for split, found in files.items() if found}
    elif path.exists():
        parts = {"train": _prepare([path], data)}
    else:
        raise InputError(f"{path}: no such file or folder")
    if "train" in parts:
        return _carve(parts, seed, path)
    empty = next(iter(parts.values())).select([])
    return {split: parts.get(split, empty) for split in SPLITS}


def split_files(folder: Path) -> dict[str, list[Path]]:
    """Find the files of each split: `train.jsonl`, `dev.csv.gz`, or shards as `test-00000-of-00002.parquet`.

    Raises:
        InputError: If a split has files under two names, e.g. both `dev` and `validation`.
    """
    found: dict[str, list[Path]] = {}
    for split, names in SPLITS.items():
        per_name = {}
        for name in names:
            pattern = re.compile(rf"{name}(-\d+-of-\d+)?", re.IGNORECASE)
            files = [file for file in sorted(folder.iterdir()) if file.is_file() and file_format(file)]
            per_name[name] = [file for file in files if pattern.fullmatch(_stem(file))]
        stems = {_stem(file).lower() for files in per_name.values() for file in files}
        files = [file for files in per_name.values() for file in files]
        if len(stems) < len(files) or sum(map(bool, per_name.values())) > 1:
            listing = ", ".join(f"`{file.name}`" for file in files)
            raise InputError(f"{folder}: several files for the {split} split: {listing}. Keep one")
        found[split] = files
    return found


def _stem(file: Path) -> str:
    return file.name[: -len(file_format(file) or "") - (3 if file.name.lower().endswith(".gz") else 0)]


def _prepare(files: list[Path], data: Data, need_targets: bool = True) -> ArrowSplit:
    """The rows of some files as a cached split; a problem anywhere is raised and nothing is cached."""

    def examples() -> Iterator[tuple[str, Example]]:
        problems: list[Problem] = []
        for item in read_examples(files, data, need_targets):
            if isinstance(item, Problem):
                problems.append(item)
            else:
                yield item
        refuse(problems)

    key = hashlib.sha256(
        repr((PREPARATION, need_targets, data.document_column, data.summary_column)).encode()
        + b"".join(file.name.encode() + b"\0" + _content_hash(file) for file in files)
    )
    return cached_split(key.hexdigest()[:32], examples)


def read_examples(
    files: list[Path], data: Data, need_targets: bool = True
) -> Iterator[tuple[str, Example] | Problem]:
    """Read files into `(where, example)`; what cannot be one comes as a `Problem` in its place.

    Raises:
        InputError: If a file has no row at all or its columns are not recognised.
    """
    number = 0
    for file in files:
        columns = None
        some = False
        for item in read_rows(file):
            some = True
            if isinstance(item, Row):
                columns = columns or recognise(
                    item.fields,
                    file.name,
                    document=data.document_column,
                    summary=data.summary_column,
                    need_targets=need_targets,
                )
                example = to_example(item, number, columns)
                number += 1
                if isinstance(example, Example):
                    yield item.where, example
                else:
                    yield from example
            else:
                yield item
        if not some:
            raise InputError(f"{file}: holds no rows")


def _content_hash(file: Path) -> bytes:
    try:
        with file.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").digest()
    except FileNotFoundError:
        raise InputError(f"{file}: no such file") from None
    except OSError as error:
        raise InputError(f"{file}: not readable: {error.strerror}") from None


def _carve(parts: dict[str, ArrowSplit], seed: int, name: object) -> dict[str, ArrowSplit]:
    """Take 5 % of the documents of train for each split that is not there."""
    absent = [split for split in ("test", "validation") if split not in parts]
    if not absent:
        return parts
    train = parts["train"]
    distinct = np.unique(train.document_hashes)
    count = max(1, round(CARVED_SHARE * len(distinct)))
    if len(distinct) <= count * len(absent):
        raise InputError(f"{name}: {len(distinct)} different documents are too few to take {' and '.join(absent)} from")
    key = b"%d" % seed
    order = np.array([document_hash(str(value), key=key) for value in distinct], dtype=np.uint64).argsort()
    rest = distinct[order]
    carved = dict(parts)
    for split in absent:
        taken, rest = rest[:count], rest[count:]
        carved[split] = train.select(np.flatnonzero(np.isin(train.document_hashes, taken)))
    carved["train"] = train.select(np.flatnonzero(np.isin(train.document_hashes, rest)))
    sizes = ", ".join(f"{len(carved[split]):,} {split}" for split in SPLITS)
    say(f"{name}: no {' or '.join(absent)} split of its own, taken from train by document (seed {seed}): {sizes}")
    return carved


def _subset(part: ArrowSplit, limit: int, seed: int) -> ArrowSplit:
    drawn = np.random.default_rng(seed).permutation(len(part))[:limit]
    return part.select(np.sort(drawn))


def _without_shared(parts: dict[str, ArrowSplit], name: str) -> dict[str, ArrowSplit]:
    shared = shared_documents(parts["train"], parts["test"])
    if shared:
        places = ", ".join(f"{train} = {test}" for train, test in shared[:3])
        raise InputError(
            f"{name}: train and test share {len(shared)} documents ({places}{', …' if len(shared) > 3 else ''}). "
            "Take them out of train; `lastmile data check` lists them"
        )
    return parts


def shared_documents(one: ArrowSplit, other: ArrowSplit) -> list[tuple[str, str]]:
    """Places of the documents that stand in both splits, each with its first place in either."""
    _, first, second = np.intersect1d(one.document_hashes, other.document_hashes, return_indices=True)
    order = np.argsort(first)
    return [(one.where(int(first[i])), other.where(int(second[i]))) for i in order]


def say(text: str) -> None:
    """Tell the person at the terminal, on stderr."""
    print(text, file=sys.stderr)

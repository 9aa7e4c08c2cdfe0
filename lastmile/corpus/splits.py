"""A split on disk: examples in a memory-mapped Arrow file, found again by the hash of what it was made of."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import numpy as np
import pyarrow as pa

from lastmile.errors import RunError
from lastmile.records import Example, Split

if TYPE_CHECKING:
    from collections.abc import Sequence

ROWS_PER_BATCH = 512
SCHEMA = pa.schema(
    {
        "id": pa.string(),
        "document": pa.large_string(),
        "targets": pa.list_(pa.large_string()),
        "where": pa.string(),
        "document_hash": pa.uint64(),
        "digest": pa.binary(32),
    }
)


class ArrowSplit:
    """A `Split` whose examples stay on disk until they are asked for.

    Args:
        path: Arrow file as `write_split` leaves it.
        indices: Rows that belong to the split, in order; all of them by default.
    """

    def __init__(self, path: Path, indices: np.ndarray | None = None):
        self.path = Path(path)
        self._table = map_arrow(self.path)
        self._indices = np.arange(self._table.num_rows) if indices is None else indices

    def __reduce__(self):
        # Workers of a data loader map the file for themselves; the table itself would be copied row by row.
        return ArrowSplit, (self.path, self._indices)

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: int) -> Example:
        return _example(self._table, int(self._indices[index]))

    def __iter__(self) -> Iterator[Example]:
        if np.any(np.diff(self._indices) < 0):
            yield from (self[index] for index in range(len(self)))
            return
        # In file order the file is read, not mapped: one pass must not leave all of its pages resident.
        start = 0
        with pa.OSFile(str(self.path)) as file:
            reader = pa.ipc.open_file(file)
            for number in range(reader.num_record_batches):
                batch = reader.get_batch(number)
                low, high = np.searchsorted(self._indices, [start, start + batch.num_rows])
                for row in self._indices[low:high]:
                    yield _example(batch, int(row) - start)
                start += batch.num_rows

    def where(self, index: int) -> str:
        """Place of an example in the user's file, e.g. `line 17`."""
        return self._table.column("where")[int(self._indices[index])].as_py()

    def select(self, indices: np.ndarray | Sequence[int]) -> ArrowSplit:
        """The examples at `indices`, in that order."""
        return ArrowSplit(self.path, self._indices[np.asarray(indices, dtype=np.int64)])

    @cached_property
    def document_hashes(self) -> np.ndarray:
        """`(N,)` uint64: equal for documents that differ in white space alone."""
        return self._table.column("document_hash").to_numpy()[self._indices]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the digests of the rows, in order; see `split_fingerprint`."""
        digests = self._table.column("digest").take(pa.array(self._indices))
        return hashlib.sha256(b"".join(digests.to_pylist())).hexdigest()


def _example(rows: pa.Table | pa.RecordBatch, row: int) -> Example:
    fields = {name: rows.column(name)[row].as_py() for name in ("id", "document", "targets")}
    return Example(fields["id"], fields["document"], tuple(fields["targets"]))


def row_digest(example: Example) -> bytes:
    """SHA-256 of everything an example holds, each part preceded by its length so that none can run into the next."""
    parts = [example.id, example.document, *example.targets]
    for name in sorted(example.facts):
        parts += [name, *example.facts[name]]
    digest = hashlib.sha256(b"%d,%d" % (len(example.targets), len(example.facts)))
    for part in parts:
        data = part.encode()
        digest.update(b"|%d|" % len(data))
        digest.update(data)
    return digest.digest()


def split_fingerprint(split: Split) -> str:
    """SHA-256 (hex) over the row digests of any split, read one example at a time.

    Rows that were digested when they were written are not read again.
    """
    if isinstance(split, ArrowSplit):
        return split.fingerprint
    whole = hashlib.sha256()
    for index in range(len(split)):
        whole.update(row_digest(split[index]))
    return whole.hexdigest()


def corpus_fingerprint(train: Split, validation: Split, test: Split) -> str:
    """SHA-256 (hex) over the fingerprints of the three splits: `Corpus.fingerprint`."""
    return hashlib.sha256(" ".join(map(split_fingerprint, (train, validation, test))).encode()).hexdigest()


def document_hash(document: str, *, key: bytes = b"") -> int:
    """64 bits of BLAKE2b of a document, white space collapsed. Two of a million documents collide with p < 3e-8."""
    data = " ".join(document.split()).encode()
    return int.from_bytes(hashlib.blake2b(data, digest_size=8, key=key).digest(), "little")


def write_split(path: Path, examples: Iterable[tuple[str, Example]]) -> None:
    """Write `(where, example)` pairs to an Arrow file, in bounded memory; the file appears whole or not at all.

    An id that an earlier row has already is given a suffix (`a` → `a~2`), so that ids are unique in the split.
    """
    taken: set[str] = set()

    def fields(where: str, example: Example) -> tuple:
        unique, repeats = example.id, 1
        while unique in taken:
            repeats += 1
            unique = f"{example.id}~{repeats}"
        taken.add(unique)
        example = replace(example, id=unique)
        hashes = document_hash(example.document), row_digest(example)
        return example.id, example.document, list(example.targets), where, *hashes

    def batches() -> Iterator[dict[str, list]]:
        rows = (fields(where, example) for where, example in examples)
        while batch := list(islice(rows, ROWS_PER_BATCH)):
            yield dict(zip(SCHEMA.names, map(list, zip(*batch, strict=True)), strict=True))

    write_arrow(path, SCHEMA, batches())


def write_arrow(path: Path, schema: pa.Schema, batches: Iterable[dict[str, list]]) -> None:
    """Write column batches to an Arrow file beside `path`, then rename.

    Raises:
        RunError: If the folder cannot be written to or the disk is full; nothing is left behind.
    """
    with replacing(path) as aside, pa.OSFile(str(aside), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        for batch in batches:
            writer.write_batch(pa.RecordBatch.from_pydict(batch, schema=schema))


def map_arrow(path: Path) -> pa.Table:
    """Map a file that `write_arrow` left; its pages are read when they are needed.

    Raises:
        RunError: If the file is not whole.
    """
    try:
        return pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    except pa.ArrowInvalid as error:
        raise RunError(f"{path}: this file of the cache is damaged. Delete it and start again") from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give the name of a fresh file beside `path`; it takes the place of `path` when the block ends well."""
    aside = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield aside
        aside.replace(path)
    except OSError as error:
        raise RunError(
            f"{path.parent}: cannot write the cache: {error.strerror or error}. "
            "Free some space, or set LASTMILE_CACHE to a folder elsewhere"
        ) from error
    finally:
        with suppress(OSError):
            aside.unlink(missing_ok=True)


def cache_folder() -> Path:
    """Where prepared corpora and tokens are kept: `LASTMILE_CACHE`, else `lastmile` in the user's cache folder."""
    if "LASTMILE_CACHE" in os.environ:
        return Path(os.environ["LASTMILE_CACHE"])
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lastmile"


def cached_split(key: str, make: Callable[[], Iterable[tuple[str, Example]]]) -> ArrowSplit:
    """The split that an earlier call left under `key`, else the one that `make` yields, kept for the next call."""
    path = cache_folder() / "corpus" / f"{key}.arrow"
    if not path.exists():
        write_split(path, make())
    return ArrowSplit(path)

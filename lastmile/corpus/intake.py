"""A split on its way in: where its rows come from, how they become examples, and how they are kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from lastmile.corpus.columns import recognise, to_example
from lastmile.corpus.divide import say
from lastmile.corpus.files import Problem, Row, refuse
from lastmile.corpus.progress import watch
from lastmile.corpus.splits import ArrowSplit, cached_split
from lastmile.records import Example

# Raised when the same rows come out differently, so that files prepared before are not used.
PREPARATION = 2

Place = str
Read = Iterator[tuple[Place, Example] | Problem]


@dataclass(frozen=True, slots=True)
class Source:
    """One split as it comes in.

    Attributes:
        name: For messages.
        key: Computes a hash of all that the prepared rows depend on.
        read: Reads `(place, example)` pairs; what cannot be an example comes as a `Problem` in its place.
        lenient: Rows with problems are left out and counted (nobody can mend a data set of the hub), not raised.
    """

    name: str
    key: Callable[[], str]
    read: Callable[[], Read]
    lenient: bool = False


def prepare(source: Source) -> ArrowSplit:
    """The rows of a source as a memory-mapped split, read on the first call and found in the cache afterwards.

    Raises:
        InputError: With every problem of the source, unless it is lenient; nothing is kept then.
    """

    def examples() -> Iterator[tuple[Place, Example]]:
        problems: list[Problem] = []
        for item in watch(source.read(), f"reading {source.name}"):
            if isinstance(item, Problem):
                problems.append(item)
            else:
                yield item
        if not source.lenient:
            refuse(problems, ". `lastmile data check` lists them all")
        elif problems:
            say(f"{source.name}: rows left out: {len(problems):,} (first: {problems[0]})")

    return cached_split(source.key(), examples)


def read_examples(
    rows: Iterable[Row | Problem],
    name: str,
    *,
    document: str | None,
    summary: str | None,
    targets: bool = True,
    clean: Callable[[str], str] | None = None,
) -> Read:
    """Turn rows into examples by the columns that the user named or that are recognised in the first row.

    Raises:
        InputError: If the columns are not there or not recognised.
    """
    columns = None
    number = -1
    for number, row in enumerate(rows):
        if isinstance(row, Problem):
            yield row
            continue
        columns = columns or recognise(row.fields, name, document=document, summary=summary, need_targets=targets)
        example = to_example(row, number, columns, clean)
        if isinstance(example, Example):
            yield row.where, example
        else:
            yield from example
    if number < 0:
        yield Problem("empty", name, "holds no rows")


def source_key(*parts: Any) -> str:
    """Hash of plain values, for `Source.key`."""
    return hashlib.sha256(repr((PREPARATION, *parts)).encode()).hexdigest()[:32]

"""Everything that is wrong with a corpus, row by row, and whether it would load."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lastmile.config import Data
from lastmile.corpus.divide import SPLITS
from lastmile.corpus.files import Problem
from lastmile.corpus.intake import Read
from lastmile.corpus.sources import find_sources, load_corpus, split_name
from lastmile.corpus.splits import document_hash
from lastmile.corpus.text import WORD
from lastmile.records import Split

KINDS = {
    "syntax": "unreadable",
    "encoding": "undecodable",
    "column": "bad column",
    "empty": "empty",
    "duplicate": "duplicate",
    "shared": "in two splits",
    "long": "over-long",
}


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found in one split.

    Attributes:
        examples: Rows that can be used.
        problems: In the order of the rows; one row may have several.
    """

    examples: int
    problems: tuple[Problem, ...]


def check_data(data: Data, *, max_words: int = 20_000) -> dict[str, Findings]:
    """Read every row of every split and say what is wrong with it, without preparing or keeping anything.

    Beside what keeps a row from being an example, this finds documents that an earlier row or split has already (white
    space aside), documents of more than `max_words` words, and the sign U+FFFD, which an earlier program left where it
    could not decode.

    Raises:
        InputError: If the data are not there or their columns are not recognised.
    """
    earlier: dict[int, tuple[str, str]] = {}
    return {split: _check(split, read, earlier, max_words) for split, read in _reads(data)}


def _reads(data: Data) -> Iterator[tuple[str, Read]]:
    if split_name(data.name)[0] == "demo":
        corpus = load_corpus(data)
        yield from ((split, _numbered(split, getattr(corpus, split))) for split in SPLITS)
    else:
        yield from ((split, source.read()) for split, source in find_sources(data).items())


def _numbered(name: str, split: Split) -> Read:
    for index in range(len(split)):
        yield f"{name} row {index + 1}", split[index]


def _check(split: str, read: Read, earlier: dict[int, tuple[str, str]], max_words: int) -> Findings:
    """Check one split; `earlier` maps the hash of each document to the split and place where it first stood."""
    examples, problems = 0, []
    for item in read:
        if isinstance(item, Problem):
            problems.append(item)
            continue
        where, example = item
        examples += 1
        first_split, first = earlier.setdefault(document_hash(example.document), (split, where))
        if first != where:
            problems.append(Problem("duplicate" if first_split == split else "shared", where, f"same as {first}"))
        num_words = sum(1 for _ in WORD.finditer(example.document))
        if num_words > max_words:
            problems.append(Problem("long", where, f"{num_words:,} words, more than {max_words:,}"))
        if any("\ufffd" in text for text in (example.document, *example.targets)):
            problems.append(Problem("encoding", where, "holds U+FFFD: decoded wrongly by an earlier program"))
    return Findings(examples, tuple(problems))

"""Long passages of the document said again word for word."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lastmile.corpus.text import words
from lastmile.judge.document import Document
from lastmile.records import Flag


def find_copies(text: str, document: Document, longest_allowed: float, typical_words: float) -> tuple[Flag, ...]:
    """Flag fragments that are copied over more words than the targets do.

    A fragment is a longest run of words, case and punctuation aside, that stands in the document in this order.

    Args:
        text: The summary.
        document: What it may have been copied from.
        longest_allowed: Words that a fragment may have.
        typical_words: Median words of a target. The cost is the words beyond `longest_allowed` over this.
    """
    found = words(text)
    flags = []
    for first, length, place in _fragments([word.text.lower() for word in found], document):
        if length > longest_allowed:
            start, end = found[first].start, found[first + length - 1].end
            passage = document.text[document.words[place].start : document.words[place + length - 1].end]
            cost = (length - longest_allowed) / typical_words
            flags.append(Flag("copy", start, end, text[start:end], passage, cost))
    return tuple(flags)


def longest_copy(lower: Sequence[str], document: Document) -> int:
    """The number of words of the longest copied fragment; `lower` are the summary's words in lower case."""
    return max((length for _, length, _ in _fragments(lower, document)), default=0)


def _fragments(lower: Sequence[str], document: Document) -> Iterator[tuple[int, int, int]]:
    """(first word, number of words, first word in the document) of the copied fragments, greedily from the left.

    Source: Grusky et al. (2018), "Newsroom", extractive fragments. Differs: the fragment starting at a word is looked
    up in the running text, which the search of `str` does faster than an index in Python.
    """
    running = document.running
    first = 0
    while first < len(lower):
        length, fragment, place = 0, " ", 0
        while first + length < len(lower):
            longer = f"{fragment}{lower[first + length]} "
            found = running.find(longer, place)
            if found < 0:
                break
            length, fragment, place = length + 1, longer, found
        if length:
            yield first, length, running.count(" ", 0, place)
        first += max(length, 1)

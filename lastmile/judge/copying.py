"""Long passages of the document said again word for word."""

from __future__ import annotations

from collections.abc import Sequence

from lastmile.corpus.extractiveness import extractive_fragments
from lastmile.judge.document import Document, Text
from lastmile.records import Flag


def find_copies(summary: Text, document: Document, longest_allowed: float, typical_words: float) -> tuple[Flag, ...]:
    """Flag fragments that are copied over more words than the targets copy.

    A fragment is a longest run of words, case and punctuation aside, that stands in the document in this order.

    Args:
        summary: The summary.
        document: What it may have been copied from.
        longest_allowed: Words that a fragment may have; see `TargetProfile.copied_words_high`.
        typical_words: Median words of a target. The cost is the words beyond `longest_allowed` over this.
    """
    flags = []
    for first, place, length in extractive_fragments(document.lower, summary.lower):
        if length > longest_allowed:
            start, end = summary.words[first].start, summary.words[first + length - 1].end
            passage = document.between(place, place + length - 1)
            cost = (length - longest_allowed) / typical_words
            flags.append(Flag("copy", start, end, summary.text[start:end], passage, cost))
    return tuple(flags)


def longest_copy(summary_words: Sequence[str], document_words: Sequence[str]) -> int:
    """The number of words of the longest copied fragment; 0 if no word is in the document."""
    return max((fragment.length for fragment in extractive_fragments(document_words, summary_words)), default=0)

"""How much of a summary is copied: the extractive fragments of Grusky et al., and coverage and density from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Fragment(NamedTuple):
    """A run of words that stands in both texts.

    Attributes:
        summary_start: Index of its first word in the summary.
        document_start: Index of its first word in the document (the earliest of the longest runs).
        length: Words in it, ≥ 1.
    """

    summary_start: int
    document_start: int
    length: int


def extractive_fragments(document_words: Sequence[str], summary_words: Sequence[str]) -> list[Fragment]:
    """Cut a summary greedily, from the left, into the longest runs of words that stand in its document.

    At each word of the summary the longest run that starts there and stands anywhere in the document is taken, and the
    search goes on behind it; a word that stands nowhere in the document is passed over. Words are compared as they are
    given: lower-case them for the measure as published.

    Args:
        document_words: N words of the document.
        summary_words: M words of the summary.

    Returns:
        Fragments in the summary's order, which do not overlap in it. At most O(N · M) comparisons, in practice about
        N + M times the mean count of a word.

    >>> extractive_fragments("the cat sat on the mat".split(), "a cat on the mat".split())
    [Fragment(summary_start=1, document_start=1, length=1), Fragment(summary_start=2, document_start=3, length=3)]

    Source: Grusky, Naaman, Artzi (2018), "Newsroom", figure 3.
    Differs: their pseudocode skips past a match before it looks for a longer one, and so can miss the longest run.
    """
    places: dict[str, list[int]] = {}
    for place, word in enumerate(document_words):
        places.setdefault(word, []).append(place)
    found = []
    start, document_length, summary_length = 0, len(document_words), len(summary_words)
    while start < summary_length:
        longest, longest_place = 0, -1
        for place in places.get(summary_words[start], ()):
            # A run that differs from the longest so far at its last word cannot be longer: most end here.
            end = place + longest
            if end >= document_length or start + longest >= summary_length:
                break
            if document_words[end] != summary_words[start + longest]:
                continue
            length = 1
            while (
                start + length < summary_length
                and place + length < document_length
                and document_words[place + length] == summary_words[start + length]
            ):
                length += 1
            if length > longest:
                longest, longest_place = length, place
        if longest:
            found.append(Fragment(start, longest_place, longest))
        start += max(longest, 1)
    return found


def coverage(fragments: Sequence[Fragment], num_summary_words: int) -> float:
    """Share of the summary's words that stand in a fragment: (1 / M) Σ |f|, in 0..1; NaN for an empty summary."""
    return sum(fragment.length for fragment in fragments) / num_summary_words if num_summary_words else float("nan")


def density(fragments: Sequence[Fragment], num_summary_words: int) -> float:
    """Mean length of the fragment that a word of the summary stands in: (1 / M) Σ |f|², in words; NaN when empty."""
    return sum(fragment.length**2 for fragment in fragments) / num_summary_words if num_summary_words else float("nan")

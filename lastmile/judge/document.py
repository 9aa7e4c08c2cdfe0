"""One reading of a document that every flag shares, kept for all the summaries of that document."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from lastmile.corpus.text import Span, words
from lastmile.judge.rouge import stem


@dataclass(frozen=True, slots=True)
class Document:
    """A document as the flags see it.

    Attributes:
        text: The document itself.
        words: Its words with their places.
        forms: Its words in lower case, without possessive endings.
        stems: The Porter stems of `forms`.
        running: All words in lower case, one space before and after each: what copied fragments are looked up in.
    """

    text: str
    words: tuple[Span, ...]
    forms: frozenset[str]
    stems: frozenset[str]
    running: str


@lru_cache(maxsize=1024)
def read_document(text: str) -> Document:
    """Read a document once for all its summaries."""
    found = tuple(words(text))
    lower = [word.text.lower() for word in found]
    forms = frozenset(without_possessive(word) for word in lower)
    return Document(text, found, forms, frozenset(map(stem, forms)), f" {' '.join(lower)} ")


def without_possessive(word: str) -> str:
    """Drop a possessive ending.

    >>> without_possessive("smith's"), without_possessive("smiths’")
    ('smith', 'smiths')
    """
    if word.endswith(("'s", "’s")):
        return word[:-2]
    return word.rstrip("'’")

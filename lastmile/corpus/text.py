"""Words and sentences with their places in the text: the one splitter that every room shares."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

import sentencex

WORD = re.compile(r"\d+(?:[.,:]\d+)*|[^\W\d_](?:[\w'’]*\w)?(?:\.(?=[A-Za-z]\.)[A-Za-z])*|\w+")
_SPACE = re.compile(r"\s")


class Span(NamedTuple):
    """A piece of text at `[start, end)` of the string it was found in."""

    text: str
    start: int
    end: int


def words(text: str) -> list[Span]:
    """Words and numbers in order, punctuation left out.

    >>> [w.text for w in words("Ann's 1,200 dogs left at 5:30.")]
    ["Ann's", '1,200', 'dogs', 'left', 'at', '5:30']
    """
    return [Span(m.group(), m.start(), m.end()) for m in WORD.finditer(text)]


def lower_words(text: str) -> list[str]:
    """The words of `words` in lower case, without their places: twice as quick.

    >>> lower_words("Ann's 1,200 dogs")
    ["ann's", '1,200', 'dogs']
    """
    return [word.lower() for word in WORD.findall(text)]


@lru_cache(maxsize=16384)
def sentences(text: str, language: str = "en") -> tuple[Span, ...]:
    """Sentences in order, without the white space around them; a line break always ends one.

    >>> [s.text for s in sentences("Mr. Smith paid $3.5 million. He left.")]
    ['Mr. Smith paid $3.5 million.', 'He left.']
    """
    found = []
    for line in re.finditer(r"[^\n]+", text):
        # The splitter counts bytes after a full stop and stumbles over spaces of more than one.
        plain = _SPACE.sub(" ", line.group())
        for piece in sentencex.get_sentence_boundaries(language, plain):
            body = piece["text"].strip()
            if body:
                start = line.start() + plain.index(body, piece["start_index"])
                found.append(Span(text[start : start + len(body)], start, start + len(body)))
    return tuple(found)

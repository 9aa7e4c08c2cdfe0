"""One reading of each text, shared by all flags: a summary's words and sentences, and a document's ways of support."""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cached_property, lru_cache
from itertools import pairwise

from lastmile.corpus.text import Span, sentences, words
from lastmile.judge.lexicon import FAMILIES, SMALL_WORDS, STOP_WORDS
from lastmile.judge.numbers import Number, read_numbers, supporting_values
from lastmile.judge.rouge import stem

_POSSESSIVE = re.compile(r"['’]s?$")


class Text:
    """A text as the flags see it; what only some flags need is read when it is first asked for.

    Attributes:
        text: The text itself.
        words: Its words with their places.
        lower: The same words in lower case.
        forms: The same words as `form` reads them.
    """

    def __init__(self, text: str):
        self.text = text
        self.words = words(text)
        self.lower = [word.text.lower() for word in self.words]
        self.forms = [form(word) for word in self.lower]

    def __len__(self) -> int:
        """The number of words."""
        return len(self.words)

    @cached_property
    def sentences(self) -> tuple[Span, ...]:
        """Its sentences with their places."""
        return sentences(self.text)

    @cached_property
    def sentence_starts(self) -> frozenset[int]:
        """Where its sentences start."""
        return frozenset(sentence.start for sentence in self.sentences)

    @cached_property
    def content(self) -> tuple[frozenset[str], ...]:
        """For each sentence the stems of the words that carry meaning."""
        place = 0
        content = []
        for sentence in self.sentences:
            stems = set()
            while place < len(self.words) and self.words[place].start < sentence.end:
                if self.forms[place] not in STOP_WORDS:
                    stems.add(stem(self.forms[place]))
                place += 1
            content.append(frozenset(stems))
        return tuple(content)

    def content_at(self, start: int) -> frozenset[str]:
        """The content of the sentence that a character stands in."""
        at = bisect_right(self.sentences, start, key=lambda sentence: sentence.start) - 1
        return self.content[at] if at >= 0 and start < self.sentences[at].end else frozenset()

    @cached_property
    def numbers(self) -> list[Number]:
        """Its numbers in order."""
        return read_numbers(self.text, self.words, self.lower)

    def between(self, first: int, last: int) -> str:
        """The text from the start of word `first` to the end of word `last`."""
        return self.text[self.words[first].start : self.words[last].end]


class Document(Text):
    """A document as the flags see it: everything that may support a word of a summary."""

    @cached_property
    def vocabulary(self) -> frozenset[str]:
        """Its forms."""
        return frozenset(self.forms)

    @cached_property
    def stems(self) -> frozenset[str]:
        """The Porter stems of its forms."""
        return frozenset(map(stem, self.vocabulary))

    @cached_property
    def relatives(self) -> frozenset[str]:
        """The stems that its words support otherwise than by their own: `bought` supports `buy`."""
        return frozenset().union(*[FAMILIES[word] for word in self.vocabulary | self.stems if word in FAMILIES])

    @cached_property
    def openings(self) -> frozenset[str]:
        """The first five letters of its longer forms, which derivations share: `produce`, `producer`."""
        return frozenset(word[:5] for word in self.vocabulary if len(word) >= 5)

    @cached_property
    def joined(self) -> frozenset[str]:
        """Neighbouring words written as one: `e-mail` supports `email`."""
        return frozenset(a + b for a, b in pairwise(self.forms))

    @cached_property
    def names(self) -> frozenset[str]:
        """The forms that it writes with a capital somewhere; all of them where it has no capitals."""
        capital = frozenset(short for word, short in zip(self.words, self.forms, strict=True) if word.text[0].isupper())
        return (capital or self.vocabulary) - STOP_WORDS

    @cached_property
    def initials(self) -> str:
        """The first letters of its words: where acronyms of three letters or more are looked up."""
        return "".join([word[0] for word in self.lower])

    @cached_property
    def capital_initials(self) -> str:
        """The first letters of runs of capitalised words, with the small words between them and without."""
        runs = []
        for skipped in (frozenset(), SMALL_WORDS):
            runs += [
                word.text[0].lower() if word.text[0].isupper() else " "
                for word, short in zip(self.words, self.forms, strict=True)
                if short not in skipped
            ]
            runs.append(" ")
        return "".join(runs)

    @cached_property
    def acronyms(self) -> frozenset[str]:
        """Its words in capitals alone: `UN` supports `United Nations`."""
        return frozenset(
            short
            for word, short in zip(self.words, self.forms, strict=True)
            if len(short) > 1 and short.isalpha() and word.text.isupper()
        )

    @cached_property
    def values(self) -> tuple[float, ...]:
        """What its numbers may be meant to say, in order."""
        return supporting_values(self.numbers, self.lower)

    @cached_property
    def all_content(self) -> frozenset[str]:
        """The content of all its sentences."""
        return frozenset().union(*self.content)

    def nearest(self, content: frozenset[str]) -> str:
        """The sentence that shares most of these content stems, the shorter of two equals; empty if none does."""
        return _nearest(self, content & self.all_content)


@lru_cache(maxsize=512)
def _nearest(document: Document, content: frozenset[str]) -> str:
    """Looked up once for all sentences of which the document knows the same stems: `boat 7 sank`, `boat 8 sank`."""
    best, best_score = "", 0.0
    for sentence, stems in zip(document.sentences, document.content, strict=True):
        shared = len(content & stems)
        if shared and (score := shared - len(stems) / 1000) > best_score:
            best, best_score = sentence.text, score
    return best


@lru_cache(maxsize=512)
def read_document(text: str) -> Document:
    """Read a document once for all its summaries."""
    return Document(text)


@lru_cache(maxsize=1 << 17)
def form(word: str) -> str:
    """A word without case, possessive ending and abbreviating points.

    >>> form("Smith's"), form("U.S"), form("dogs’")
    ('smith', 'us', 'dogs')
    """
    return _POSSESSIVE.sub("", word.lower()).replace(".", "")

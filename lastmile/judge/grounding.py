"""Where in the document each word of a summary may come from: the ground that relations and signals stand on."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from functools import cached_property, lru_cache

from lastmile.corpus.extractiveness import Fragment, extractive_fragments
from lastmile.judge.document import Document, Text
from lastmile.judge.lexicon import CLITICS, FAMILIES, NEGATIONS, STOP_WORDS, TITLES
from lastmile.judge.rouge import stem

_STOP_OR_LINE = re.compile(r"[.!?…\n]")
FAR = 1_000_000
_NEIGHBOURS = 5
_HALF = 20


# The heads of `won't` and `don't` that are also words of their own.
_ALSO_WORDS = frozenset(("won", "don"))
_APOSTROPHES = "'’‘`"


def core_words(text: Text) -> tuple[list[int], list[str]]:
    """The places and forms of a text's words without clitics, so that `the club 's` and `the club's` read alike."""
    places, forms, raw = [], [], text.text
    for place, (word, short) in enumerate(zip(text.words, text.forms, strict=True)):
        if short in CLITICS and place and (short == "n't" or raw[: word.start].rstrip(" ")[-1:] in _APOSTROPHES):
            continue
        if "'" in short or "’" in short:
            short = short.removesuffix("n't").removesuffix("n’t").split("'")[0].split("’")[0] or short
        places.append(place)
        forms.append(short)
    return places, forms


def core_negations(text: Text, words: Sequence[int]) -> frozenset[int]:
    """The places, among the core words at `words`, that are negated or negate: `not`, and `do` of `don't`."""
    negated = [
        place
        for place, form in enumerate(text.forms)
        if (form in NEGATIONS and form not in _ALSO_WORDS) or form.endswith(("n't", "n’t"))
    ]
    return frozenset(max(bisect_left(words, place + 1) - 1, 0) for place in negated)


def sentence_numbers(text: Text) -> list[int]:
    """For each word the number of its sentence, told by punctuation alone, so that lower-case text has sentences too.

    A new sentence starts behind `.`, `!`, `?` or a line break, unless the word before is a title or a single letter,
    or, in a text with capitals, the word behind is small.
    """
    raw, spans = text.text, text.words
    by_case = any(word.text[0].isupper() for word in spans)
    numbers, number = [], 0
    for place, word in enumerate(spans):
        if place:
            gap = raw[spans[place - 1].end : word.start]
            if gap != "." and _STOP_OR_LINE.search(gap):
                before = text.forms[place - 1]
                if "\n" in gap or not (
                    (len(before) == 1 and before.isalpha() and gap[0] == ".")
                    or before in TITLES
                    or (by_case and word.text[0].islower())
                ):
                    number += 1
        numbers.append(number)
    return numbers


def closeness(distance: int) -> float:
    """How much two words' distance in the document supports that they stand together: 1 up to 5 words, 1/2 at 25.

    >>> closeness(3), closeness(25), closeness(FAR) < 1e-4
    (1.0, 0.5, True)

    Source: our choice, on FRANK's `valid` split; 3 to 5 words and 8 to 20 words as half-way do about equally well.
    """
    return 1 / (1 + max(distance - _NEIGHBOURS, 0) / _HALF)


class Ground:
    """A document as the place where a summary's words stand.

    Attributes:
        document: The document.
        words: The places of its core words; see `core_words`. What follows counts these words.
        forms: Their forms.
        sentence_of: For each the number of its sentence; see `sentence_numbers`.
        num_sentences: How many sentences it has.
        stems: For each its stem.
        places: Stem to the places of its words, in order.
        by_opening: First five letters to the places of the longer words that begin with them.
        capital: The forms that it writes with a capital inside a sentence.
    """

    def __init__(self, document: Document):
        self.document = document
        self.words, self.forms = core_words(document)
        numbers = sentence_numbers(document)
        self.sentence_of = [numbers[place] for place in self.words]
        self.num_sentences = numbers[-1] + 1 if numbers else 0
        self.stems = [stem(short) for short in self.forms]
        self.places: dict[str, list[int]] = {}
        self.by_opening: dict[str, list[int]] = {}
        capital = set()
        for place, (root, short) in enumerate(zip(self.stems, self.forms, strict=True)):
            self.places.setdefault(root, []).append(place)
            if len(short) >= 5:
                self.by_opening.setdefault(short[:5], []).append(place)
            if document.words[self.words[place]].text[0].isupper() and short not in STOP_WORDS:
                capital.add(short)
        self.capital = frozenset(capital)
        self._by_family: dict[str, list[int]] = {}
        self._grams: dict[int, frozenset[tuple[str, ...]]] = {}

    @cached_property
    def negations(self) -> frozenset[int]:
        """Its negations; see `core_negations`."""
        return core_negations(self.document, self.words)

    def grams(self, n: int) -> frozenset[tuple[str, ...]]:
        """The n-grams of its forms."""
        if n not in self._grams:
            self._grams[n] = frozenset(zip(*(self.forms[k:] for k in range(n)), strict=False))
        return self._grams[n]

    def standing(self, short: str) -> tuple[list[int], bool]:
        """Where a form stands, and whether it stands there by its own stem rather than as a relative."""
        root = stem(short)
        if found := self.places.get(root):
            return found, True
        if short not in self._by_family:
            family = FAMILIES.get(short, FAMILIES.get(root, ()))
            kin = sorted(place for other in family for place in self.places.get(other, ()))
            self._by_family[short] = kin or (self.by_opening.get(short[:5], []) if len(short) >= 5 else [])
        return self._by_family[short], False

    def distance(self, one: Sequence[int], other: Sequence[int]) -> int:
        """The words between the nearest two places, sentence borders counting as eight words; `FAR` without places."""
        best = FAR
        if len(one) > len(other):
            one, other = other, one
        for place in one:
            at = bisect_left(other, place)
            for near in other[max(at - 1, 0) : at + 2]:
                gap = abs(near - place)
                if 0 < gap < best:
                    gap += 8 * abs(self.sentence_of[near] - self.sentence_of[place])
                    best = min(best, gap)
        return best


@lru_cache(maxsize=512)
def read_ground(document: Document) -> Ground:
    """Read a document once for all its summaries."""
    return Ground(document)


class Grounding:
    """A summary on its ground.

    Attributes:
        summary: The summary.
        ground: The document.
        words: The places of its core words in the summary; see `core_words`. What follows counts these words.
        core_of: For each word of the summary its core word: itself, or the one that its clitic hangs on.
        forms: Their forms.
        sentence_of: For each the number of its sentence.
        content: The places of its content words.
        places: For each word where it stands in the document; empty for words that are not content.
        direct: For each word whether it stands there by its own stem.
        fragments: The copied runs; see `extractive_fragments`.
        run: For each word the length of the copied run that it stands in, 0 if it stands in none.
        fragment_of: For each word the index of that run, −1 if none.
    """

    def __init__(self, summary: Text, ground: Ground):
        self.summary, self.ground = summary, ground
        self.words, self.forms = core_words(summary)
        numbers = sentence_numbers(summary)
        self.sentence_of = [numbers[place] for place in self.words]
        self.core_of = [max(bisect_left(self.words, place + 1) - 1, 0) for place in range(len(numbers))]
        forms = self.forms
        self.content = [
            k for k, short in enumerate(forms) if short not in STOP_WORDS and (len(short) > 1 or short.isdigit())
        ]
        self.places: list[Sequence[int]] = [()] * len(forms)
        self.direct = [False] * len(forms)
        for k in self.content:
            self.places[k], self.direct[k] = ground.standing(forms[k])
        self.fragments: list[Fragment] = extractive_fragments(ground.forms, forms)
        self.run, self.fragment_of = [0] * len(forms), [-1] * len(forms)
        for number, fragment in enumerate(self.fragments):
            for k in range(fragment.summary_start, fragment.summary_start + fragment.length):
                self.run[k], self.fragment_of[k] = fragment.length, number

    @cached_property
    def negations(self) -> frozenset[int]:
        """Its negations; see `core_negations`."""
        return core_negations(self.summary, self.words)

    @cached_property
    def pairs(self) -> list[tuple[int, int, int]]:
        """Neighbouring content words of one sentence and their distance in the document, `FAR` where one is absent."""
        found = []
        known: dict[tuple[str, str], int] = {}  # a summary that loops asks the same thousands of times
        for skip in (1, 2):
            for one, other in zip(self.content, self.content[skip:], strict=False):
                if self.sentence_of[one] == self.sentence_of[other] and other - one <= 4 * skip:
                    forms = self.forms[one], self.forms[other]
                    if forms not in known:
                        known[forms] = self.ground.distance(self.places[one], self.places[other])
                    found.append((one, other, known[forms]))
        return found

    def opens(self, k: int) -> bool:
        """Whether a sentence begins at a word."""
        return k == 0 or self.sentence_of[k - 1] != self.sentence_of[k]

    def closes(self, run: Fragment) -> bool:
        """Whether a sentence ends with a copied run."""
        end = run.summary_start + run.length
        return end == len(self.forms) or self.opens(end)

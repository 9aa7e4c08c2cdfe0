"""Which words of a text are names, where a capital tells and where it does not."""

from __future__ import annotations

import re
from collections.abc import Collection

from lastmile.judge.document import Text
from lastmile.judge.lexicon import STOP_WORDS, TITLES
from lastmile.judge.numbers import NUMBER_WORDS

_LETTER_THEN_DIGIT = re.compile(r"[^\W\d_].*\d")


def name_places(text: Text, cased: bool, known_names: Collection[str]) -> frozenset[int]:
    """The places of the words that are names.

    A name is written with a capital inside a sentence, or in capitals alone, or with letters and digits (`Person3`,
    `A380`). At the start of a sentence or a quotation, in a line of capitals, and in a text without case a capital
    says nothing: there a name is a word of `known_names`. Titles and numbers are not names.

    Args:
        text: The text.
        cased: False where it is in lower case throughout.
        known_names: Lower-case words that are names wherever they occur; see `TargetProfile.names`.
    """
    telling = cased and _tells_by_case(text)
    places = []
    for place, (word, short) in enumerate(zip(text.words, text.forms, strict=True)):
        if len(short) < 2 or short in STOP_WORDS or short in TITLES or short in NUMBER_WORDS:
            continue
        capital = word.text[0].isupper()
        if short in known_names and (capital or not telling):
            places.append(place)
        elif telling and capital:
            if not _opens(text, place) or word.text.isupper():
                places.append(place)
        elif _LETTER_THEN_DIGIT.match(short):
            places.append(place)
    return frozenset(places)


def _tells_by_case(text: Text) -> bool:
    """False where no word has a capital, or, in a headline or a shout, next to all words that carry meaning."""
    content = [word for word, short in zip(text.words, text.forms, strict=True) if short not in STOP_WORDS]
    small = sum(word.text[0].islower() for word in content)
    return 0 < small >= 0.15 * len(content) and any(word.text[0].isupper() for word in text.words)


def _opens(text: Text, place: int) -> bool:
    """Whether a sentence, a quotation or what follows a colon begins at a word."""
    start = text.words[place].start
    before = text.text[text.words[place - 1].end if place else 0 : start].rstrip(" ")
    return start in text.sentence_starts or before[-1:] in tuple("\"“‘'(:[")

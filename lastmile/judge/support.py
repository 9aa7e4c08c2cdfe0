"""What the document does not support: names, numbers, content words."""

from __future__ import annotations

from collections.abc import Collection

from lastmile.corpus.text import sentences, words
from lastmile.judge.document import Document, without_possessive
from lastmile.judge.lexicon import STOP_WORDS, TITLES
from lastmile.judge.rouge import stem
from lastmile.records import Flag


def find_unsupported(
    text: str, document: Document, cased: bool, known_names: Collection[str], typical_words: float
) -> tuple[Flag, ...]:
    """Flag names, numbers and content words that the document does not have."""
    starts = {sentence.start for sentence in sentences(text)}
    flags = []
    for word in words(text):
        form = without_possessive(word.text.lower())
        if form in STOP_WORDS or form in TITLES or form in document.forms:
            continue
        if word.text[0].isdigit():
            name = "unsupported_number"
        elif form in known_names or (cased and word.text[0].isupper() and word.start not in starts):
            name = "unsupported_entity"
        elif stem(form) not in document.stems:
            name = "unsupported_word"
        else:
            continue
        flags.append(Flag(name, word.start, word.end, word.text, "not in the document", 1 / typical_words))
    return tuple(flags)

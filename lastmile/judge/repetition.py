"""Things said twice: stuttered words, repeated runs of words, repeated sentences."""

from __future__ import annotations

from lastmile.corpus.text import words
from lastmile.judge.lexicon import STOP_WORDS
from lastmile.records import Flag


def find_repetitions(text: str, typical_words: float) -> tuple[Flag, ...]:
    """Flag what a reader has read before in the same summary; the span is the second occurrence alone."""
    found = words(text)
    lower = [word.text.lower() for word in found]
    seen: dict[tuple[str, ...], int] = {}
    repeated: dict[int, int] = {}
    for place in range(len(lower) - 2):
        gram = tuple(lower[place : place + 3])
        first = seen.setdefault(gram, place)
        if first + 3 <= place and not STOP_WORDS.issuperset(gram):
            for k in range(3):
                repeated[place + k] = first + k
    flags = []
    place = 0
    while place < len(lower):
        if place not in repeated:
            place += 1
            continue
        last = place
        while last + 1 in repeated:
            last += 1
        start, end = found[place].start, found[last].end
        first = found[repeated[place]].start
        evidence = text[first : found[repeated[last]].end]
        flags.append(Flag("repetition", start, end, text[start:end], evidence, (last - place + 1) / typical_words))
        place = last + 1
    return tuple(flags)

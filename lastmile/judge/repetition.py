"""Things said twice: stuttered words, runs of words that come again, sentences that say nothing new."""

from __future__ import annotations

import re
from collections.abc import Collection

from lastmile.judge.document import Text
from lastmile.judge.lexicon import NEGATIONS, STOP_WORDS
from lastmile.judge.numbers import NUMBER_WORDS
from lastmile.judge.rouge import stem
from lastmile.records import Flag

# Doubled on purpose: `it is very, very cold`, `the best they had had`.
_DOUBLED = frozenset(
    ("had", "that", "very", "so", "no", "yes", "bye", "ha", "really", "many", "more", "long", "never", "far")
)
_LONGEST_STUTTER = 12
_FINAL = re.compile(r"[.!?…]")

# Which words repeat: place of a word to the (first, last) words that said it before.
_Marks = dict[int, tuple[int, int]]


def find_repetitions(summary: Text, names: Collection[int], typical_words: float) -> tuple[Flag, ...]:
    """Flag what a reader has read before in the same summary; a span covers the second occurrence alone.

    * stutter: words said twice in a row, `the the`, `he was late he was late`;
    * run: words that stood earlier in this order, three of which carry meaning, or any five that are not names and
      function words alone. Names may come again as often as they like;
    * sentence: one whose content was already in a single earlier sentence, up to a fifth; a name, a number or a
      negation that the earlier sentence lacks makes it a new one.

    Args:
        summary: The summary.
        names: The places of its names; see `name_places`.
        typical_words: Median words of a target; the cost of a flag is its words over this.
    """
    if len(set(summary.lower)) == len(summary):  # no word comes twice: many summaries are done here
        return ()
    marks: _Marks = {}
    _mark_sentences(summary, names, marks)
    _mark_runs(summary, names, marks)
    _mark_stutters(summary, names, marks)
    return tuple(_flags(summary, marks, typical_words))


def _mark_stutters(summary: Text, names: Collection[int], marks: _Marks) -> None:
    lower, spans = summary.lower, summary.words
    for size in range(1, min(_LONGEST_STUTTER, len(lower) // 2) + 1):
        for place in range(size, len(lower) - size + 1):
            if lower[place] != lower[place - size] or lower[place : place + size] != lower[place - size : place]:
                continue
            gap = summary.text[spans[place - 1].end : spans[place].start].strip()
            if _FINAL.search(gap) or names.issuperset(range(place, place + size)):
                continue
            if size == 1 and (gap or lower[place] in _DOUBLED or lower[place].isdigit()):
                continue
            for k in range(place, place + size):
                marks.setdefault(k, (place - size, place - 1))


def _mark_runs(summary: Text, names: Collection[int], marks: _Marks) -> None:
    lower = summary.lower
    seen: dict[tuple[str, ...], int] = {}
    place = 0
    while place + 3 <= len(lower):
        gram = tuple(lower[place : place + 3])
        first = seen.setdefault(gram, place)
        if first + 3 > place:
            place += 1
            continue
        size = 3
        while place + size < len(lower) and first + size < place and lower[first + size] == lower[place + size]:
            size += 1
        meaning = sum(
            k not in names and len(lower[k]) > 1 and not lower[k][0].isdigit() and lower[k] not in STOP_WORDS
            for k in range(place, place + size)
        )
        if meaning >= 3 or (size >= 5 and meaning):
            for k in range(place, place + size):
                marks.setdefault(k, (first, first + size - 1))
            place += size
        else:
            place += 1


def _mark_sentences(summary: Text, names: Collection[int], marks: _Marks) -> None:
    earlier: list[tuple[int, int, frozenset[str], frozenset[str]]] = []
    place = 0
    for sentence in summary.sentences:
        first = place
        while place < len(summary) and summary.words[place].start < sentence.end:
            place += 1
        facts, content = set(), set()
        for k in range(first, place):
            short = summary.forms[k]
            if k in names or short[:1].isdigit() or short in NUMBER_WORDS or short in NEGATIONS:
                facts.add(short)
            elif short not in STOP_WORDS:
                content.add(stem(short))
        if len(content) < 3:
            continue
        for before_first, before_last, before_facts, before_content in earlier:
            negated = (facts ^ before_facts) & NEGATIONS
            if not negated and facts <= before_facts and 5 * len(content - before_content) <= len(content):
                for k in range(first, place):
                    marks.setdefault(k, (before_first, before_last))
                break
        earlier.append((first, place - 1, frozenset(facts), frozenset(content)))


def _flags(summary: Text, marks: _Marks, typical_words: float) -> list[Flag]:
    """One flag for each run of neighbouring marked words."""
    flags = []
    places = sorted(marks)
    begin = 0
    for at, place in enumerate(places):
        if at + 1 < len(places) and places[at + 1] == place + 1:
            continue
        first = places[begin]
        start, end = summary.words[first].start, summary.words[place].end
        cost = (place - first + 1) / typical_words
        flags.append(Flag("repetition", start, end, summary.text[start:end], summary.between(*marks[first]), cost))
        begin = at + 1
    return flags

"""Dialogues: who said what, and summaries that give one speaker's words to the other."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache

from lastmile.judge.document import Document, Text
from lastmile.judge.grounding import Ground, Grounding, core_words
from lastmile.judge.lexicon import ARTICLES, STOP_WORDS, TITLES, word_set
from lastmile.records import Flag

# `#Person1#: Hello`, `Dr. Anna Müller: Hello`: a name of at most four words, a colon, and something said. The letters
# above U+0300 are accents written apart from what they stand on.
_TURN = re.compile(
    r"^[ \t]*(#?[^\W\d_][\w.'’\u0300-\u036f-]*#?(?: [^\W\d_][\w.'’\u0300-\u036f-]*){0,3})[ \t]*:[ \t]*\S", re.MULTILINE
)
# Small words inside of a name, which has capitals else.
_PARTICLES = word_set("al bin da de del della den der di du el la le ter van von y zu")
# Behind these a summary says what a speaker says, wants or does; behind `asks` comes what the other one answers.
_VERBS = word_set(
    """says said tells told thinks thought wants wanted likes liked loves loved hates hated has had plans planned needs
    needed will would explains explained believes believed feels felt hopes hoped promises promised prefers preferred
    bought buys works worked lives lived went goes ordered orders"""
)


@lru_cache(maxsize=512)
def turns_of(document: str) -> tuple[tuple[str, int, int], ...]:
    """The turns of a dialogue as (speaker in lower case, start, end); empty where fewer than two people speak."""
    heads = [head for head in _TURN.finditer(document) if _is_name(head[1].strip("#").split(" "))]
    if len({head[1].strip("#").lower() for head in heads}) < 2 or len(heads) < 3:
        return ()
    ends = [head.start() for head in heads[1:]] + [len(document)]
    return tuple((head[1].strip("#").lower(), head.end(1), end) for head, end in zip(heads, ends, strict=True))


def _is_name(words: list[str]) -> bool:
    return not words[0][0].islower() and all(not word[0].islower() or word in _PARTICLES for word in words)


@lru_cache(maxsize=512)
def _names(speakers: frozenset[str]) -> Mapping[tuple[str, ...], tuple[str, bool]]:
    """The forms that speakers may be called by, each to the speaker and whether it is less than the whole name.

    `Dr. Anna Müller` is also `Anna Müller`, `Dr. Müller`, `Anna` and `Müller`. What may be two of them is nobody.
    """
    owners: dict[tuple[str, ...], set[tuple[str, bool]]] = {}
    for speaker in speakers:
        whole = tuple(map(_plain, core_words(Text(speaker))[1]))
        bare = tuple(word for word in whole if word not in TITLES)
        titles = tuple(word for word in whole if word in TITLES)
        parts = [word for word in bare if len(word) > 1 and word not in _PARTICLES]
        for name in {whole, bare, *((word,) for word in parts), *((*titles, word) for word in parts)} - {()}:
            owners.setdefault(name, set()).add((speaker, name != whole))
    return {name: next(iter(found)) for name, found in owners.items() if len(found) == 1}


def _plain(form: str) -> str:
    """A form without accents, which people leave out.

    >>> _plain("josé")
    'jose'
    """
    if form.isascii():
        return form
    return "".join([sign for sign in unicodedata.normalize("NFD", form) if not unicodedata.combining(sign)])


def _mentions(grounding: Grounding, speakers: frozenset[str]) -> dict[int, tuple[str, int]]:
    """Where the summary names a speaker: the place of the first word to (speaker, words).

    Less than the whole name counts where nothing before may belong to it: `Mrs. Lee` and `Tom Lee` are not `Mr. Lee`.
    """
    names, forms, summary = _names(speakers), list(map(_plain, grounding.forms)), grounding.summary
    sizes = sorted({len(name) for name in names}, reverse=True)
    found: dict[int, tuple[str, int]] = {}
    k = 0
    while k < len(forms):
        size = next((size for size in sizes if tuple(forms[k : k + size]) in names), 0)
        if size:
            speaker, short = names[tuple(forms[k : k + size])]
            alone = grounding.opens(k) or (forms[k - 1] in STOP_WORDS and forms[k - 1] not in ARTICLES)
            if not short or (alone and not summary.words[grounding.words[k]].text[0].islower()):
                found[k] = speaker, size
        k += max(size, 1)
    return found


def find_wrong_speakers(grounding: Grounding, typical_words: float) -> tuple[Flag, ...]:
    """Flag speakers that a summary credits with what only another speaker said.

    Looked at are sentences of the form `#Person1# says …`, up to the next speaker's name. Of their content words, three
    or more must stand in the document; none of them in a turn of that speaker or in a question right before one of
    theirs, which they may have answered, and three or more in turns of one other speaker. A name may have several
    words, and the summary may use some of them or leave out accents.

    Args:
        grounding: The summary on its document.
        typical_words: Median words of a target; the cost of a flag is the words of the clause over this.
    """
    summary, ground = grounding.summary, grounding.ground
    document = ground.document
    turns = turns_of(document.text)
    if not turns:
        return ()
    turn_of = _turn_numbers(document, ground, turns)
    speakers = frozenset(speaker for speaker, _, _ in turns)
    asked = {t for t, (_, start, end) in enumerate(turns[:-1]) if "?" in document.text[start:end]}
    content = frozenset(grounding.content)
    mentions = _mentions(grounding, speakers)
    flags = []
    for k, (name, size) in mentions.items():
        verb = k + size
        if verb >= len(grounding.forms) or grounding.opens(verb) or grounding.forms[verb] not in _VERBS:
            continue
        end = verb
        while end < len(grounding.forms) and not grounding.opens(end) and end not in mentions:
            end += 1
        claimed = [c for c in range(verb, end) if c in content and grounding.direct[c]]
        own, others = 0, dict.fromkeys(speakers - {name}, 0)
        for c in claimed:
            said_in = {turn_of[p] for p in grounding.places[c] if turn_of[p] >= 0}
            own += any(turns[t][0] == name or (t in asked and turns[t + 1][0] == name) for t in said_in)
            for speaker in {turns[t][0] for t in said_in} - {name}:
                others[speaker] += 1
        if len(claimed) >= 3 and own == 0 and max(others.values()) >= 3:
            first, last = grounding.words[k], grounding.words[verb - 1]
            start, stop = summary.words[first].start, summary.words[last].end
            best = max(others, key=others.__getitem__)
            cost = (grounding.words[end - 1] - first + 1) / typical_words
            evidence = _said(document, turns, turn_of, grounding, claimed, best)
            flags.append(Flag("wrong_speaker", start, stop, summary.text[start:stop], evidence, cost))
    return tuple(flags)


def _turn_numbers(document: Document, ground: Ground, turns: tuple[tuple[str, int, int], ...]) -> list[int]:
    """For each core word of the document the number of its turn, −1 for what stands before the first."""
    numbers, turn = [], -1
    for place in ground.words:
        while turn + 1 < len(turns) and document.words[place].start >= turns[turn + 1][1]:
            turn += 1
        numbers.append(turn)
    return numbers


def _said(
    document: Document,
    turns: tuple[tuple[str, int, int], ...],
    turn_of: list[int],
    grounding: Grounding,
    claimed: list[int],
    speaker: str,
) -> str:
    """The turn of `speaker` with most of the claimed words, as the document has it."""
    votes: dict[int, int] = {}
    for c in claimed:
        for turn in {turn_of[p] for p in grounding.places[c]}:
            if turn >= 0 and turns[turn][0] == speaker:
                votes[turn] = votes.get(turn, 0) + 1
    start, end = turns[max(votes, key=votes.__getitem__)][1:]
    return document.text[document.text.rfind("\n", 0, start) + 1 : end].strip()

"""Dialogues: who said what, and summaries that give one speaker's words to the other."""

from __future__ import annotations

import re
from functools import lru_cache

from lastmile.judge.document import Document
from lastmile.judge.grounding import Ground, Grounding
from lastmile.judge.lexicon import word_set
from lastmile.records import Flag

# `#Person1#: Hello`, `Ann Smith: Hello`: a name of at most three words, a colon, and something said.
_TURN = re.compile(r"^[ \t]*(#?[A-Z][\w.'’-]*#?(?: [A-Z][\w.'’-]*){0,2})[ \t]*:[ \t]*\S", re.MULTILINE)
# Behind these a summary says what a speaker says, wants or does; behind `asks` comes what the other one answers.
_VERBS = word_set(
    """says said tells told thinks thought wants wanted likes liked loves loved hates hated has had plans planned needs
    needed will would explains explained believes believed feels felt hopes hoped promises promised prefers preferred
    bought buys works worked lives lived went goes ordered orders"""
)


@lru_cache(maxsize=512)
def turns_of(document: str) -> tuple[tuple[str, int, int], ...]:
    """The turns of a dialogue as (speaker in lower case, start, end); empty where fewer than two people speak."""
    heads = list(_TURN.finditer(document))
    if len({head[1].strip("#").lower() for head in heads}) < 2 or len(heads) < 3:
        return ()
    ends = [head.start() for head in heads[1:]] + [len(document)]
    return tuple((head[1].strip("#").lower(), head.end(1), end) for head, end in zip(heads, ends, strict=True))


def find_wrong_speakers(grounding: Grounding, typical_words: float) -> tuple[Flag, ...]:
    """Flag speakers that a summary credits with what only another speaker said.

    Looked at are sentences of the form `#Person1# says …`, up to the next speaker's name. Of their content words, three
    or more must stand in the document; none of them in a turn of that speaker or in a question right before one of
    theirs, which they may have answered, and three or more in turns of one other speaker.

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
    speakers = {speaker for speaker, _, _ in turns}
    asked = {t for t, (_, start, end) in enumerate(turns[:-1]) if "?" in document.text[start:end]}
    content = frozenset(grounding.content)
    flags = []
    for k, form in enumerate(grounding.forms[:-1]):
        if form not in speakers or grounding.forms[k + 1] not in _VERBS:
            continue
        end = k + 1
        while end < len(grounding.forms) and not grounding.opens(end) and grounding.forms[end] not in speakers:
            end += 1
        claimed = [c for c in range(k + 1, end) if c in content and grounding.direct[c]]
        own, others = 0, dict.fromkeys(speakers - {form}, 0)
        for c in claimed:
            said_in = {turn_of[p] for p in grounding.places[c] if turn_of[p] >= 0}
            own += any(turns[t][0] == form or (t in asked and turns[t + 1][0] == form) for t in said_in)
            for speaker in {turns[t][0] for t in said_in} - {form}:
                others[speaker] += 1
        if len(claimed) >= 3 and own == 0 and max(others.values()) >= 3:
            word = summary.words[grounding.words[k]]
            best = max(others, key=others.__getitem__)
            cost = (grounding.words[end - 1] - grounding.words[k] + 1) / typical_words
            evidence = _said(document, turns, turn_of, grounding, claimed, best)
            flags.append(Flag("wrong_speaker", word.start, word.end, word.text, evidence, cost))
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
    """The turn of `speaker` with most of the claimed words."""
    votes: dict[int, int] = {}
    for c in claimed:
        for turn in {turn_of[p] for p in grounding.places[c]}:
            if turn >= 0 and turns[turn][0] == speaker:
                votes[turn] = votes.get(turn, 0) + 1
    start, end = turns[max(votes, key=votes.__getitem__)][1:]
    return f"{speaker}{document.text[start:end].rstrip()}"

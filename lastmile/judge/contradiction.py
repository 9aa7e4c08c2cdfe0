"""Sentences that nearly say what the document says, with the opposite word or a `not` too many or too few."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from lastmile.judge.antonyms import OPPOSITES
from lastmile.judge.document import Document
from lastmile.judge.grounding import Grounding
from lastmile.judge.lexicon import FAMILIES
from lastmile.judge.rouge import stem
from lastmile.judge.speakers import turns_of
from lastmile.records import Flag

# A sentence of the summary must share this much of its content with one of the document before a `not` can tell.
_SHARED = 0.8
_REACH = 4


def find_contradictions(grounding: Grounding, typical_words: float) -> tuple[Flag, ...]:
    """Flag words that turn what the document says into its opposite.

    * opposite: a word that the document does not have, in a sentence whose neighbouring words stand in the document
      near the opposite of that word: `sales fell` where `sales rose` stands;
    * negation: a `not`, `never` or `without` right before words that the document's nearest sentence, which shares at
      least four fifths of the content, says without one anywhere. Questions say nothing, and in dialogues the answer
      may be a bare `no`: there negations are not looked at.

    Args:
        grounding: The summary on its document.
        typical_words: Median words of a target; the cost of a flag is one word over this.
    """
    summary, document = grounding.summary, grounding.ground.document
    flags = []
    for k, place in contradictions(grounding):
        word = summary.words[grounding.words[k]]
        sentence = _sentence(grounding, document, place)
        flags.append(Flag("contradiction", word.start, word.end, word.text, sentence, 1 / typical_words))
    return tuple(sorted(flags, key=lambda flag: flag.start))


def contradictions(grounding: Grounding) -> list[tuple[int, int]]:
    """Places of words in the summary, each with the place in the document that it contradicts."""
    return [*_opposites(grounding), *_negations(grounding)]


def _opposites(grounding: Grounding) -> Iterator[tuple[int, int]]:
    """Places of words in the summary, with the place of the opposite in the document."""
    ground = grounding.ground
    for k, form in enumerate(grounding.forms):
        root = stem(form)
        opposite = OPPOSITES.get(root)
        if not opposite or not FAMILIES.get(form, frozenset({root})).isdisjoint(ground.places):
            continue
        own = grounding.sentence_of[k]
        around = range(max(k - _REACH, 0), min(k + _REACH + 1, len(grounding.forms)))
        places = [grounding.places[o] for o in around if o != k and grounding.sentence_of[o] == own]
        near = [there for there in places if there]
        if len(near) < 2 or not grounding.negations.isdisjoint(range(k - 3, k)):
            continue
        for place in sorted(p for word in opposite for p in ground.places.get(word, ())):
            beside = sum(_is_near(place, there) for there in near)
            if beside >= 2 and ground.negations.isdisjoint(range(place - 3, place)):
                yield k, place
                break


def _is_near(place: int, others: Sequence[int]) -> bool:
    """Whether one of the places, in order, is at most twice `_REACH` away."""
    at = bisect_left(others, place - 2 * _REACH)
    return at < len(others) and others[at] <= place + 2 * _REACH


def _negations(grounding: Grounding) -> Iterator[tuple[int, int]]:
    """Places of negations in the summary, with a place in the sentence that says the same without one."""
    ground = grounding.ground
    if not grounding.negations or turns_of(ground.document.text):
        return
    negated = {ground.sentence_of[place] for place in ground.negations}
    for k in sorted(grounding.negations):
        own = [c for c in grounding.content if grounding.sentence_of[c] == grounding.sentence_of[k]]
        if len(own) < 3:
            continue
        votes: dict[int, int] = {}
        for c in own:
            for sentence in {ground.sentence_of[p] for p in grounding.places[c]}:
                votes[sentence] = votes.get(sentence, 0) + 1
        if not votes:
            continue
        best = max(votes, key=lambda sentence: (votes[sentence], -sentence))
        if votes[best] >= _SHARED * len(own) and negated.isdisjoint((best - 1, best, best + 1)):
            yield k, ground.sentence_of.index(best)


def _sentence(grounding: Grounding, document: Document, place: int) -> str:
    """The sentence of the document that a place stands in."""
    ground = grounding.ground
    first = last = place
    while first and ground.sentence_of[first - 1] == ground.sentence_of[place]:
        first -= 1
    while last + 1 < len(ground.words) and ground.sentence_of[last + 1] == ground.sentence_of[place]:
        last += 1
    return document.between(ground.words[first], ground.words[last])

"""Words that the document has, with the wrong partner: neighbours in the summary, far apart in the document."""

from __future__ import annotations

from lastmile.judge.document import Document
from lastmile.judge.grounding import FAR, Grounding
from lastmile.judge.speakers import turns_of
from lastmile.records import Flag

# Neighbouring content words of people's summaries stand nearer than this in the document, most of the time.
FAR_APART = 60


def find_unrelated(grounding: Grounding, typical_words: float) -> tuple[Flag, ...]:
    """Flag neighbouring content words that the document has, but never near each other: `the mayor of Oslo` of two men.

    Two copied runs glued together give themselves away the same way. The words between count, and eight words for each
    sentence border between; both words must stand there by their own stem, and in no more than three places, since what
    a document is about may stand beside anything.

    Args:
        grounding: The summary on its document.
        typical_words: Median words of a target; the cost of a flag is its words over this.
    """
    summary, document = grounding.summary, grounding.ground.document
    if turns_of(document.text):
        return ()
    flags: list[Flag] = []
    end = -1
    for one, other, distance in grounding.pairs:
        if not FAR_APART <= distance < FAR or other - one > 2 or one <= end:
            continue
        if any(not grounding.direct[k] or len(grounding.places[k]) > 3 for k in (one, other)):
            continue
        first, last = grounding.words[one], grounding.words[other]
        start, stop = summary.words[first].start, summary.words[last].end
        evidence = " … ".join(_around(grounding, document, grounding.places[k][0]) for k in (one, other))
        cost = (last - first + 1) / typical_words
        flags.append(Flag("unrelated", start, stop, summary.text[start:stop], evidence, cost))
        end = other
    return tuple(sorted(flags, key=lambda flag: flag.start))


def _around(grounding: Grounding, document: Document, place: int) -> str:
    """The words of the document around a place, inside its sentence."""
    ground = grounding.ground
    number = ground.sentence_of[place]
    near = [k for k in range(max(place - 5, 0), min(place + 6, len(ground.words))) if ground.sentence_of[k] == number]
    first, last = near[0], near[-1]
    return document.between(ground.words[first], ground.words[last])

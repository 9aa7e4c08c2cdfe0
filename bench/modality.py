"""Would modality be a cue of contradictions? What the document says may, will or should be, told as done.

    LASTMILE_DATA=data python bench/modality.py

Reads dev parts alone (`labelled.py`). The flag `contradiction` has no such cue because of what this prints: a form that
people's own summaries pass raises too few summaries to tell its precision from the share of faulty ones.
"""

from __future__ import annotations

from collections.abc import Iterator

from labelled import frank, records, summedits, xsum_hallucination

from lastmile.corpus.demo import demo_corpus
from lastmile.judge.document import Text, read_document
from lastmile.judge.grounding import Ground, Grounding, read_ground
from lastmile.judge.lexicon import word_set
from lastmile.judge.rouge import stem

CUES = {
    "possible": word_set("may might could can"),
    "planned": word_set(
        """plan plans planned planning want wants wanted hope hopes hoped hoping intend intends intended aim aims aimed
        propose proposes proposed seek seeks sought seeking threaten threatens threatened threatening vow vows vowed
        promise promises promised promising expect expects expected likely set due"""
    ),
    "future": word_set("will shall"),
    "refused": word_set("refuse refuses refused refusing decline declines declined declining fail fails failed unable"),
}
EVERY = frozenset().union(*CUES.values())
HEDGES = EVERY | word_set("possibly perhaps maybe possible if unless whether should must need needs ought")
LINKS = word_set("to be have been not also now soon even still then")
DONE = word_set("has have had was were")
REACH, NEAR = 4, 8


def cued(forms: list[str], sentence_of: list[int], k: int, cues: frozenset[str]) -> bool:
    """Whether a cue stands right before a word: `may also be`, `plans to`."""
    before = k - 1
    while before >= max(k - REACH, 0) and forms[before] in LINKS:
        before -= 1
    return before >= max(k - REACH, 0) and forms[before] in cues and sentence_of[before] == sentence_of[k]


def is_done(forms: list[str], k: int) -> bool:
    """Whether a verb is told as done, as far as its ending and the words before it say."""
    return forms[k].endswith("ed") or not DONE.isdisjoint(forms[max(k - 2, 0) : k])


def together(grounding: Grounding, k: int, place: int) -> bool:
    """Whether another content word beside `k` stands beside `place` in the document."""
    around = [o for o in range(max(k - REACH, 0), k + REACH + 1) if o != k and o < len(grounding.forms)]
    inside = [o for o in around if grounding.sentence_of[o] == grounding.sentence_of[k]]
    return any(abs(there - place) <= NEAR for o in inside for there in grounding.places[o])


def told_as_done(grounding: Grounding, cues: frozenset[str], any_tense: bool) -> bool:
    """A verb that the document has behind a cue alone, in a sentence of the summary without any hedge."""
    ground, forms = grounding.ground, grounding.forms
    hedged = {grounding.sentence_of[k] for k, form in enumerate(forms) if form in HEDGES or k in grounding.negations}
    for k in grounding.content:
        places = ground.places.get(stem(forms[k])) or ground.standing(forms[k])[0]
        if places and grounding.sentence_of[k] not in hedged and (any_tense or is_done(forms, k)):
            only = all(cued(ground.forms, ground.sentence_of, place, cues) for place in places)
            if only and any(together(grounding, k, place) for place in places):
                return True
    return False


def told_as_open(grounding: Grounding, cues: frozenset[str]) -> bool:
    """The other way round: a verb behind a cue, which the document tells as done, in sentences without a hedge."""
    ground = grounding.ground
    for k in grounding.content:
        places = ground.standing(grounding.forms[k])[0]
        if places and cued(grounding.forms, grounding.sentence_of, k, cues):
            told = all(is_done(ground.forms, place) for place in places) and not hedged_around(ground, places)
            if told and any(together(grounding, k, place) for place in places):
                return True
    return False


def unhedged_copy(grounding: Grounding) -> bool:
    """A sentence without a hedge, all of whose content stands in one of the document, some right behind a hedge."""
    ground, forms = grounding.ground, grounding.forms
    hedged = {grounding.sentence_of[k] for k, form in enumerate(forms) if form in HEDGES}
    for number in set(grounding.sentence_of) - hedged:
        own = [k for k in grounding.content if grounding.sentence_of[k] == number]
        shared: dict[int, list[int]] = {}
        for k in own:
            for sentence in {ground.sentence_of[place] for place in grounding.places[k]}:
                shared.setdefault(sentence, []).append(k)
        best = max(shared, key=lambda sentence: len(shared[sentence]), default=-1)
        if len(own) >= 3 and len(shared.get(best, ())) == len(own):
            there = [p for k in shared[best] for p in grounding.places[k] if ground.sentence_of[p] == best]
            if any(cued(ground.forms, ground.sentence_of, place, HEDGES) for place in there):
                return True
    return False


def hedged_around(ground: Ground, places: list[int]) -> bool:
    """Whether a sentence that one of these words stands in has a hedge."""
    sentences = {ground.sentence_of[place] for place in places}
    return any(form in HEDGES and s in sentences for form, s in zip(ground.forms, ground.sentence_of, strict=True))


def rows() -> Iterator[tuple[str, bool, Grounding]]:
    """Data set, whether people found the summary faulty, and the summary on its document."""
    for judged in (frank, xsum_hallucination, summedits):
        for item in judged("dev"):
            name = "summedits" if judged is summedits else item.group
            yield name, not item.consistent, laid(item.document, item.summary)
    for record in records("dialogsum/dev"):
        yield "dialogsum, people's", False, laid(record["source"], record["summary"])
    for example in demo_corpus().validation:
        yield "demo, targets", False, laid(example.document, example.target)


def laid(document: str, summary: str) -> Grounding:
    """A summary on its document."""
    return Grounding(Text(summary), read_ground(read_document(document)))


def main() -> None:
    """Print, for every set and form, how many summaries are raised and how many of them people found faulty."""
    forms = {
        "told as done": lambda g: told_as_done(g, EVERY, any_tense=False),
        **{f"  {name}": lambda g, cues=cues: told_as_done(g, cues, any_tense=False) for name, cues in CUES.items()},
        "in any tense": lambda g: told_as_done(g, EVERY, any_tense=True),
        "told as open": lambda g: told_as_open(g, EVERY),
        "hedge dropped": unhedged_copy,
    }
    found: dict[str, list[tuple[bool, list[bool]]]] = {}
    for name, faulty, grounding in rows():
        found.setdefault(name, []).append((faulty, [form(grounding) for form in forms.values()]))
    print(f"{'raised, of them faulty':22}" + "".join(f"{name:>16}" for name in forms))
    for name, judged in found.items():
        share = sum(faulty for faulty, _ in judged) / len(judged)
        cells = [[faulty for faulty, raised in judged if raised[k]] for k in range(len(forms))]
        print(
            f"{name:22}" + "".join(f"{f'{len(c)}, {sum(c)}':>16}" for c in cells) + f"   {share:.0%} of {len(judged)}"
        )


if __name__ == "__main__":
    main()

"""The built-in corpus: short wires from a made-up world, each kept with its facts, the same on every machine."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from lastmile.corpus.demo_facts import Draw, Fact, Story
from lastmile.corpus.demo_stories import STORIES
from lastmile.corpus.splits import corpus_fingerprint
from lastmile.records import Corpus, Example

_SLOT = re.compile(r"\{(\w+)\}")
_CHOICE = re.compile(r"\[([^\]]*)\]")
_NAME = re.compile(r"[A-Z]\w+")
NUM_TARGETS = 3
_SENTENCE_START = re.compile(r"(?:^|[.!?:]\s+)\"?$")


def demo_corpus(sizes: tuple[int, int, int] = (6000, 500, 500), seed: int = 0) -> Corpus:
    """Make the corpus: a pure function of its arguments, in every version of Python and on every machine.

    A document tells the facts of one story from a made-up world, and beside them facts that do not belong in a
    summary: a second person, last year's number. Each of the three targets tells some of the main facts, in other words
    and in an order of its own: which of them a person would write is chance, and a reward against one alone is mostly
    noise. Every second name and every third number above 99 is kept from train, so that a model must read them in the
    document.

    Args:
        sizes: Examples of train, validation and test. A smaller split is the beginning of a larger one.
        seed: Another seed gives another corpus of the same world.

    Returns:
        Three splits in memory without a common document. `Example.facts` holds the accepted forms of every fact that
        the document tells.
    """
    parts: dict[str, list[Example]] = {}
    taken: set[str] = set()
    # Train comes last: it gives way to the others, so that these are the same whatever its size.
    for split, size in zip(("validation", "test", "train"), (sizes[1], sizes[2], sizes[0]), strict=True):
        wires = _wires(split, Draw(f"{seed} {split}", familiar=split == "train"))
        parts[split] = []
        while len(parts[split]) < size:
            example = next(wires)
            if example.document not in taken:
                taken.add(example.document)
                parts[split].append(example)
    fingerprint = corpus_fingerprint(parts["train"], parts["validation"], parts["test"])
    return Corpus("demo", **parts, fingerprint=fingerprint)


def _wires(split: str, draw: Draw) -> Iterator[Example]:
    """An endless row of examples."""
    number = 0
    while True:
        story = draw.choice(STORIES)
        facts = _draw_facts(story, draw)
        groups = [story.main[0], *draw.shuffled(story.main[1:]), *draw.shuffled(story.asides)]
        document = " ".join([draw.choice(group) for group in groups])
        told = {name: facts[name].forms for name in story.facts if f"{{{name}}}" in document}
        wire = _write(document, facts, draw)
        targets = [_write(target, facts, draw, plain=True) for target in draw.shuffled(story.targets)[:NUM_TARGETS]]
        yield Example(f"{split}-{number:05d}", wire, tuple(targets), told)
        number += 1


def _draw_facts(story: Story, draw: Draw) -> dict[str, Fact]:
    """Facts that fit together. They have no form and no name in common, so that a form tells which fact is meant."""
    while True:
        facts = {name: kind.draw(draw) for name, kind in story.facts.items()}
        forms = [form.lower() for fact in facts.values() for form in fact.forms]
        names = [name for fact in facts.values() for name in set(_NAME.findall(fact.full[0])) - {"The"}]
        distinct = len(set(forms)) == len(forms) and len(set(names)) == len(names)
        if distinct and story.fits({name: fact.value for name, fact in facts.items()}):
            return facts


def _write(template: str, facts: Mapping[str, Fact], draw: Draw, *, plain: bool = False) -> str:
    """Fill a template in. A fact is written in full first; `plain` takes its first form, else any."""
    template = _CHOICE.sub(lambda match: draw.choice(match[1].split("|")), template)
    text, place, told = "", 0, []
    for slot in _SLOT.finditer(template):
        text += template[place : slot.start()]
        place = slot.end()
        fact = facts[slot[1]]
        forms = fact.later if slot[1] in told and fact.later else fact.full
        told.append(slot[1])
        if _SENTENCE_START.search(text):
            # A sentence does not begin with digits where the number has words.
            forms = tuple(form for form in forms if form[0].isalpha()) or forms
            forms = tuple(form[0].upper() + form[1:] for form in forms)
        text += forms[0] if plain else draw.choice(forms)
    return text + template[place:]

"""Hallucinations in the demo world, counted exactly against the facts that its generator stored."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from lastmile.corpus.demo_facts import NUMBER_WORDS
from lastmile.corpus.demo_stories import STORIES
from lastmile.corpus.text import Span
from lastmile.errors import InputError
from lastmile.records import Example, Flag

# Unlike the shared splitter, amounts (`$4.2`), scores (`3-1`) and `forty-two` are one word each.
_WORD = re.compile(r"\$?\d+(?:[.,:-]\d+)*[^\W_]*|[^\W\d_]+(?:[-'’][^\W\d_]+)*")
_POSSESSIVE = re.compile(r"['’]s?$")
_SLOT = re.compile(r"\{(\w+)\}")
_PART = re.compile(r"\{(\w+)\}|\[([^\]]*)\]|([^{\[]+)")


def unsupported_facts(example: Example, summary: str) -> list[Flag]:
    """Find every claim of a summary that the facts of its document do not support.

    `absent_fact`: a name, number, day, place or other word that is neither a form of any of the document's facts nor
    among the words that all stories are told with. The world is closed, so nothing else can be meant: a name mixed
    from two names counts, and so does half a word. Neighbouring words share a flag.

    `misplaced_fact`: a fact of the document in another fact's place, e.g. last year's number as the death toll. It is
    looked for wherever the summary has a sentence of the targets' making, whose places say which fact is meant; in
    other sentences a swap goes unseen.

    Upper and lower case are the same here. Each flag costs 1.

    Args:
        example: A document with its facts.
        summary: Any text, e.g. what a broken model wrote.

    Returns:
        The flags in order of their start; none overlap.

    Raises:
        InputError: If the example has no facts.
    """
    if not example.facts:
        raise InputError(f"document `{example.id}` has no stored facts to count against; only `demo` documents have")
    flags: list[Flag] = []
    for flag in (*_absent(example, summary), *_misplaced(example, summary)):
        if not any(flag.start < other.end and other.start < flag.end for other in flags):
            flags.append(flag)
    return sorted(flags, key=lambda flag: flag.start)


def _words(text: str) -> list[Span]:
    return [Span(match.group(), match.start(), match.end()) for match in _WORD.finditer(text)]


def _form(word: str) -> str:
    """A word without case, possessive ending and commas: `1,200` is `1200`."""
    return _POSSESSIVE.sub("", word.lower()).replace(",", "")


def _forms(text: str) -> tuple[str, ...]:
    return tuple(_form(word.text) for word in _words(text))


def _core(text: str) -> list[Span]:
    """The words of a text from the first to the last that is no fixed word: what a fact is known by."""
    found = _words(text)
    telling = [place for place, word in enumerate(found) if _form(word.text) not in _vocabulary()]
    return found[telling[0] : telling[-1] + 1] if telling else []


def _absent(example: Example, summary: str) -> Iterator[Flag]:
    """Read from left to right, each time the longest form of a fact, else one word."""
    accepted = {_forms(form) for forms in example.facts.values() for form in forms}
    longest = max(map(len, accepted))
    found = _words(summary)
    forms = [_form(word.text) for word in found]
    unknown: list[list[Span]] = []
    place = 0
    while place < len(found):
        size = next((n for n in range(longest, 0, -1) if tuple(forms[place : place + n]) in accepted), 0)
        if not size and forms[place] not in _vocabulary():
            word = found[place]
            beside = unknown and summary[unknown[-1][-1].end : word.start] == " "
            if beside and _is_number(unknown[-1][-1].text) == _is_number(word.text):
                unknown[-1].append(word)
            else:
                unknown.append([word])
        place += size or 1
    for run in unknown:
        start, end = run[0].start, run[-1].end
        yield Flag("absent_fact", start, end, summary[start:end], "no fact of the document")


def _misplaced(example: Example, summary: str) -> Iterator[Flag]:
    """Match the targets' sentences; where several match, a place that one of them finds right is right."""
    wrong: dict[tuple[int, int], str] = {}
    right: set[tuple[int, int]] = set()
    lower = summary.lower()
    for fixed, frame in _frames():
        if fixed not in lower:
            continue
        for match in frame.finditer(summary):
            told = {name: _core(text) for name, text in match.groupdict().items()}
            if not all(told.values()):
                continue  # Fixed words stand where the frame has a fact: the sentence is of another frame.
            for name, said in told.items():
                place = match.start(name) + said[0].start, match.start(name) + said[-1].end
                accepted = example.facts.get(name, ())
                if any(_same(said, _core(form)) for form in accepted):
                    right.add(place)
                else:
                    wrong[place] = f"`{name}` is {accepted[0]}" if accepted else f"no `{name}` is told"
    for (start, end), evidence in wrong.items():
        if (start, end) not in right:
            yield Flag("misplaced_fact", start, end, summary[start:end], evidence)


def _same(one: list[Span], other: list[Span]) -> bool:
    return [_form(word.text) for word in one] == [_form(word.text) for word in other]


def _is_number(word: str) -> bool:
    return any(map(str.isdecimal, word)) or word.lower().split("-")[0] in NUMBER_WORDS


@lru_cache(maxsize=1)
def _vocabulary() -> frozenset[str]:
    """The words that stories are told with, facts aside."""
    return frozenset(form for story in STORIES for template in story.templates for form in _forms(_fixed(template)))


def _fixed(template: str) -> str:
    return _SLOT.sub(" ", template).translate(str.maketrans("[|]", "   "))


@lru_cache(maxsize=1)
def _frames() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Each sentence of the targets as a regular expression with a group for each fact.

    Before each stands the longest piece of fixed text in it, in lower case: where that is missing, nothing matches.
    """
    frames = []
    for story in STORIES:
        for sentence in {sentence: None for target in story.targets for sentence in re.split(r"(?<=\.) ", target)}:
            parts, pattern = _PART.findall(sentence.removesuffix(".")), ""
            for slot, choice, fixed in parts:
                if slot:
                    pattern += f"(?P<{slot}>{story.facts[slot].pattern})"
                else:
                    pattern += f"(?:{choice})" if choice else re.escape(fixed)
            longest = max((fixed for _, _, fixed in parts), key=len).lower()
            frames.append((longest, re.compile(rf"(?<!\w){pattern}(?!\w)", re.IGNORECASE)))
    return tuple(frames)

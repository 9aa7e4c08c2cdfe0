"""Targets with one thing made wrong, and where: what a learned detector of faults is trained on. English only."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

from lastmile.corpus.text import Span, sentences, words
from lastmile.judge.document import Document, Text, read_document
from lastmile.judge.flags import find_flags
from lastmile.judge.lexicon import STOP_WORDS, word_set
from lastmile.judge.names import name_places
from lastmile.judge.profile import TargetProfile
from lastmile.judge.speakers import turns_of
from lastmile.records import Summary

REWRITTEN = "rewrite"
"""The kind of a target that a model went on with; it is none of `KINDS`, for no rule makes it."""
DOUBTED, SURE = 0.1, 0.5
"""A word that a model wrote with a smaller probability than the first is doubted; from the second on it is sure."""
_ABSENT = ("unsupported_entity", "unsupported_number", "unsupported_word")

_CARDINALS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "twenty")
_ORDINALS = ("third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_HE_SHE = {"he": "she", "she": "he", "him": "her", "his": "her", "himself": "herself", "herself": "himself"}
# `has` and `do` are left out: before a noun they are verbs of their own, and take no `not`.
_MODALS = word_set("is are was were will would can could may might must should")
_CUT_SHORT = {"won't": "will", "can't": "can", "cannot": "can", "shan't": "shall"}
_NO_CLAIM = word_set("and or both with as well")
_TAIL = re.compile(r",? (?:and|but|because|when|while|after|before|so)(?: \S+){3,}")
_POSSESSIVE = re.compile(r"['’]s?$")


@dataclass(frozen=True, slots=True)
class Corrupted:
    """A target with one thing made wrong.

    Attributes:
        kind: Which of `KINDS`.
        text: The whole summary.
        spans: [start, end) of what was changed, in order. What was taken out shows in the words that it was taken from.
    """

    kind: str
    text: str
    spans: tuple[tuple[int, int], ...]

    def changed(self) -> tuple[bool, ...]:
        """For each word of the text, as `lastmile.corpus.text.words` reads it, whether it was changed."""
        return tuple(any(s < word.end and word.start < e for s, e in self.spans) for word in words(self.text))


def corrupt(
    kind: str,
    document: str,
    target: str,
    other: str,
    dice: random.Random,
    *,
    cased: bool = True,
    names: Collection[str] = frozenset(),
) -> Corrupted | None:
    """Make one thing of a target wrong.

    Nobody checks that it became wrong: the other name may have done the same, and `Ann met Bob` is true both ways. Such
    labels are noise, and bound what can be learnt from them.

    Args:
        kind: One of `KINDS`.
        document: What the target is of.
        target: A person's summary.
        other: A target of another document, where foreign names and sentences come from.
        dice: All that is random; the same state gives the same result.
        cased: False where targets are in lower case throughout.
        names: Lower-case words that are names wherever they stand; see `TargetProfile.names`.

    Returns:
        None where the target offers nothing to this kind.
    """
    return _KINDS[kind](_Case(document, target, other, dice, cased, names))


def corrupt_somehow(
    document: str,
    target: str,
    other: str,
    dice: random.Random,
    *,
    cased: bool = True,
    names: Collection[str] = frozenset(),
) -> Corrupted | None:
    """`corrupt` by a kind drawn evenly from those that the target offers something to; None if it is empty."""
    for kind in dice.sample(KINDS, len(KINDS)):
        if found := corrupt(kind, document, target, other, dice, cased=cased, names=names):
            return found
    return None


def changed_by_model(
    document: str, target: str, text: str, sure: Sequence[float | None], profile: TargetProfile
) -> tuple[bool | None, ...]:
    """Which words of a target that a model has gone on with are wrong, where two witnesses agree on it.

    The one witness is the text: whether document or target have the word in any form. The other one is the model that
    wrote it: whether it doubted the word. A word that neither has and that the model doubted is wrong; one that either
    has and that the model was sure of is right; of the others (a paraphrase, another speaker) nobody knows.

    Args:
        document: What the target is of.
        target: A person's summary, from whose beginning the model went on.
        text: The beginning and what the model wrote.
        sure: For each word of the text the probability with which it was written; None for those of the target.
        profile: What names and numbers are told by.

    Returns:
        For each word True for wrong, False for right, None for unknown.
    """
    flags = find_flags(f"{document}\n{target}", Summary(text), profile, _ABSENT)
    absent = [any(flag.start < w.end and w.start < flag.end for flag in flags) for w in words(text)]
    return tuple(
        False if p is None else (True if p < DOUBTED else None) if missing else (False if p >= SURE else None)
        for p, missing in zip(sure, absent, strict=True)
    )


@dataclass
class _Case:
    """A target to be spoiled, read once."""

    document: str
    target: str
    other: str
    dice: random.Random
    cased: bool
    known: Collection[str]

    @cached_property
    def text(self) -> Text:
        return Text(self.target)

    @cached_property
    def source(self) -> Document:
        return read_document(self.document)

    @cached_property
    def speakers(self) -> list[str]:
        """Who speaks in the document, written as there; empty where it is no dialogue."""
        found = {}
        for name, start, _ in turns_of(self.document):
            head = self.document[:start]
            marked = head.endswith("#")
            length = len(name) + (2 if marked else 0)
            found.setdefault(name, head[len(head) - length :])
        return list(found.values())

    def names_of(self, text: Text) -> list[Span]:
        """Names, neighbouring words joined, without `'s`."""
        found: list[list[int]] = []
        for place in sorted(name_places(text, self.cased, self.known)):
            if re.match(r"[Ii]['’]", text.words[place].text):  # `I've`
                continue
            last = found[-1][-1] if found else -2
            joined = place == last + 1 and text.text[text.words[last].end : text.words[place].start] == " "
            if joined:
                found[-1].append(place)
            else:
                found.append([place])
        spans = []
        for places in found:
            whole = text.between(places[0], places[-1])
            bare = _POSSESSIVE.sub("", whole)
            start = text.words[places[0]].start
            spans.append(Span(bare, start, start + len(bare)))
        return spans

    def mentions(self) -> list[Span]:
        """Where the target names a speaker."""
        found = []
        for name in self.speakers:
            pattern = rf"(?<!\w){re.escape(name)}(?!\w)"
            found += [Span(m[0], m.start(), m.end()) for m in re.finditer(pattern, self.target, re.IGNORECASE)]
        return sorted(found, key=lambda span: span.start)

    def is_speaker(self, name: str) -> bool:
        return any(set(name.lower().split()) & _bare(speaker) for speaker in self.speakers)

    def done(self, kind: str, *edits: tuple[int, int, str]) -> Corrupted:
        """The target with [start, end) replaced."""
        pieces, spans, at, length = [], [], 0, 0
        for start, end, new in sorted(edits):
            pieces += [self.target[at:start], new]
            length += start - at
            spans.append((length, length + len(new)))
            length += len(new)
            at = end
        return Corrupted(kind, "".join([*pieces, self.target[at:]]), tuple(spans))


def _entity(case: _Case) -> Corrupted | None:
    """One name for another: of the document, where it has one, or of another document's target."""
    olds = [name for name in case.names_of(case.text) if not case.is_speaker(name.text)]
    pools = [case.names_of(case.source), case.names_of(Text(case.other))]
    case.dice.shuffle(olds)
    case.dice.shuffle(pools)
    for old in olds:
        taken = set(old.text.lower().split())
        for pool in pools:
            news = sorted({name.text for name in pool if not taken & set(name.text.lower().split())})
            news = [name for name in news if not case.is_speaker(name)]
            if news:
                return case.done("entity", (old.start, old.end, case.dice.choice(news)))
    return None


def _number(case: _Case) -> Corrupted | None:
    """One number for another: of the document, or with one digit changed; a word for another of its kind."""
    places = [word for word in case.text.words if word.text[0].isdigit() or _rank_of(word.text)]
    if not places:
        return None
    old = case.dice.choice(places)
    if row := _rank_of(old.text):
        new = case.dice.choice([word for word in row if word != old.text.lower()])
        return case.done("number", (old.start, old.end, _like(old.text, new)))
    others = sorted({w.text for w in case.source.words if w.text[0].isdigit() and w.text != old.text})
    if others and case.dice.random() < 0.5:
        return case.done("number", (old.start, old.end, case.dice.choice(others)))
    at = case.dice.choice([place for place, sign in enumerate(old.text) if sign in "0123456789"] or [0])
    digit = case.dice.choice([sign for sign in "123456789" if sign != old.text[at]])
    return case.done("number", (old.start, old.end, old.text[:at] + digit + old.text[at + 1 :]))


def _rank_of(word: str) -> Sequence[str]:
    return next((row for row in (_CARDINALS, _ORDINALS) if word.lower() in row), ())


def _pronoun(case: _Case) -> Corrupted | None:
    """`he` for `she` and so on."""
    places = [k for k, form in enumerate(case.text.lower) if form in _HE_SHE or form == "her"]
    if not places:
        return None
    place = case.dice.choice(places)
    old = case.text.words[place]
    if old.text.lower() != "her":
        new = _HE_SHE[old.text.lower()]
    else:
        after = case.text.words[place + 1] if place + 1 < len(case.text) else None
        owns = after and case.target[old.end : after.start] == " " and after.text.lower() not in STOP_WORDS
        new = "his" if owns else "him"
    return case.done("pronoun", (old.start, old.end, _like(old.text, new)))


def _speaker(case: _Case) -> Corrupted | None:
    """One mention of a speaker becomes another speaker of the dialogue."""
    mentions = case.mentions()
    if not mentions:
        return None
    old = case.dice.choice(mentions)
    others = [name for name in case.speakers if name.lower() != old.text.lower()]
    return case.done("speaker", (old.start, old.end, case.dice.choice(others)))


def _negation(case: _Case) -> Corrupted | None:
    """Put a `not` in behind a verb that takes one, or take one out; `Ann says` becomes `Ann doesn't say`."""
    found, text = [], case.text
    subjects = {"he", "she", "it"} | {name.strip("#").lower().split()[-1] for name in case.speakers}
    subjects |= {name.text.lower().split()[-1] for name in case.names_of(text)}
    for k, word in enumerate(text.words):
        form = text.lower[k].replace("’", "'")
        after = text.words[k + 1] if k + 1 < len(text) else None
        if after and text.lower[k + 1] == "not" and case.target[word.end : after.start] == " ":
            found.append((word.start, after.end, word.text))
        elif form in _CUT_SHORT or form.endswith("n't"):
            found.append((word.start, word.end, _like(word.text, _CUT_SHORT.get(form) or form.removesuffix("n't"))))
        elif form in _MODALS:
            found.append((word.start, word.end, f"{word.text} not" if form != "can" else f"{word.text}not"))
        elif k and text.lower[k - 1] in subjects and (plain := _plain_verb(word.text)):
            found.append((word.start, word.end, f"doesn't {plain}"))
    return case.done("negation", case.dice.choice(found)) if found else None


def _plain_verb(word: str) -> str | None:
    """`wants` without its `s`; None for what is hardly a verb in the third person."""
    if not re.fullmatch(r"[a-z]{2,}s", word) or word.endswith(("ss", "us")) or word in STOP_WORDS - {"says", "gets"}:
        return None
    if word.endswith("ies"):
        return f"{word[:-3]}y"
    return word[:-2] if word.endswith(("ches", "shes", "sses", "xes", "oes")) else word[:-1]


def _relation(case: _Case) -> Corrupted | None:
    """Two names of one sentence change places, unless only `and` and the like stand between them."""
    mentions = case.mentions()
    names = [n for n in case.names_of(case.text) if not any(m.start < n.end and n.start < m.end for m in mentions)]
    found = []
    for one, other in combinations(sorted([*mentions, *names], key=lambda span: span.start), 2):
        between = {word.text.lower() for word in words(case.target[one.end : other.start])}
        within = any(s.start <= one.start and other.end <= s.end for s in sentences(case.target))
        apart = not _bare(one.text) & _bare(other.text)
        if one.end <= other.start and within and apart and between - _NO_CLAIM - {"s"}:
            found.append((one, other))
    if not found:
        return None
    one, other = case.dice.choice(found)
    return case.done("relation", (one.start, one.end, other.text), (other.start, other.end, one.text))


def _splice(case: _Case) -> Corrupted | None:
    """A sentence of another document's target stands in place of one, or after it; or its tail hangs on."""
    own, foreign = sentences(case.target), [s.text for s in sentences(case.other) if s.text not in case.target]
    if not own or not foreign:
        return None
    here, new = case.dice.choice(own), case.dice.choice(foreign)
    tail = _TAIL.search(new)
    way = case.dice.choice(["after", *(["instead"] if len(own) > 1 else []), *(["tail"] if tail else [])])
    if way == "instead":
        return case.done("splice", (here.start, here.end, new))
    if way == "tail":
        end = here.start + len(here.text.rstrip(".!?"))
        return case.done("splice", (end, here.end, tail[0]))
    return case.done("splice", (here.end, here.end, f" {new}"))


def _bare(name: str) -> set[str]:
    return set(name.strip("#").lower().split())


def _like(old: str, new: str) -> str:
    """With a capital where the old word had one."""
    return new[0].upper() + new[1:] if old[0].isupper() else new


_KINDS: dict[str, Callable[[_Case], Corrupted | None]] = {
    "entity": _entity,
    "number": _number,
    "pronoun": _pronoun,
    "speaker": _speaker,
    "negation": _negation,
    "relation": _relation,
    "splice": _splice,
}
KINDS = tuple(_KINDS)
"""Every way of spoiling a target."""

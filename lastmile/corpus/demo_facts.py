"""What the demo world is made of: facts, their kinds, how they are drawn and written, and stories that tell them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from lastmile.corpus import demo_words as words

T = TypeVar("T")

NUMBER_WORDS = frozenset([*words.ONES, *words.TENS, "hundred", "thousand", "million", "billion"])


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that a document says.

    Attributes:
        value: What can be compared, where a story demands it: a number, or the index in a list.
        full: Ways to write it; the first is the one that targets use.
        later: Shorter ways, once the text has it in full.
    """

    value: float
    full: tuple[str, ...]
    later: tuple[str, ...] = ()

    @property
    def forms(self) -> tuple[str, ...]:
        """Every accepted surface form."""
        return self.full + tuple(form for form in self.later if form not in self.full)


class Draw:
    """The randomness of one split.

    Only `Random.random` is used: it alone is promised to give the same numbers in every version of Python.

    Args:
        seed: Text, so that each split has its own sequence.
        familiar: Leave out every second name and every third large number: what only the other splits have.
    """

    def __init__(self, seed: str, familiar: bool):
        self._random, self._familiar = Random(seed).random, familiar

    def between(self, low: int, high: int) -> int:
        """An integer, both ends included. Of those above 99, `familiar` leaves out the multiples of three."""
        while True:
            value = low + int(self._random() * (high - low + 1))
            if not (self._familiar and value > 99 and value % 3 == 0):
                return value

    def choice(self, options: Sequence[T]) -> T:
        """One of `options`."""
        return options[int(self._random() * len(options))]

    def pair(self, starts: Sequence[str], ends: Sequence[str]) -> tuple[str, str]:
        """A start and an end. `familiar` leaves out every second pair, but no start and no end."""
        while True:
            i, j = int(self._random() * len(starts)), int(self._random() * len(ends))
            if not (self._familiar and (i + j) % 2):
                return starts[i], ends[j]

    def chance(self, probability: float) -> bool:
        """True with `probability`."""
        return self._random() < probability

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """`items` in random order."""
        rest = list(items)
        return [rest.pop(int(self._random() * len(rest))) for _ in items]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fact.

    Attributes:
        draw: Makes one.
        pattern: Regular expression of whatever a text may have in the place of such a fact.
    """

    draw: Callable[[Draw], Fact]
    pattern: str


_NAME = r"[^\W\d_]+"
_NUMBER = rf"(?:\d[\d,]*|(?:{'|'.join(sorted(NUMBER_WORDS))})(?:-(?:{'|'.join(words.ONES[1:10])}))?)"


def spell(number: int) -> str:
    """A number below 100 in words.

    >>> spell(7), spell(40), spell(42)
    ('seven', 'forty', 'forty-two')
    """
    if number < 20:
        return words.ONES[number]
    tens, ones = divmod(number, 10)
    return words.TENS[tens - 2] + (f"-{words.ONES[ones]}" if ones else "")


def _person(draw: Draw) -> Fact:
    surname = "".join(draw.pair(words.SURNAME_STARTS, words.SURNAME_ENDS))
    return Fact(0, (f"{draw.choice(words.FIRST_NAMES)} {surname}",), (surname,))


def _town(draw: Draw) -> Fact:
    return Fact(0, ("".join(draw.pair(words.TOWN_STARTS, words.TOWN_ENDS)),))


def _club(draw: Draw) -> Fact:
    town = "".join(draw.pair(words.TOWN_STARTS, words.TOWN_ENDS))
    return Fact(0, (f"{town} {draw.choice(words.CLUBS)}",), (town,))


def _company(draw: Draw) -> Fact:
    name = "".join(draw.pair(words.COMPANY_STARTS, words.COMPANY_ENDS))
    return Fact(0, (f"{name} {draw.choice(words.BRANCHES)}",), (name,))


def _title(draw: Draw) -> Fact:
    return Fact(0, ("The " + " ".join(draw.pair(words.TITLE_ADJECTIVES, words.TITLE_NOUNS)),))


def _date(draw: Draw) -> Fact:
    month, day = draw.choice(words.MONTHS), draw.between(1, 28)
    return Fact(0, (f"{month} {day}", f"{day} {month}"))


def _score(draw: Draw) -> Fact:
    lost = draw.between(0, 3)
    return Fact(0, (f"{draw.between(lost + 1, 5)}-{lost}",))


PERSON = Kind(_person, rf"{_NAME} {_NAME}|{_NAME}")
TOWN = Kind(_town, _NAME)
CLUB = Kind(_club, rf"{_NAME} {_NAME}|{_NAME}")
COMPANY = Kind(_company, rf"{_NAME} {_NAME}|{_NAME}")
TITLE = Kind(_title, rf"The {_NAME} {_NAME}")
DATE = Kind(_date, rf"{_NAME} \d+|\d+ {_NAME}")
SCORE = Kind(_score, r"\d+-\d+")
DAY = Kind(lambda draw: Fact(0, (draw.choice(words.DAYS),)), _NAME)


def count(low: int, high: int) -> Kind:
    """How many, below 100; up to ten in words and above in digits, as newspapers do, or the other way round."""

    def draw_count(draw: Draw) -> Fact:
        value = draw.between(low, high)
        forms = spell(value), str(value)
        return Fact(value, forms if value <= 10 else forms[::-1])

    return Kind(draw_count, _NUMBER)


def large(low: int, high: int, unit: int = 1) -> Kind:
    """How many, above 100, in multiples of `unit`."""

    def draw_large(draw: Draw) -> Fact:
        value = draw.between(low, high) * unit
        return Fact(value, (f"{value:,}", str(value)) if 999 < value < 10_000 else (f"{value:,}",))

    return Kind(draw_large, _NUMBER)


def year(low: int, high: int) -> Kind:
    """A year."""
    return Kind(lambda draw: Fact(0, (str(draw.between(low, high)),)), r"\d+")


def millions(low: int, high: int) -> Kind:
    """An amount of money, in tenths of a million dollars from `low` to `high` tenths."""

    def draw_millions(draw: Draw) -> Fact:
        tenths = draw.between(low, high)
        amount = f"{tenths // 10}.{tenths % 10}" if tenths % 10 else str(tenths // 10)
        return Fact(tenths, (f"${amount} million", f"{amount} million dollars"))

    return Kind(draw_millions, r"\$?\d[\d.,]* (?:million dollars|million)|\$\d[\d.,]*")


def one_of(options: Sequence[tuple[str, ...]]) -> Kind:
    """One of a closed list, each option with all its forms."""
    forms = sorted({form for option in options for form in option}, key=lambda form: (-len(form), form))

    def draw_option(draw: Draw) -> Fact:
        index = draw.between(0, len(options) - 1)
        return Fact(index, options[index])

    return Kind(draw_option, "|".join(forms))


@dataclass(frozen=True, slots=True)
class Story:
    """One kind of news.

    Attributes:
        domain: Section of the newspaper.
        facts: Fact name to kind, distractors included.
        main: Groups of sentences, one to be chosen of each. The first group opens; the others follow in any order.
        asides: Groups with distractors, in any order after these: told beside the main facts, never in a target.
        targets: Summaries to choose from.
        fits: What must hold between the facts' values for the story to make sense.
    """

    domain: str
    facts: Mapping[str, Kind]
    main: tuple[tuple[str, ...], ...]
    asides: tuple[tuple[str, ...], ...]
    targets: tuple[str, ...]
    fits: Callable[[Mapping[str, float]], bool] = lambda value: True

    @property
    def templates(self) -> tuple[str, ...]:
        """Every sentence that may tell this story."""
        return (*self.targets, *(line for group in self.main + self.asides for line in group))


def story(domain: str, facts: Mapping[Kind, str], *, main: str, asides: str, targets: str, **more) -> Story:
    """Write a story down: facts by their kind, sentences one a line, groups of sentences apart by an empty line."""

    def groups(text: str) -> tuple[tuple[str, ...], ...]:
        return tuple(tuple(line.strip() for line in group.splitlines()) for group in text.strip().split("\n\n"))

    kinds = {name: kind for kind, names in facts.items() for name in names.split()}
    return Story(domain, kinds, groups(main), groups(asides), *groups(targets), **more)

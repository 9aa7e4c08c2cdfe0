"""Numbers in words and digits, read to values: `20` and `twenty`, `$3.5m` and `3,500,000`, `5:30`, `half past five`."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from lastmile.corpus.text import Span

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_ORDINALS = (
    "zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth "
    "fifteenth sixteenth seventeenth eighteenth nineteenth"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_TENTHS = "twentieth thirtieth fortieth fiftieth sixtieth seventieth eightieth ninetieth"
_DECADES = "twenties thirties forties fifties sixties seventies eighties nineties"

# Words with a value of their own that take part in composed numbers: `twenty-five`, `two hundred and sixth`.
NUMBER_WORDS: dict[str, int] = {
    **{word: value for value, word in enumerate(_ONES.split())},
    **{word: value for value, word in enumerate(_ORDINALS.split())},
    **{word: 20 + 10 * n for tens in (_TENS, _TENTHS, _DECADES) for n, word in enumerate(tens.split())},
}
# Words that say a number without being one; they support it, and are never flagged themselves.
_IMPLIED: dict[str, tuple[float, ...]] = {
    "a": (1,),
    "an": (1,),
    "once": (1,),
    "single": (1,),
    "nil": (0,),
    "both": (2,),
    "couple": (2,),
    "pair": (2,),
    "twins": (2,),
    "twice": (2,),
    "double": (2,),
    "triple": (3,),
    "thrice": (3,),
    "trio": (3,),
    "half": (0.5, 50, 30),
    "halves": (0.5, 50),
    "quarter": (0.25, 25, 15),
    "quarters": (0.25, 25, 75, 0.75, 45),
    "thirds": (3, 33, 66, 67),
    "noon": (12,),
    "midnight": (0, 12),
    "decade": (10,),
    "century": (100,),
    "fortnight": (2, 14),
}
_SCALES = {
    "hundred": 100,
    "hundredth": 100,
    "dozen": 12,
    "thousand": 1_000,
    "thousandth": 1_000,
    "million": 1_000_000,
    "millionth": 1_000_000,
    "billion": 1_000_000_000,
    "trillion": 1_000_000_000_000,
    "mn": 1_000_000,
    "mln": 1_000_000,
    "bn": 1_000_000_000,
    "tn": 1_000_000_000_000,
}
# These are scales only where they touch the digits: `3.5m`, `20k`.
_TOUCHING = {"k": 1_000, "m": 1_000_000, "b": 1_000_000_000}
_ALL_SCALES = _SCALES | _TOUCHING
# `Hundreds` claims an order of size: any number of the document that reaches it will do.
VAGUE = {"dozens": 12, "hundreds": 100, "thousands": 1_000, "millions": 1_000_000, "billions": 1_000_000_000}

_MINUTES = {"half": 30, "quarter": 15}

_SEPARATED = re.compile(r"[.,:]")
_THOUSANDS = re.compile(r"\d{1,3}(?:[.,]\d{3})+")
_JOINT = frozenset({" ", "-", "‐", "‑"})


class Number(NamedTuple):
    """A number of a text.

    Attributes:
        first: Index of its first word.
        last: Index of its last word.
        readings: The values that it may stand for; times of day are `clock(minutes)`.
        vague: It only claims an order of size (`hundreds`).
        digits: It is written in digits.
    """

    first: int
    last: int
    readings: frozenset[float]
    vague: bool = False
    digits: bool = False


def clock(minutes: int) -> float:
    """A time of day as a value that no number of things has, the same twelve hours later.

    >>> clock(17 * 60 + 30) == clock(5 * 60 + 30)
    True
    """
    return -1.0 - minutes % 720


def read_numbers(text: str, words: Sequence[Span], lower: Sequence[str]) -> list[Number]:
    """Find the numbers of a text in order.

    Args:
        text: The text.
        words: Its words.
        lower: The same words in lower case.
    """
    found = []
    place = 0
    while place < len(words):
        word = lower[place]
        if word[0].isdecimal():
            number = _read_digits(text, words, lower, place)
        elif word in NUMBER_WORDS or word in _SCALES:
            number = _read_words(text, words, lower, place)
            if word in _SCALES and "half" in lower[max(place - 2, 0) : place]:  # half a million
                number = number._replace(readings=frozenset(value / 2 for value in number.readings))
        elif word in VAGUE:
            number = Number(place, place, frozenset((float(VAGUE[word]),)), vague=True)
        else:
            place += 1
            continue
        found.append(number)
        place = number.last + 1
    return found


def supporting_values(numbers: Sequence[Number], lower: Sequence[str]) -> tuple[float, ...]:
    """Every value that a document's numbers may be meant to say, generously: what a summary's number is held against.

    In order, each once.

    Beside the numbers themselves: their parts (`5:30` is also 5 and 30, as some tokenizers write it), neighbours said
    one after the other (`nineteen eighty-four`, `five thirty`, `four fifty`, `ten dollars and fifty cents`, telephone
    numbers), thousands written apart (`20, 000` and `20 000`), `half past five`, and words that imply a number (`both`,
    `dozen`).
    """
    values = {1.0}
    for word in _IMPLIED.keys() & set(lower):
        values.update(_IMPLIED[word])
    for _, _, whole in written_apart(numbers, lower):
        values |= whole.readings
    spoken, before = "", None
    for number in numbers:
        beside = before is not None and number.first - before.last == 1
        values |= number.readings | _parts(lower[number.first : number.last + 1]) | _past_the_hour(number, lower)
        if before is not None and number.first - before.last <= 3:
            values |= _said_together(before, number)
        digit = next((f"{value:.0f}" for value in number.readings if 0 <= value < 100 and value.is_integer()), "")
        spoken = (spoken + digit)[-15:] if digit and beside else digit
        if spoken:
            values.add(float(spoken))
        before = number
    return tuple(sorted(values))


def written_apart(numbers: Sequence[Number], lower: Sequence[str]) -> Iterator[tuple[int, int, Number]]:
    """What neighbouring numbers may say as the groups of one: `20, 000`, `2 500 000`, `2, 500 million`.

    Args:
        numbers: The numbers of a text, in order.
        lower: Its words in lower case.

    Yields:
        The index of the first and of the last of the numbers, and the number that they make together, of at most 15
        digits. Groups that go on give one for each of their ends, for `2, 500, 000` may be two numbers as well.
    """
    digits, begin, before = "", 0, -2
    for index, number in enumerate(numbers):
        word = lower[number.first]
        if digits and number.first == before + 1 and len(word) == 3 and word.isdecimal():
            digits = (digits + word)[-15:]
        else:
            digits, begin = word if len(word) <= 3 and word.isdecimal() and word[0] != "0" else "", index
        if len(digits) > 3:
            scale = _ALL_SCALES.get(lower[number.last], 1) if number.last > number.first else 1
            begin = max(begin, index - 4)
            whole = frozenset((float(digits) * scale,))
            yield begin, index, Number(numbers[begin].first, number.last, whole, digits=True)
        before = number.first  # with a scale or an ending the next word is not beside it


def _parts(lower: Sequence[str]) -> set[float]:
    """`twenty` and `five` of `twenty-five`, 5 and 30 of `5:30`."""
    values = set()
    for word in lower:
        if word in NUMBER_WORDS:
            values.add(float(NUMBER_WORDS[word]))
        elif word[0].isdecimal():
            values.update(float(part[:15]) for part in _SEPARATED.split(word)[:4])
    return values


def _said_together(before: Number, number: Number) -> set[float]:
    """`nineteen eighty-four`, `five thirty`, `four fifty`, `two point five`."""
    values = set()
    for high in before.readings:
        for low in number.readings:
            if 0 <= high < 10_000 and 0 <= low < 100 and high.is_integer() and low.is_integer():
                values.update((high * 100 + low, high + low / 100, high + low / 10))
                if high < 24 and low < 60:
                    values.add(clock(int(high * 60 + low)))
    return values


def _past_the_hour(number: Number, lower: Sequence[str]) -> set[float]:
    """`half past five`, `ten to six`."""
    before = lower[max(number.first - 3, 0) : number.first]
    if before[-1:] not in (["past"], ["to"]):
        return set()
    sign = 1 if before[-1] == "past" else -1
    minutes = [_MINUTES.get(word) or NUMBER_WORDS.get(word, 0) for word in before[:-1]]
    hours = [hour for hour in number.readings if 0 < hour <= 24 and hour.is_integer()]
    return {clock(int(hour) * 60 + sign * minute) for hour in hours for minute in minutes if minute}


def is_supported(number: Number, values: tuple[float, ...], hedged: bool) -> bool:
    """Whether a document with these `supporting_values`, V of them, says this number, in O(log V).

    Rounding is support where people use it: to two or more leading digits, or to one after `about`, `nearly`,
    `more than` (`hedged`), of values from 10 on. Sums and differences are not: a reader cannot check them at a glance,
    and allowing them would support nearly everything.
    """
    for claim in number.readings:
        at = bisect_left(values, claim)
        if values[at : at + 1] == (claim,):
            return True
        if claim <= 0:
            continue
        if number.vague:
            if at < len(values):  # something reaches it
                return True
            continue
        # What rounds to a claim lies around it: if neither the next value below nor the next above does, none does.
        at = bisect_left(values, max(claim, 10.0))
        if any(value >= 10 and _rounds_to(value, claim, hedged) for value in values[max(at - 1, 0) : at + 1]):
            return True
    return False


def _rounds_to(value: float, claim: float, hedged: bool) -> bool:
    """Whether people may write `claim` for `value`.

    >>> _rounds_to(1187, 1200, False), _rounds_to(19, 20, False), _rounds_to(19, 20, True), _rounds_to(2012, 2010, True)
    (True, False, True, False)
    """
    if 1900 <= claim <= 2100:  # most likely a year, which nobody rounds
        return False
    mantissa, _, exponent = f"{claim:.9e}".partition("e")
    leading = len(mantissa.replace(".", "").rstrip("0"))
    distance = abs(value - claim)
    if leading >= 2 or hedged:
        unit = 10.0 ** (int(exponent) - leading + 1)
        if distance < unit / 2:
            return True
    return hedged and leading <= 2 and distance <= 0.1 * value


def _read_digits(text: str, words: Sequence[Span], lower: Sequence[str], place: int) -> Number:
    word = lower[place]
    if len(word) > 15:  # a code, not a quantity
        return Number(place, place, frozenset(), digits=True)
    last = place
    readings: set[float] = set()
    parts = _SEPARATED.split(word)
    if ":" in word:
        hours, minutes = int(parts[0]), int(parts[1])
        if hours < 25 and minutes < 60:
            readings.add(clock(hours * 60 + minutes))
            if minutes == 0:
                readings.update((float(hours), float(hours % 12)))
        else:
            readings.update(float(part) for part in parts)
    elif _THOUSANDS.fullmatch(word):
        readings.add(float(_SEPARATED.sub("", word)))
        if len(parts) == 2 and "." in word:
            readings.add(float(word))
    elif len(parts) == 2:
        readings.add(float(".".join(parts)))
        if int(parts[0]) < 25 and len(parts[1]) == 2 and int(parts[1]) < 60:
            readings.add(clock(int(parts[0]) * 60 + int(parts[1])))
    else:
        readings.update(float(part) for part in parts)
    if place + 1 < len(words):
        gap = text[words[place].end : words[place + 1].start]
        after = lower[place + 1]
        scale = _SCALES.get(after) if gap == "" or gap in _JOINT else None
        if scale is None and gap == "":
            scale = _TOUCHING.get(after)
        if scale:
            readings = {value * scale for value in readings if value >= 0}
            last = place + 1
        elif gap == "" and after in ("s", "st", "nd", "rd", "th", "am", "pm"):
            last = place + 1
            if after == "s":
                readings |= {1900 + value for value in readings if value < 100}
        if after in ("am", "pm", "o'clock", "a.m", "p.m") and len(parts) == 1 and int(parts[0]) < 25:
            readings.add(clock(int(parts[0]) * 60))
    return Number(place, last, frozenset(readings), digits=True)


def _read_words(text: str, words: Sequence[Span], lower: Sequence[str], place: int) -> Number:
    """Compose `two hundred and twenty-five thousand`, as far as the words go together."""
    total = current = 0.0
    last = at = place
    while at < len(words):
        word = lower[at]
        if at > place and text[words[at - 1].end : words[at].start] not in _JOINT:
            break
        if word in NUMBER_WORDS:
            value, open_places = NUMBER_WORDS[word], current % 100
            fits = open_places == 0 or (open_places >= 20 and open_places % 10 == 0 and 0 < value < 10)
            if not fits or (at > place and not total and not current):
                break
            current += value
        elif word in _SCALES and _SCALES[word] <= 100 and current < 100:
            current = max(current, 1) * _SCALES[word]
        elif word in _SCALES and _SCALES[word] > 100:
            total += max(current, 1) * _SCALES[word]
            current = 0
        elif word == "and" and lower[at - 1] in _SCALES and at + 1 < len(words) and lower[at + 1] in NUMBER_WORDS:
            at += 1
            continue
        else:
            break
        last = at
        at += 1
    value = total + current
    readings = {value}
    if lower[last].endswith("ties") and value < 100:
        readings.add(1900 + value)
    return Number(place, last, frozenset(readings))

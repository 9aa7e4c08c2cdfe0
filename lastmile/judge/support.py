"""What the document does not support: names, numbers and content words of a summary that it does not have.

All three ask one question, "does the document say this?", and answer no only after every way in which people say the
same thing differently has been tried: a wrong flag trains the model to dodge the flag.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from rapidfuzz.distance import OSA

from lastmile.judge.document import Document, Text
from lastmile.judge.lexicon import FAMILIES, HEDGES, SMALL_WORDS, STOP_WORDS, TITLES, UNITS
from lastmile.judge.numbers import NUMBER_WORDS, VAGUE, Number, is_supported, written_apart
from lastmile.judge.rouge import stem
from lastmile.records import Flag

# Endings that turn a country into its people and back: `Italy`, `Italian`, `Italians`.
_PEOPLE = frozenset(
    f"{ending}{plural}"
    for ending in ("", "a", "e", "o", "y", "an", "n", "ian", "ean", "ese", "ish", "ey", "i", "ic", "ia", "er")
    for plural in ("", "s")
)


def unsupported_names(summary: Text, document: Document, names: Collection[int]) -> list[int]:
    """The places of the names that the document does not have, in order."""
    return [place for place in sorted(names) if not _has_name(document, summary, place)]


def unsupported_numbers(summary: Text, document: Document) -> list[Number]:
    """The numbers whose value the document does not have, in order."""
    found = []
    apart = _apart(summary, document)
    for place, number in enumerate(summary.numbers):
        first, last = number.first, number.last
        if place in apart:
            continue
        if document.vocabulary.issuperset(summary.forms[first : last + 1]):
            continue
        if not number.digits and number.readings <= {0.0, 1.0, 2.0}:
            after = summary.lower[last + 1] if last + 1 < len(summary) else ""
            if after not in UNITS:
                continue
        if not is_supported(number, document.values, _hedged(summary, number)):
            found.append(number)
    return found


def _apart(summary: Text, document: Document) -> set[int]:
    """Which of the summary's numbers are groups of one that the document has: `20, 000` of its `20,000`."""
    groups: set[int] = set()
    for first, last, whole in written_apart(summary.numbers, summary.lower):
        if is_supported(whole, document.values, _hedged(summary, whole)):
            groups.update(range(first, last + 1))
    return groups


def _hedged(summary: Text, number: Number) -> bool:
    return not HEDGES.isdisjoint(summary.lower[max(number.first - 3, 0) : number.first])


def find_unsupported_entities(
    summary: Text, document: Document, names: Collection[int], typical_words: float
) -> tuple[Flag, ...]:
    """Flag names that the document does not have; neighbouring ones share a flag.

    A name is supported by the same word in any case or inflection, another spelling within one letter, a shorter or
    longer form (`Tim`, `Timothy`), a people for its country, an acronym for its words and the words for their acronym.

    Args:
        summary: The summary.
        document: What it must be supported by.
        names: The places of its names; see `name_places`.
        typical_words: Median words of a target; the cost of a flag is its words over this.
    """
    absent = unsupported_names(summary, document, names)
    return tuple(
        _flag("unsupported_entity", summary, first, last, document, typical_words)
        for first, last in _runs(summary, absent)
    )


def find_unsupported_numbers(summary: Text, document: Document, typical_words: float) -> tuple[Flag, ...]:
    """Flag numbers whose value the document does not have; see `lastmile.judge.numbers`.

    `one` and `two` in words are rarely claims (`the two of them`): they count only before a unit (`two hours`).

    Args:
        summary: The summary.
        document: What it must be supported by.
        typical_words: Median words of a target; the cost of a flag is its words over this.
    """
    return tuple(
        _flag("unsupported_number", summary, number.first, number.last, document, typical_words)
        for number in unsupported_numbers(summary, document)
    )


def find_unsupported_words(
    summary: Text, document: Document, names: Collection[int], typical_words: float
) -> tuple[Flag, ...]:
    """Flag content words, neither names nor numbers, that the document has in no inflection or derivation.

    People choose words of their own too: most good summaries have some of these. It is a measure of how far a text
    strays from its document's wording rather than a fault, and costs nothing unless a recipe says so.

    Args:
        summary: The summary.
        document: What it must be supported by.
        names: The places of its names; see `name_places`.
        typical_words: Median words of a target; the cost of a flag is one word over this.
    """
    return tuple(
        _flag("unsupported_word", summary, place, place, document, typical_words)
        for place, short in enumerate(summary.forms)
        if place not in names and _is_content(short) and not _has_word(document, short)
    )


def _has_name(document: Document, summary: Text, place: int) -> bool:
    name, forms = summary.forms[place], summary.forms
    vocabulary = document.vocabulary
    if name in vocabulary or stem(name) in document.stems:
        return True
    if name in document.relatives or stem(name) in document.relatives or name in document.joined:
        return True
    if "".join(forms[max(place - 1, 0) : place + 1]) in vocabulary or "".join(forms[place : place + 2]) in vocabulary:
        return True
    if not name.isalpha():
        return False
    if 2 <= len(name) <= 6 and (name in document.capital_initials or (len(name) > 2 and name in document.initials)):
        return True
    if any(_spelled_by(acronym, forms, place) for acronym in document.acronyms):
        return True
    return any(_same_name(name, other) for other in document.names)


def _spelled_by(acronym: str, forms: list[str], place: int) -> bool:
    """Whether `acronym` is made of the first letters of words around `place`, small words counted or not."""
    size = len(acronym)
    around = range(max(place - 2 * size, 0), min(place + 2 * size, len(forms)))
    for skipped in (frozenset(), SMALL_WORDS):
        kept = [k for k in around if k == place or forms[k] not in skipped]
        letters = "".join([forms[k][:1] for k in kept])
        at = kept.index(place)
        if acronym in letters[max(at - size + 1, 0) : at + size]:
            return True
    return False


def _same_name(name: str, other: str) -> bool:
    shorter, longer = sorted((name, other), key=len)
    if len(shorter) >= 3 and longer.startswith(shorter):
        return True
    if len(shorter) >= 4 and name[:4] == other[:4]:
        common = next((i for i, (a, b) in enumerate(zip(name, other, strict=False)) if a != b), len(shorter))
        if name[common:] in _PEOPLE and other[common:] in _PEOPLE:
            return True
    return len(shorter) >= 5 and OSA.distance(name, other, score_cutoff=1) <= 1


def _is_content(short: str) -> bool:
    return (
        len(short) > 2
        and short.isalpha()
        and short not in STOP_WORDS
        and short not in TITLES
        and short not in NUMBER_WORDS
        and short not in VAGUE
    )


def _has_word(document: Document, short: str) -> bool:
    if short in document.vocabulary:
        return True
    root = stem(short)
    if root in document.stems or root in document.relatives or short in document.joined:
        return True
    return short[:5] in document.openings or not document.stems.isdisjoint(FAMILIES.get(short, ()))


def _runs(summary: Text, places: list[int]) -> Iterator[tuple[int, int]]:
    """Neighbours in `places` with nothing but a space, a hyphen or a point between them, as (first, last)."""
    first = last = -2
    for place in places:
        gap = summary.text[summary.words[last].end : summary.words[place].start] if place == last + 1 else "apart"
        if gap.strip() in ("", "-", ".", "&"):
            last = place
            continue
        if last >= 0:
            yield first, last
        first = last = place
    if last >= 0:
        yield first, last


def _flag(name: str, summary: Text, first: int, last: int, document: Document, typical_words: float) -> Flag:
    start, end = summary.words[first].start, summary.words[last].end
    evidence = document.nearest(summary.content_at(start)) or "not in the document"
    return Flag(name, start, end, summary.text[start:end], evidence, (last - first + 1) / typical_words)

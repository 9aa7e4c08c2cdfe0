"""For each word of a summary: what speaks for and against the document supporting it."""

from __future__ import annotations

import math
from collections.abc import Collection
from itertools import pairwise

from lastmile.judge.grounding import FAR, Grounding, closeness
from lastmile.judge.lexicon import ARTICLES, AUXILIARIES, PREPOSITIONS
from lastmile.judge.numbers import NUMBER_WORDS

# A function word may belong to a content word at most this far off.
_REACH = 4


def word_signals(grounding: Grounding, numbers: Collection[int], names: Collection[int]) -> list[dict[str, float]]:
    """Signals of each word of `grounding.forms`; all lie in 0..1.

    Args:
        grounding: The summary on its document.
        numbers: The places of numbers that the document does not have.
        names: The same of names.
    """
    ground, forms, count = grounding.ground, grounding.forms, len(grounding.forms)
    content = frozenset(grounding.content)
    absent = [0.0] * count
    for k in content:
        if not grounding.places[k] and not forms[k][0].isdigit():
            absent[k] = 1.0
    for k in (*numbers, *names):
        absent[k] = 1.0
    two, three = ground.grams(2), ground.grams(3)
    bigram = [0.0, *[float(gram in two) for gram in pairwise(forms)], 0.0]
    trigram = [0.0, *[float(gram in three) for gram in zip(forms, forms[1:], forms[2:], strict=False)], 0.0]
    before, after = _neighbours(grounding, content)
    links, apart = _links(grounding)
    by_sentence = _by_sentence(grounding, absent, links)
    absent_share = sum(absent) / max(len(content), 1)
    short_summary = 10 / (10 + count)
    signals = []
    for k, short in enumerate(forms):
        left, right, is_content = before[k], after[k], k in content
        left_absent = absent[left] if left >= 0 else 0.0
        right_absent = absent[right] if right >= 0 else 0.0
        sentence_absent, sentence_link = by_sentence[grounding.sentence_of[k]]
        own, places = links[k], grounding.places[k]
        beside = (links[left] if left >= 0 else []) + (links[right] if right >= 0 else [])
        signals.append(
            {
                "absent": absent[k],
                "relative": float(bool(places) and not grounding.direct[k]),
                "function": 0.0 if is_content else 1.0,
                "article": float(short in ARTICLES),
                "preposition": float(short in PREPOSITIONS),
                "auxiliary": float(short in AUXILIARIES),
                "number": float(short[0].isdigit() or short in NUMBER_WORDS),
                "wrong_number": float(k in numbers),
                "name": float(short in ground.capital or k in names),
                "left_absent": left_absent,
                "right_absent": right_absent,
                "function_left_absent": 0.0 if is_content else left_absent,
                "function_right_absent": 0.0 if is_content else right_absent,
                "between_absent": left_absent * right_absent,
                "absent_around": sum(absent[max(k - 3, 0) : k + 4]) / 7,
                "absent_share": absent_share,
                "sentence_absent_share": sentence_absent,
                "left_bigram": bigram[k],
                "right_bigram": bigram[k + 1],
                "trigram": trigram[k] if count > 2 else 0.0,
                "run": min(grounding.run[k], 6) / 6,
                "apart": apart[k],
                "link": sum(own) / len(own) if own else 0.0,
                "link_beside": sum(beside) / len(beside) if beside else 0.0,
                "sentence_link": sentence_link,
                "often": math.log1p(len(places)) / 3 if is_content else 0.0,
                "long": min(len(short), 12) / 12,
                "opens": float(k < 2),
                "place": k / count,
                "short_summary": short_summary,
            }
        )
    return signals


def _links(grounding: Grounding) -> tuple[list[list[float]], list[float]]:
    """For each word how near its neighbours stand to it in the document, and whether one stands far off."""
    count = len(grounding.forms)
    links: list[list[float]] = [[] for _ in range(count)]
    apart = [0.0] * count
    for one, other, distance in grounding.pairs:
        support = closeness(distance)
        links[one].append(support)
        links[other].append(support)
        if 12 < distance < FAR:
            apart[one] = apart[other] = 1.0
    return links, apart


def _by_sentence(grounding: Grounding, absent: list[float], links: list[list[float]]) -> dict[int, tuple[float, float]]:
    """For each sentence the share of its content that is absent, and the mean of its links."""
    places: dict[int, list[int]] = {}
    for k, number in enumerate(grounding.sentence_of):
        places.setdefault(number, []).append(k)
    content = frozenset(grounding.content)
    found = {}
    for number, own in places.items():
        linked = [link for k in own for link in links[k]]
        found[number] = (
            sum([absent[k] for k in own]) / max(sum([k in content for k in own]), 1),
            sum(linked) / len(linked) if linked else 0.0,
        )
    return found


def _neighbours(grounding: Grounding, content: frozenset[int]) -> tuple[list[int], list[int]]:
    """For each word the next content word of its sentence to the left and to the right, −1 beyond reach."""
    count, sentence_of = len(grounding.forms), grounding.sentence_of
    before, after = [-1] * count, [-1] * count
    for found, order in ((before, range(count)), (after, range(count - 1, -1, -1))):
        last = -1
        for k in order:
            if last >= 0 and abs(k - last) <= _REACH and sentence_of[last] == sentence_of[k]:
                found[k] = last
            if k in content:
                last = k
    return before, after

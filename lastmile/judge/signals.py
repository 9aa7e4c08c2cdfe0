"""What a document's wording says for and against a summary: named numbers, each with one direction.

`SUPPORTS` says which way each may count: +1 where more of it speaks for the summary, −1 where it speaks against. The
fit keeps to these signs, so that no summary can look better by getting worse at what a signal measures.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection

from lastmile.judge.contradiction import contradictions
from lastmile.judge.grounding import FAR, Grounding, closeness
from lastmile.judge.lexicon import POINTERS, PRONOUNS

SUPPORTS = {
    "novel_1grams": -1,
    "novel_2grams": -1,
    "novel_4grams": -1,
    "contained": +1,
    "contained_least": +1,
    "contained_rare": +1,
    "long_runs": +1,
    "whole_runs": +1,
    "pair_support": +1,
    "pair_support_least": +1,
    "pair_support_worst": +1,
    "pair_support_close": +1,
    "pairs_apart": -1,
    "log_pairs_apart": -1,
    "splices": -1,
    "loose_openings": -1,
    "absent_share": -1,
    "log_absent": -1,
    "relative_share": -1,
    "wrong_numbers": -1,
    "wrong_names": -1,
    "numbers": -1,
    "capitals": -1,
    "negated_alone": -1,
    "contradicted": -1,
    "repeated_content": -1,
    "most_repeated": -1,
    "unknown_tokens": -1,
    "pronouns": -1,
    "sentences": -1,
    "short_document": -1,
    "words_mean": -1,
    "words_top": -1,
}

_APART = 12


def summary_signals(
    grounding: Grounding, numbers: Collection[int], names: Collection[int], words: Collection[float]
) -> dict[str, float]:
    """Signals of a whole summary that has at least one word.

    Args:
        grounding: The summary on its document.
        numbers: The places, in `grounding.forms`, of numbers that the document does not have.
        names: The same of names.
        words: For each word the probability that it is unsupported.
    """
    top = sorted(words)[-3:]
    return {
        **_overlap(grounding),
        **_relations(grounding),
        **_claims(grounding, numbers, names),
        **_form(grounding),
        "words_mean": sum(words) / len(words),
        "words_top": sum(top) / len(top),
    }


def _overlap(grounding: Grounding) -> dict[str, float]:
    """How much of the wording is the document's: n-grams, containment in one sentence of it, copied runs."""
    forms, count = grounding.forms, len(grounding.forms)
    signals = {}
    for n in (1, 2, 4):
        grams = list(zip(*(forms[k:] for k in range(n)), strict=False))
        there = grounding.ground.grams(n)
        signals[f"novel_{n}grams"] = sum([gram not in there for gram in grams]) / len(grams) if grams else 0.0
    shares, rare = _containment(grounding)
    runs = grounding.fragments
    last = grounding.sentence_of[-1] + 1
    return signals | {
        "contained": sum(shares) / len(shares),
        "contained_least": min(shares),
        "contained_rare": sum(rare) / len(rare),
        "long_runs": sum([run.length for run in runs if run.length >= 5]) / count,
        "whole_runs": sum([grounding.opens(run.summary_start) and grounding.closes(run) for run in runs]) / last,
    }


def _containment(grounding: Grounding) -> tuple[list[float], list[float]]:
    """For each sentence the best share of its content in one sentence of the document, plain and rare words more."""
    ground = grounding.ground
    by_sentence: dict[int, dict[str, int]] = {}
    for k in grounding.content:
        by_sentence.setdefault(grounding.sentence_of[k], {}).setdefault(grounding.forms[k], k)
    shares, rare = [], []
    for own in by_sentence.values():
        count: dict[int, int] = {}
        weight: dict[int, float] = {}
        total = 0.0
        for k in own.values():
            where = {ground.sentence_of[place] for place in grounding.places[k]}
            rarity = math.log((ground.num_sentences + 1) / (len(where) + 0.5))
            total += rarity
            for sentence in where:
                count[sentence] = count.get(sentence, 0) + 1
                weight[sentence] = weight.get(sentence, 0.0) + rarity
        shares.append(max(count.values(), default=0) / len(own))
        rare.append(max(weight.values(), default=0.0) / total if total > 0 else 0.0)
    return shares or [0.0], rare or [0.0]


def _relations(grounding: Grounding) -> dict[str, float]:
    """Whether what stands together in the summary stands together in the document."""
    by_sentence: dict[int, list[float]] = {}
    close, apart = [], 0
    for one, other, distance in grounding.pairs:
        support = closeness(distance)
        by_sentence.setdefault(grounding.sentence_of[one], []).append(support)
        apart += _APART < distance < FAR
        if other - one <= 2:
            close.append(support)
    every = [support for found in by_sentence.values() for support in found]
    means = [sum(found) / len(found) for found in by_sentence.values()]
    worst = [min(found) for found in by_sentence.values()]
    return {
        "pair_support": sum(every) / max(len(every), 1),
        "pair_support_least": min(means, default=0.0),
        "pair_support_worst": sum(worst) / max(len(worst), 1),
        "pair_support_close": sum(close) / max(len(close), 1),
        "pairs_apart": apart / max(len(every), 1),
        "log_pairs_apart": math.log1p(apart),
        "splices": 10 * _splices(grounding) / len(grounding.forms),
        "loose_openings": float(_loose_openings(grounding)),
    }


def _splices(grounding: Grounding) -> int:
    """Places inside a sentence where a copied run ends and one from another sentence of the document begins."""
    jumps, ground = 0, grounding.ground
    for before, after in zip(grounding.fragments, grounding.fragments[1:], strict=False):
        last = before.summary_start + before.length - 1
        if max(before.length, after.length) < 2 or grounding.opens(after.summary_start):
            continue
        if grounding.sentence_of[last] == grounding.sentence_of[after.summary_start]:
            here = ground.sentence_of[before.document_start + before.length - 1]
            jumps += here != ground.sentence_of[after.document_start]
    return jumps


def _loose_openings(grounding: Grounding) -> int:
    """Sentences that open with `he`, `they`, `this` and follow another sentence than they did in the document."""
    source: dict[int, tuple[int, int]] = {}
    for run in grounding.fragments:
        number = grounding.sentence_of[run.summary_start]
        if number not in source or run.length > source[number][0]:
            source[number] = run.length, grounding.ground.sentence_of[run.document_start]
    loose = 0
    for k, number in enumerate(grounding.sentence_of):
        if grounding.opens(k) and not POINTERS.isdisjoint(grounding.forms[k : k + 3]):
            here, before = source.get(number, (0, -1))[1], source.get(number - 1, (0, -1))[1]
            loose += here > 0 and not 0 <= here - before <= 1
    return loose


def _claims(grounding: Grounding, numbers: Collection[int], names: Collection[int]) -> dict[str, float]:
    """Words, names, numbers and negations that the document lacks, and how much of the summary makes such claims."""
    content, forms = grounding.content, grounding.forms
    total = max(len(content), 1)
    absent = sum([not grounding.places[k] for k in content])
    kin = sum([bool(grounding.places[k]) and not grounding.direct[k] for k in content])
    negated = bool(grounding.negations) and not grounding.ground.negations
    return {
        "absent_share": absent / total,
        "log_absent": math.log1p(absent),
        "relative_share": kin / total,
        "wrong_numbers": float(bool(numbers)),
        "wrong_names": float(bool(names)),
        "numbers": sum([forms[k][0].isdigit() for k in content]) / total,
        "capitals": sum([forms[k] in grounding.ground.capital for k in content]) / total,
        "negated_alone": float(negated),
        "contradicted": float(bool(contradictions(grounding))),
    }


def _form(grounding: Grounding) -> dict[str, float]:
    """What broken text looks like whatever its document, and what makes a mistake likelier."""
    forms = grounding.forms
    counts = Counter([forms[k] for k in grounding.content])
    total = max(len(grounding.content), 1)
    return {
        "repeated_content": 1 - len(counts) / total if counts else 0.0,
        "most_repeated": max(counts.values(), default=1) / total,
        "unknown_tokens": min(forms.count("unk"), 3) / 3,
        "pronouns": sum([form in PRONOUNS for form in forms]) / len(forms),
        "sentences": float(min(grounding.sentence_of[-1] + 1, 8)),
        "short_document": 100 / (100 + len(grounding.ground.forms)),
    }

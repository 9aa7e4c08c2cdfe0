"""What is reported of a system's summaries: names, units, and which direction is better."""

from __future__ import annotations

from typing import Literal, NamedTuple

ROUGE_TYPES = ("rouge1", "rouge2", "rougeL", "rougeLsum")

# The faults that `flag_rate` and `flagged_words` count. `length`, `copy`, `unsupported_word` and `unrelated` are
# matters of degree that many good summaries show a little of; they are reported each on its own and never mixed in.
# `contradiction`, `wrong_speaker`, `garbled` and `boilerplate` came later and are left out, so that the rate keeps its
# meaning.
FAULTS = ("repetition", "unsupported_entity", "unsupported_number", "unfinished", "empty")


class Metric(NamedTuple):
    """A reported measure.

    Attributes:
        name: Key in `report.json`.
        label: Column head.
        unit: `points` (0..100), `share` (0..1, shown in per cent), or `number`.
        better: Which direction is better; `neither` where the middle is right or readers must judge.
        meaning: One line for the legend.
    """

    name: str
    label: str
    unit: Literal["points", "share", "number"]
    better: Literal["higher", "lower", "neither"]
    meaning: str


METRICS: dict[str, Metric] = {
    row[0]: Metric(*row)
    for row in (
        ("rouge1", "ROUGE-1", "points", "higher", "F1 of words against the target, × 100"),
        ("rouge2", "ROUGE-2", "points", "higher", "F1 of word pairs against the target, × 100"),
        ("rougeL", "ROUGE-L", "points", "higher", "F1 of the longest common subsequence, × 100"),
        ("rougeLsum", "ROUGE-Lsum", "points", "higher", "ROUGE-L taken sentence by sentence, × 100"),
        ("wrong_facts", "wrong facts", "share", "lower", "summaries with at least one wrong fact"),
        ("invented_facts", "invented facts", "share", "lower", "summaries with a fact that the document does not tell"),
        ("misplaced_facts", "misplaced facts", "share", "lower", "summaries with one of its facts in another's place"),
        ("facts_per_summary", "facts told", "number", "neither", "facts of the document in a summary"),
        ("flag_rate", "flag rate", "share", "lower", f"summaries with any flag of {', '.join(FAULTS)}"),
        ("flagged_words", "flagged words", "share", "lower", "words of the summaries inside such flags"),
        ("flag/repetition", "repetition", "share", "lower", "summaries that repeat themselves"),
        ("flag/unsupported_entity", "unsupported entity", "share", "lower", "summaries with a name not in it"),
        ("flag/unsupported_number", "unsupported number", "share", "lower", "summaries with a number not in it"),
        ("flag/unfinished", "unfinished", "share", "lower", "summaries that stop in the middle of a sentence"),
        ("flag/empty", "empty", "share", "lower", "summaries without a word"),
        ("flag/unsupported_word", "unsupported word", "share", "neither", "summaries with other words not in it"),
        ("flag/unrelated", "unrelated", "share", "neither", "summaries with neighbours that stand far apart in it"),
        ("flag/contradiction", "contradiction", "share", "lower", "summaries with the opposite of what it says"),
        ("flag/wrong_speaker", "wrong speaker", "share", "lower", "summaries that give one speaker another's words"),
        ("flag/garbled", "garbled", "share", "lower", "summaries with a passage that nobody can read"),
        ("flag/boilerplate", "boilerplate", "share", "lower", "summaries with the furniture of a web page"),
        ("flag/learned", "learned", "share", "lower", "summaries with words that the learned detector doubts"),
        ("flag/copy", "copy", "share", "neither", "summaries that copy a longer passage than targets do"),
        ("flag/length", "length", "share", "lower", "summaries shorter or longer than the targets' usual band"),
        ("absent_words", "absent words", "share", "lower", "content words whose stem is not in the document"),
        ("repeated_trigrams", "repeated trigrams", "share", "lower", "trigrams that the summary had already"),
        ("copied_trigrams", "copied trigrams", "share", "neither", "trigrams of the summary found in the document"),
        ("novel_1grams", "novel words", "share", "neither", "words of the summary not in the document"),
        ("novel_2grams", "novel bigrams", "share", "neither", "bigrams of the summary not in the document"),
        ("novel_3grams", "novel trigrams", "share", "neither", "trigrams of the summary not in the document"),
        ("novel_4grams", "novel 4-grams", "share", "neither", "4-grams of the summary not in the document"),
        ("coverage", "coverage", "share", "neither", "words inside fragments shared with the document"),
        ("density", "density", "number", "neither", "mean squared length of those fragments, per word"),
        ("words", "words", "number", "neither", "words in a summary"),
        ("length_ratio", "length ratio", "number", "neither", "words of the summaries over words of the targets"),
        ("distinct_2", "distinct bigrams", "share", "neither", "different bigrams of all summaries over all bigrams"),
        ("unended", "never ended", "share", "lower", "summaries cut at the length limit"),
        ("reward", "trained reward", "number", "neither", "what policy gradient maximised: no evidence by itself"),
    )
}

# What differences are tested on; every other metric has its interval alone.
TESTED = ("rouge1", "rouge2", "rougeL", "rougeLsum", "wrong_facts", "invented_facts", "misplaced_facts", "flag_rate",
          "flagged_words", "absent_words", "repeated_trigrams", "copied_trigrams", "length_ratio")  # fmt: skip


def shown(metric: str, value: float) -> str:
    """Write a value as people read it.

    >>> shown("rougeL", 33.824), shown("flag_rate", 0.0534), shown("words", 21.74)
    ('33.82', '5.3 %', '21.7')
    """
    return _number(metric, value) + (" %" if METRICS[metric].unit == "share" else "")


def shown_difference(metric: str, delta: float, low: float, high: float) -> tuple[str, str]:
    """Write a difference and its interval; that of two percentages is in percentage points (pp).

    >>> shown_difference("flag_rate", -0.05, -0.071, 0.001)
    ('−5.0 pp', '−7.1 to +0.1')
    """
    unit = " pp" if METRICS[metric].unit == "share" else ""
    return _number(metric, delta, "+") + unit, f"{_number(metric, low, '+')} to {_number(metric, high, '+')}"


def _number(metric: str, value: float, sign: str = "") -> str:
    scale, digits = (100, 1) if METRICS[metric].unit == "share" else (1, 1 if metric == "words" else 2)
    return f"{scale * value:{sign}.{digits}f}".replace("-", "−")


def p_text(p: float) -> str:
    """Write a p with the digits that it deserves.

    >>> p_text(0.0312), p_text(0.0001)
    ('0.031', '< 0.001')
    """
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def verdict_of(
    metric: str, delta: float, p_holm: float, level: float = 0.05
) -> Literal["better", "worse", "more", "less", "same"]:
    """Say what a tested difference a − b means for a: `same` unless p (Holm) is below `level`.

    >>> verdict_of("flag_rate", -0.02, 0.01), verdict_of("copied_trigrams", 0.02, 0.01), verdict_of("rougeL", 1.0, 0.2)
    ('better', 'more', 'same')
    """
    if p_holm >= level or delta == 0:
        return "same"
    better = METRICS[metric].better
    if better == "neither":
        return "more" if delta > 0 else "less"
    return "better" if (delta > 0) == (better == "higher") else "worse"

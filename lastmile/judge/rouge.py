"""ROUGE-1, -2, -L and -Lsum, equal to the `rouge_score` package and fast enough to be a reward."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import chain, pairwise
from typing import Literal, NamedTuple

from nltk.stem.porter import PorterStemmer
from rapidfuzz.distance import LCSseq

from lastmile.corpus.text import sentences
from lastmile.errors import InputError

ROUGE_TYPES = ("rouge1", "rouge2", "rougeL", "rougeLsum")
TOKEN = re.compile(r"[a-z0-9]+")
_porter = PorterStemmer()


@lru_cache(maxsize=1 << 18)
def stem(word: str) -> str:
    """The Porter stem of a lower-case word; words of up to three letters stay, as in `rouge_score`.

    >>> stem("summaries"), stem("was")
    ('summari', 'was')
    """
    return _porter.stem(word) if len(word) > 3 else word


class RougeScore(NamedTuple):
    """One ROUGE measure of one summary, each in 0..1."""

    precision: float
    recall: float
    f1: float


_ZERO = RougeScore(0.0, 0.0, 0.0)


class Rouge:
    """ROUGE against one or several targets.

    Equal to `rouge_score.RougeScorer(types, use_stemmer)` on the same text, with three savings: a word is stemmed
    once in its life, a target is counted once for all its summaries, and longest common subsequences are found on
    bits. Sentences for `rougeLsum` are those of `lastmile.corpus.text.sentences` (sentencex, and every line break):
    the score is what `rouge_score` gives for the text with one such sentence a line.

    Args:
        types: Some of `rouge1`, `rouge2`, `rougeL`, `rougeLsum`.
        use_stemmer: Compare Porter stems, as most papers do, rather than words.

    Raises:
        InputError: If a type is unknown or none is given.

    Source: Lin (2004), "ROUGE: A Package for Automatic Evaluation of Summaries"; `rouge_score` 0.1.2.
    """

    def __init__(self, types: Sequence[str] = ROUGE_TYPES, use_stemmer: bool = True):
        unknown = [name for name in types if name not in ROUGE_TYPES]
        if unknown or not types:
            given = ", ".join(f"`{name}`" for name in unknown) or "none"
            raise InputError(f"ROUGE types must be among {', '.join(ROUGE_TYPES)}, got {given}")
        self.types = tuple(types)
        self.use_stemmer = use_stemmer

    def score(
        self, targets: Sequence[str], summary: str, several: Literal["best", "mean", "first"] = "best"
    ) -> dict[str, RougeScore]:
        """Score `summary` against its targets.

        Args:
            targets: At least one human summary.
            summary: The text to score. Without a single Latin letter or digit it scores 0, as in `rouge_score`;
                the judge treats such a summary as unscorable instead.
            several: With several targets take, for each type, the one with the `best` F1, the `mean`, or the `first`.

        Returns:
            Type to score.

        Raises:
            InputError: If there is no target, or `several` is unknown.
        """
        if not targets:
            raise InputError("ROUGE needs at least one target, got none")
        if several not in ("best", "mean", "first"):
            raise InputError(f"`several` must be one of best, mean, first, got `{several}`")
        if several == "first":
            targets = targets[:1]
        if "rougeLsum" in self.types:
            tokens, lines = _tokens_and_lines(summary, self.use_stemmer)
        else:
            tokens, lines = _tokens(summary, self.use_stemmer), []
        scored = []
        for target in targets:
            read = _read_target(target, self.use_stemmer)
            scored.append([_SCORERS[name](read, tokens, lines) for name in self.types])
        if len(scored) == 1:
            return dict(zip(self.types, scored[0], strict=True))
        pick = _mean if several == "mean" else _best
        return {name: pick(column) for name, column in zip(self.types, zip(*scored, strict=True), strict=True)}

    def mean_f1(self, targets: Sequence[str], summary: str) -> float:
        """The mean F1 of the types against the best target; NaN where summary or targets have nothing to match."""
        if not has_tokens(summary) or not any(map(has_tokens, targets)):
            return math.nan
        scores = self.score(targets, summary)
        return sum(score.f1 for score in scores.values()) / len(scores)


class _Target:
    """A target, counted once for all the summaries that are measured against it.

    Attributes:
        tokens: Its tokens.
        unigrams: How often each token occurs.
        bigrams: How often each pair of neighbours occurs.
        letters: One character for each token, from U+0001 on: rapidfuzz compares strings faster than lists.
        spelled: The tokens written in these letters.
        places: The tokens of all sentences in one list, an empty place after each sentence.
        segments: For each sentence an integer with the bits of its places set.
        masks: Token to an integer with the bits of its places set.
    """

    def __init__(self, text: str, stemmed: bool):
        self.tokens, lines = _tokens_and_lines(text, stemmed)
        self.unigrams = Counter(self.tokens)
        self.bigrams = Counter(pairwise(self.tokens))
        self.letters = {token: chr(number) for number, token in enumerate(self.unigrams, start=1)}
        self.spelled = "".join([self.letters[token] for token in self.tokens])
        self.places: list[str] = []
        self.segments: list[int] = []
        self.masks: dict[str, int] = {}
        for line in lines:
            start = len(self.places)
            self.places += [*line, ""]
            self.segments.append((1 << len(line)) - 1 << start)
            for place, token in enumerate(line, start):
                self.masks[token] = self.masks.get(token, 0) | 1 << place


@lru_cache(maxsize=4096)
def _read_target(text: str, stemmed: bool) -> _Target:
    return _Target(text, stemmed)


def has_tokens(text: str) -> bool:
    """Whether ROUGE sees anything in a text: it reads Latin letters without accents and digits alone.

    >>> has_tokens("été"), has_tokens("夏天"), has_tokens("...")
    (True, False, False)
    """
    return TOKEN.search(text.lower()) is not None


def _tokens(text: str, stemmed: bool) -> list[str]:
    found = TOKEN.findall(text.lower())
    return list(map(stem, found)) if stemmed else found


def _tokens_and_lines(text: str, stemmed: bool) -> tuple[list[str], list[list[str]]]:
    """The tokens of a text, and those of each of its sentences."""
    found = sentences(text)
    if len(found) == 1:
        tokens = _tokens(text, stemmed)
        return tokens, [tokens]
    lines = [_tokens(sentence.text, stemmed) for sentence in found]
    if any(text[sentence.start - 1].isalnum() for sentence in found[1:]):  # a sentence ends inside a word
        return _tokens(text, stemmed), lines
    return list(chain.from_iterable(lines)), lines


def _ratio(hits: int, target_count: int, summary_count: int) -> RougeScore:
    if not hits:
        return _ZERO
    precision, recall = hits / summary_count, hits / target_count
    return RougeScore(precision, recall, 2 * precision * recall / (precision + recall))


def _overlap(counts: Mapping, grams: Iterable) -> int:
    """How many of `grams` are in `counts`, each at most as often as counted there."""
    left = dict(counts)
    hits = 0
    for gram in grams:
        count = left.get(gram)
        if count:
            left[gram] = count - 1
            hits += 1
    return hits


def _rouge1(target: _Target, tokens: list[str], lines: list[list[str]]) -> RougeScore:
    return _ratio(_overlap(target.unigrams, tokens), len(target.tokens), len(tokens))


def _rouge2(target: _Target, tokens: list[str], lines: list[list[str]]) -> RougeScore:
    return _ratio(_overlap(target.bigrams, pairwise(tokens)), len(target.tokens) - 1, len(tokens) - 1)


def _rouge_l(target: _Target, tokens: list[str], lines: list[list[str]]) -> RougeScore:
    # Words that the target lacks match nothing: all are spelled U+0000.
    letters = target.letters
    spelled = "".join([letters.get(token, "\0") for token in tokens])
    return _ratio(LCSseq.similarity(target.spelled, spelled), len(target.tokens), len(tokens))


def _rouge_lsum(target: _Target, tokens: list[str], lines: list[list[str]]) -> RougeScore:
    """For each target sentence the union of its LCS with every summary sentence, no token counted twice."""
    if len(target.segments) == len(lines) == 1:
        return _rouge_l(target, tokens, lines)
    union = 0
    for line in lines:
        union |= _common(target, line)
    hits: dict[str, int] = {}
    while union:
        place = union.bit_length() - 1
        union ^= 1 << place
        token = target.places[place]
        hits[token] = hits.get(token, 0) + 1
    return _ratio(_overlap(hits, tokens), len(target.tokens), len(tokens))


def _common(target: _Target, line: list[str]) -> int:
    """Which places of each target sentence belong to its longest common subsequence with `line`, as bits.

    For one sentence let L(i, j) be the length of the LCS of its first i tokens and the first j of `line`. Column j is
    kept as an integer whose bit i-1 is 0 exactly where L(i, j) = L(i-1, j) + 1, so a column costs four operations on
    integers (Hyyrö 2004); all sentences go side by side, the empty place between them takes the carry.

    Of several longest subsequences `rouge_score` reads one, from the end: a match is taken; else j falls where
    L(i, j-1) > L(i-1, j), which holds exactly where bit i-1 is 0; else i falls. The walk back makes the same choices,
    and falls in one step to the next i that stops it.
    """
    inside = column = sum(target.segments)
    columns: list[tuple[int, int]] = []
    matched = False
    for token in line:
        matches = target.masks.get(token, 0)
        if matches:
            both = column & matches
            column = ((column + both) | (column - both)) & inside
        elif not matched:
            # A column without a match equals its left neighbour: i falls at the first of them, the others do nothing.
            continue
        columns.append((matches, matches | ~column))
        matched = matches > 0
    columns.reverse()
    common = 0
    for segment in target.segments:
        below = segment
        for matches, stops in columns:
            place = (stops & below).bit_length()
            if not place:
                break
            bit = 1 << (place - 1)
            if matches & bit:
                common |= bit
                below = (bit - 1) & segment
            else:
                below = (2 * bit - 1) & segment
    return common


_SCORERS: dict[str, Callable[[_Target, list[str], list[list[str]]], RougeScore]] = {
    "rouge1": _rouge1,
    "rouge2": _rouge2,
    "rougeL": _rouge_l,
    "rougeLsum": _rouge_lsum,
}


def _best(scores: Sequence[RougeScore]) -> RougeScore:
    return max(scores, key=lambda score: score.f1)


def _mean(scores: Sequence[RougeScore]) -> RougeScore:
    return RougeScore(
        sum(score.precision for score in scores) / len(scores),
        sum(score.recall for score in scores) / len(scores),
        sum(score.f1 for score in scores) / len(scores),
    )

"""Post-processing: six small rules that mend a finished summary, the honest rival of training a better model.

The same rules run on every system. Each takes a summary and returns it unchanged or with something removed; none ever
adds a word, and none ever leaves nothing where there was something. The rules and thresholds are our own choice.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from lastmile.compare.systems import System
from lastmile.corpus.text import Span, sentences, words
from lastmile.errors import InputError, did_you_mean
from lastmile.judge.flags import find_flags
from lastmile.judge.profile import TargetProfile
from lastmile.records import Example, Summary

NEAR_DUPLICATE = 0.85  # shared words over all words of two sentences, from which the second adds nothing
LONGEST_REPEAT = 12  # words in a run that is repeated at once
# Written twice on purpose: "he had had enough", "that that", "very very small", "bye bye".
RIGHTLY_DOUBLED = frozenset(
    ("had", "that", "very", "so", "really", "much", "many", "far", "long", "no", "bye", "ha", "never", "again", "more")
)


@dataclass(frozen=True, slots=True)
class Context:
    """What a rule may look at besides the summary.

    Attributes:
        document: The document summarized.
        profile: What the targets of the corpus look like.
        max_words: Words that a summary may have.
    """

    document: str
    profile: TargetProfile
    max_words: float


def post_process(
    document: str, summary: Summary, rules: Sequence[str], profile: TargetProfile, max_words: int | None = None
) -> tuple[Summary, tuple[str, ...]]:
    """Run the rules in the given order, passing over one that would leave no word at all.

    Args:
        document: The document summarized.
        summary: What a system wrote of it.
        rules: Names of `RULES`.
        profile: What the targets of the corpus look like.
        max_words: Longest summary in words; None takes `profile.words_high`, which 97.5 % of the targets keep to.

    Returns:
        The summary, and the names of the rules that changed it.

    Raises:
        InputError: If a rule is unknown.
    """
    unknown = [rule for rule in rules if rule not in RULES]
    if unknown:
        raise InputError.of(f"`{rule}`: no such post-processing rule.{did_you_mean(rule, RULES)}" for rule in unknown)
    context = Context(document, profile, profile.words_high if max_words is None else max_words)
    changed = []
    for rule in rules:
        mended = RULES[rule](summary, context)
        if mended != summary and (words(mended.text) or not words(summary.text)):
            changed.append(rule)
            summary = mended
    return summary, tuple(changed)


def post_processed(
    system: System,
    examples: Sequence[Example],
    rules: Sequence[str],
    profile: TargetProfile,
    max_words: int | None = None,
) -> System:
    """The system with the rules run on all its summaries: `name + post`, with the count of each rule."""
    mended, counts = [], Counter({rule: 0 for rule in rules})
    for example, summary in zip(examples, system.summaries, strict=True):
        text, changed = post_process(example.document, summary, rules, profile, max_words)
        mended.append(text)
        counts.update(changed)
    return replace(
        system, name=f"{system.name} + post", summaries=tuple(mended), post_processed=True, changed=dict(counts)
    )


def normalise_whitespace(summary: Summary, _: Context) -> Summary:
    """One space between words, no space at the ends; line breaks stay, for they end sentences."""
    lines = (" ".join(line.split()) for line in summary.text.splitlines())
    return replace(summary, text="\n".join(line for line in lines if line))


def drop_unfinished(summary: Summary, context: Context) -> Summary:
    """Drop the last sentence where it was cut off, unless it is the only one."""
    if not find_flags(context.document, summary, context.profile, names=("unfinished",)):
        return summary
    found = sentences(summary.text)
    if len(found) < 2:
        return summary
    return Summary(summary.text[: found[-2].end], ended=True)


def drop_duplicate_sentences(summary: Summary, _: Context) -> Summary:
    """Drop a sentence that an earlier one says already: word for word a part of it, or nearly all the same words.

    Sentences with different numbers, and parts of fewer than three words, are never taken for repeats.
    """
    kept: list[Span] = []
    seen: list[list[str]] = []
    for sentence in sentences(summary.text):
        tokens = _tokens(sentence.text)
        if tokens and any(_says_already(earlier, tokens) for earlier in seen):
            continue
        seen.append(tokens)
        kept.append(sentence)
    return _keep(summary, kept)


def collapse_repeats(summary: Summary, context: Context) -> Summary:
    """Write a run of words once that is repeated at once: "to the bank to the bank" becomes "to the bank".

    A repeat over a sentence's end is none ("He said no. No one came."), nor is one of numbers alone ("6-4 6-4") or one
    that the document has itself ("Tian Tian"). A single word must follow on its twin with nothing but white space
    between, and be none of those that are rightly doubled; from three times on, commas may stand between.
    """
    text, known = summary.text, f" {' '.join(_tokens(context.document))} "
    for length in range(LONGEST_REPEAT, 0, -1):
        text = _collapse(text, length, known)
    return replace(summary, text=text)


def cut_at_sentence_end(summary: Summary, context: Context) -> Summary:
    """Drop sentences from the end until no more than `max_words` are left; the first sentence always stays."""
    kept = list(sentences(summary.text))
    while len(kept) > 1 and sum(len(words(sentence.text)) for sentence in kept) > context.max_words:
        kept.pop()
    shorter = _keep(summary, kept)
    return shorter if shorter is summary else replace(shorter, ended=True)


def drop_unsupported(summary: Summary, context: Context) -> Summary:
    """Drop sentences with a name or number that the document does not support; keep the least unsupported one."""
    names = ("unsupported_entity", "unsupported_number")
    flags = find_flags(context.document, summary, context.profile, names=names)
    found = sentences(summary.text)
    if not flags or not found:
        return summary
    costs = [sum(flag.cost for flag in flags if _overlap(flag.start, flag.end, sentence)) for sentence in found]
    supported = [sentence for sentence, cost in zip(found, costs, strict=True) if not cost]
    return _keep(summary, supported or [found[costs.index(min(costs))]])


RULES: dict[str, Callable[[Summary, Context], Summary]] = {
    "whitespace": normalise_whitespace,
    "unfinished": drop_unfinished,
    "duplicate_sentences": drop_duplicate_sentences,
    "repeated_ngrams": collapse_repeats,
    "length": cut_at_sentence_end,
    "unsupported": drop_unsupported,
}


def _keep(summary: Summary, kept: Sequence[Span]) -> Summary:
    """The summary with only these of its sentences, and the white space that stood before each."""
    found = sentences(summary.text)
    if len(kept) == len(found):
        return summary
    starts = {sentence: (found[i - 1].end if i else 0) for i, sentence in enumerate(found)}
    text = "".join(summary.text[starts[sentence] : sentence.end] for sentence in kept).strip()
    # A cut-off end that went with the last sentence is no longer there.
    return Summary(text, ended=summary.ended or kept[-1] != found[-1])


def _collapse(text: str, length: int, known: str) -> str:
    """Remove immediate repeats of runs of `length` words, from the left."""
    start = 0
    while True:
        places = words(text)
        tokens = [place.text.lower() for place in places]
        for i in range(start, len(places) - 2 * length + 1):
            copies = 1
            while tokens[i + copies * length : i + (copies + 1) * length] == tokens[i : i + length]:
                copies += 1
            last = i + copies * length - 1
            gaps = [text[places[k].end : places[k + 1].start] for k in range(i, last)]
            if _is_stutter(tokens[i : i + length], copies, gaps, known):
                text = text[: places[i + length - 1].end] + text[places[last].end :]
                start = i
                break
        else:
            return text


def _is_stutter(run: Sequence[str], copies: int, gaps: Sequence[str], known: str) -> bool:
    """Whether `copies` of a run of words, with these texts between the words, are a slip rather than meant."""
    if copies < 2 or any(re.search(r"[.!?\n]", gap) for gap in gaps) or f" {' '.join([*run, *run])} " in known:
        return False
    if not any(word[0].isalpha() for word in run):
        return False
    if len(run) > 1:
        return True
    allowed = r"\s+" if copies == 2 else r"[\s,]+"
    rightly = copies == 2 and run[0] in RIGHTLY_DOUBLED
    return not rightly and all(re.fullmatch(allowed, gap) for gap in gaps)


def _says_already(earlier: Sequence[str], later: Sequence[str]) -> bool:
    if len(later) >= 3 and f" {' '.join(later)} " in f" {' '.join(earlier)} ":
        return True
    numbers = [{word for word in tokens if word[0].isdigit()} for tokens in (earlier, later)]
    bags = Counter(earlier), Counter(later)
    return numbers[0] == numbers[1] and (bags[0] & bags[1]).total() >= NEAR_DUPLICATE * (bags[0] | bags[1]).total()


def _overlap(start: int, end: int, sentence: Span) -> bool:
    return start < sentence.end and sentence.start < end


def _tokens(text: str) -> list[str]:
    return [word.text.lower() for word in words(text)]

"""How well the offline flags agree with people: the table of docs/flags.md.

    LASTMILE_DATA=data python bench/agreement.py --split dev
    LASTMILE_DATA=data python bench/agreement.py --split test
    LASTMILE_DATA=data python bench/agreement.py --split test --semantic models/minilm-l6

The last one prints semantic support by that encoder, and nothing else: docs/flags/semantic.md.

Every interval is a 95 % bootstrap over documents (1,000 draws, seed 0). On dev the fitted figures are optimistic: the
coefficients were fitted there. The thresholds are chosen on dev: most stand in `consistency.json`, and there is one a
domain of SummEdits. "If half were faulty": a precision with both kinds weighing alike, as `fit_consistency.py` chose
the thresholds for one.
Extractiveness stands beside: the mean copied share (words in copied runs of five and more), and Spearman's correlation
of the probability with it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable

import numpy as np
from labelled import Labelled, frank, records, redundancy, summedits, xsum_hallucination

from lastmile.compare.agreement import auc as weighted_auc
from lastmile.corpus.demo import demo_corpus
from lastmile.judge.consistency import (
    Consistency,
    edited_probability,
    judge_consistency,
    precision_targets,
    thresholds,
)
from lastmile.judge.document import Text
from lastmile.judge.flags import find_flags
from lastmile.judge.lexicon import STOP_WORDS
from lastmile.judge.profile import profile_targets
from lastmile.judge.redundancy import redundancy as redundancy_of
from lastmile.judge.semantic import load_semantic
from lastmile.records import Example, Summary

DRAWS = 1000
HALLUCINATIONS = ("unsupported_entity", "unsupported_number", "contradiction", "wrong_speaker")

Judged = list[tuple[Labelled, Consistency]]


def auc(scores: np.ndarray, labels: np.ndarray) -> float:
    """Area under the ROC curve; ties count half."""
    return float(weighted_auc(scores, labels)(np.ones((1, len(scores))))[0])


def bootstrap(keys: Iterable[str], statistic: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """`(DRAWS, …)` values of a statistic of the drawn places, whole documents at a time."""
    by_key: dict[str, list[int]] = {}
    for place, key in enumerate(keys):
        by_key.setdefault(key, []).append(place)
    groups = [np.array(places) for places in by_key.values()]
    generator = np.random.default_rng(0)
    return np.array(
        [
            statistic(np.concatenate([groups[g] for g in generator.integers(len(groups), size=len(groups))]))
            for _ in range(DRAWS)
        ]
    )


def interval(values: np.ndarray) -> str:
    """95 %, written."""
    low, high = np.nanquantile(values, [0.025, 0.975])
    return f"[{low:.3f}, {high:.3f}]"


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Rank correlation, ties by their mean rank."""
    ranks = []
    for x in (a, b):
        _, inverse, counts = np.unique(x, return_inverse=True, return_counts=True)
        ranks.append((np.cumsum(counts) - (counts - 1) / 2)[inverse])
    return float(np.corrcoef(*ranks)[0, 1])


def judge_all(items: Iterable[Labelled]) -> Judged:
    """Judge every summary."""
    return [(item, judge_consistency(item.document, item.summary, cased=item.cased)) for item in items]


def report_auc(judged: Judged, title: str) -> None:
    """The AUC of the probability and of single signals; paired differences against every published score."""
    labels = np.array([item.consistent for item, _ in judged])
    keys = [item.key for item, _ in judged]
    ours = np.array([found.probability for _, found in judged])
    copied = np.array([found.signals.get("long_runs", 0.0) for _, found in judged])
    draws = bootstrap(keys, lambda at: np.array([auc(ours[at], labels[at])]))
    print(f"\n{title}: {len(labels)} summaries, {labels.mean():.0%} consistent")
    print(f"  probability            AUC {auc(ours, labels):.3f} {interval(draws)}")
    print(f"  copied share {copied.mean():.2f}; Spearman of probability and copied share {spearman(ours, copied):+.2f}")
    calibration = " ".join(
        f"{low:.1f}–{low + 0.2:.1f}: {labels[here].mean():.2f} (n {here.sum()})"
        for low in np.arange(0, 1, 0.2)
        if (here := (ours >= low) & (ours < low + 0.2)).any()
    )
    print(f"  consistent among probability {calibration}; Brier {np.mean((ours - labels) ** 2):.3f}")
    for name in ("novel_4grams", "contained", "pair_support"):
        signal = np.array([found.signals.get(name, 0.0) for _, found in judged])
        print(f"  signal {name:16}AUC {max(a := auc(signal, labels), 1 - a):.3f}")
    published = sorted({name for item, _ in judged for name in item.published})
    for name in published:
        have = np.array([name in item.published and np.isfinite(item.published[name]) for item, _ in judged])
        theirs = np.array([item.published.get(name, 0.0) for item, _ in judged])
        where = np.flatnonzero(have)
        if len(where) < 20:
            continue
        paired = bootstrap(
            [keys[k] for k in where],
            lambda at, where=where, theirs=theirs: np.array(
                [auc(ours[where[at]], labels[where[at]]) - auc(theirs[where[at]], labels[where[at]])]
            ),
        )
        value = auc(theirs[where], labels[where])
        ahead = auc(ours[where], labels[where]) - value
        print(f"  published {name:20} AUC {value:.3f}  ours − theirs {ahead:+.3f} {interval(paired)} (n {len(where)})")


def report_alarms(judged: Judged) -> None:
    """Precision and recall of "inconsistent" at the shipped threshold and at those for a precision."""
    faulty = np.array([not item.consistent for item, _ in judged])
    for target in (None, *precision_targets()):
        alarms = np.array([found.inconsistent(target) for _, found in judged])
        print_alarms(target, alarms, faulty, [item.key for item, _ in judged])


def print_alarms(target: float | None, alarms: np.ndarray, faulty: np.ndarray, keys: list[str]) -> None:
    """One line: right alarms, also if half were faulty, and faults found; `(N,)` bool each, `keys` the documents."""

    def shares(at: np.ndarray) -> np.ndarray:
        raised, bad = alarms[at], faulty[at]
        hits, false = raised[bad].mean(), raised[~bad].mean()
        return np.array([bad[raised].mean() if raised.any() else np.nan, hits / (hits + false), hits])

    values, draws = shares(np.arange(len(faulty))), bootstrap(keys, shares)
    plain, even, recall = (f"{value:.3f} {interval(drawn)}" for value, drawn in zip(values, draws.T, strict=True))
    name = "shipped threshold" if target is None else f"for precision {target:g}"
    print(f"  {name:22} {alarms.sum()} alarms: precision {plain}, if half were faulty {even}, recall {recall}")


def report_words(judged: Judged) -> None:
    """F1 of the marked words, over all words and over content words alone."""
    for title, kept in (("all words", lambda form: True), ("content words", lambda form: form not in STOP_WORDS)):
        marks, probabilities, keys = [], [], []
        for item, found in judged:
            for form, mark, p in zip(Text(item.summary).forms, item.marked, found.words, strict=True):
                if kept(form):
                    marks.append(mark)
                    probabilities.append(p)
                    keys.append(item.key)
        y, p = np.array(marks), np.array(probabilities)

        def scores(at: np.ndarray, y: np.ndarray = y, p: np.ndarray = p) -> np.ndarray:
            flagged = p[at] >= thresholds()["word"]
            hit = flagged & y[at]
            precision, recall = hit.sum() / max(flagged.sum(), 1), hit.sum() / y[at].sum()
            return np.array([2 * precision * recall / (precision + recall), precision, recall])

        f1, precision, recall = scores(np.arange(len(y)))
        draws = bootstrap(keys, scores)[:, 0]
        everything = 2 * y.mean() / (1 + y.mean())
        print(
            f"  {title:15}F1 {f1:.3f} {interval(draws)} precision {precision:.3f} recall {recall:.3f} "
            f"AUC {auc(p, y):.3f}; flagging every word F1 {everything:.3f}"
        )
        for target in (None, *precision_targets()):
            print_alarms(target, p >= thresholds(target)["word"], y, keys)


def report_edits(part: str) -> None:
    """Balanced accuracy with one threshold a domain, chosen on dev, and AUC; means over domains."""
    dev, judged = judge_all(summedits("dev")), judge_all(summedits(part))
    thresholds = {}
    for name in sorted({item.group for item, _ in dev}):
        y = np.array([item.consistent for item, _ in dev if item.group == name])
        p = np.array([edited_probability(found) for item, found in dev if item.group == name])
        steps = np.quantile(p, np.arange(0.05, 1, 0.05))
        thresholds[name] = steps[np.argmax([(p[y] >= t).mean() + (p[~y] < t).mean() for t in steps])]
    labels = np.array([item.consistent for item, _ in judged])
    ours = np.array([edited_probability(found) for _, found in judged])
    group = np.array([item.group for item, _ in judged])
    said = ours >= np.array([thresholds[item.group] for item, _ in judged])

    def balanced(at: np.ndarray) -> np.ndarray:
        values = []
        for name in thresholds:
            y, s = labels[at][group[at] == name], said[at][group[at] == name]
            if 0 < y.sum() < len(y):
                values.append((s[y].mean() + (~s[~y]).mean()) / 2)
        return np.array([np.mean(values)])

    draws = bootstrap([item.key for item, _ in judged], balanced)
    copied = np.mean([found.signals.get("long_runs", 0.0) for _, found in judged])
    print(f"\nsummedits: {len(labels)} summaries, {labels.mean():.0%} consistent, copied share {copied:.2f}")
    print(f"  balanced accuracy, mean over domains {balanced(np.arange(len(labels)))[0]:.3f} {interval(draws)}")
    for name in thresholds:
        here = group == name
        y, s = labels[here], said[here]
        value = (s[y].mean() + (~s[~y]).mean()) / 2
        print(f"    {name.split('/')[1]:12}{value:.3f}, AUC {auc(ours[here], y):.3f} (n {here.sum()})")


def report_redundancy(part: str) -> None:
    """AUC of low redundancy ratings."""
    rated = list(redundancy(part))
    low = np.array([rating < 0 for _, rating in rated])
    scores = np.array([redundancy_of(text) for text, _ in rated])
    draws = bootstrap(map(str, range(len(rated))), lambda at: np.array([auc(scores[at], low[at])]))
    print(f"\nsummary_reward: {len(low)} summaries, {low.mean():.0%} rated below 0 for redundancy")
    print(f"  redundancy             AUC {auc(scores, low):.3f} {interval(draws)}")


def report_people() -> None:
    """The share of people's own summaries that some flag of `HALLUCINATIONS` finds fault with."""
    examples = [Example(r["id"], r["source"], (r["summary"],)) for r in records("dialogsum/dev")]
    profile = profile_targets(iter(examples), cased=True)
    found = [find_flags(e.document, Summary(e.target), profile, HALLUCINATIONS) for e in examples]
    share = sum(map(bool, found)) / len(found)
    print(f"\ndialogsum dev: {share:.1%} of {len(found)} people's summaries flagged:", end=" ")
    print(", ".join(f"{name} {sum(name in {f.name for f in row} for row in found)}" for name in HALLUCINATIONS))


def report_demo(part: str) -> None:
    """The same flags against stored facts, for targets that got another document's fact in one place."""
    corpus = demo_corpus()
    examples = list(corpus.validation if part == "dev" else corpus.test)
    profile = profile_targets(iter(examples), cased=True)
    right = wrong = missed = 0
    for example, other in zip(examples, examples[1:] + examples[:1], strict=True):
        flags = find_flags(example.document, Summary(example.target), profile, HALLUCINATIONS)
        wrong += bool(flags)
        spoiled = spoil(example, other)
        if spoiled is None:
            continue
        text, start, end = spoiled
        flags = find_flags(example.document, Summary(text), profile, HALLUCINATIONS)
        hit = any(flag.start < end and start < flag.end for flag in flags)
        right, missed = right + hit, missed + (not hit)
    print(f"\ndemo: invented facts found {right} of {right + missed} (recall {right / (right + missed):.3f});", end=" ")
    print(f"targets flagged {wrong} of {len(examples)} (precision {right / max(right + wrong, 1):.3f})")


def spoil(example: Example, other: Example) -> tuple[str, int, int] | None:
    """The target with the first of its facts that can be swapped for another document's; None without one."""
    known = {form.lower() for forms in example.facts.values() for form in forms}
    for name, forms in example.facts.items():
        for form in forms:
            place = example.target.find(form)
            strange = other.facts.get(name, ("",))[0]
            if place >= 0 and strange and not any(word in " ".join(known) for word in strange.lower().split()):
                text = example.target[:place] + strange + example.target[place + len(form) :]
                return text, place, place + len(strange)
    return None


def report_semantic(part: str, model: str) -> None:
    """AUC of semantic support beside that of `judge_consistency`, and how much each goes with copying.

    On SummEdits both figures are means over its domains, which differ in how often a summary is wrong.
    """
    semantic = load_semantic(model)
    xsum = list(xsum_hallucination(part))
    sets = {
        "frank/cnndm": [item for item in frank(part) if item.group == "frank/cnndm"],
        "frank/xsum": [item for item in frank(part) if item.group == "frank/xsum"],
        "xsum_hallucination": xsum,
        "summedits": list(summedits(part)),
    }
    print(f"{'':20} summaries  semantic               consistency            semantic − consistency")
    supports = {}
    for name, items in sets.items():
        judged = judge_all(items)
        supports[name] = semantic.words([(item.document, item.summary) for item in items])
        theirs = np.array([found.mean() if len(found) else 0.0 for found in supports[name]])
        probability = edited_probability if name == "summedits" else lambda found: found.probability
        ours = np.array([probability(found) for _, found in judged])
        labels, groups = np.array([item.consistent for item in items]), np.array([item.group for item in items])
        copied = np.array([found.signals.get("long_runs", 0.0) for _, found in judged])

        def areas(at: np.ndarray, y=labels, of=groups, both=(theirs, ours)) -> np.ndarray:
            places = [at[of[at] == group] for group in np.unique(of)]
            places = [here for here in places if 0 < y[here].sum() < len(here)]
            means = [np.mean([auc(scores[here], y[here]) for here in places]) for scores in both]
            return np.array([*means, means[0] - means[1]])

        drawn = bootstrap([item.key for item in items], areas)
        figures = zip(areas(np.arange(len(labels))), drawn.T, strict=True)
        print(f"{name:20} {len(items):9}  " + "  ".join(f"{value:6.3f} {interval(draws)}" for value, draws in figures))
        tied = f"semantic {spearman(theirs, copied):+.2f}, consistency {spearman(ours, copied):+.2f}"
        print(f"{'':20} copied share {copied.mean():.2f}; Spearman with it: {tied}")
    marks = np.concatenate([item.marked for item in xsum]).astype(bool)
    doubts = 1 - np.concatenate(supports["xsum_hallucination"])
    keys = np.concatenate([[item.key] * len(item.marked) for item in xsum])
    drawn = bootstrap(keys, lambda at: np.array([auc(doubts[at], marks[at])]))
    print(f"xsum_hallucination, marked words: AUC {auc(doubts, marks):.3f} {interval(drawn)}, {len(marks)} words")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--split", choices=("dev", "test"), default="dev")
    parser.add_argument("--semantic", metavar="MODEL", help="an encoder: report semantic support by it instead")
    arguments = parser.parse_args()
    part = arguments.split
    if arguments.semantic:
        report_semantic(part, arguments.semantic)
        return
    judged = judge_all(frank(part))
    for name in ("frank/cnndm", "frank/xsum"):
        report_auc([pair for pair in judged if pair[0].group == name], name)
        report_alarms([pair for pair in judged if pair[0].group == name])
    judged = judge_all(xsum_hallucination(part))
    report_auc(judged, "xsum_hallucination")
    report_alarms(judged)
    report_words(judged)
    report_edits(part)
    report_redundancy(part)
    report_people()
    report_demo(part)


if __name__ == "__main__":
    main()

"""What it costs to judge: ROUGE against `rouge_score` on the same pairs, and all flags; on one core.

ROUGE is R1, R2, RL and RLsum with stems. Each round judges documents that no round before it saw, K made-up summaries
each, so that what is kept between calls helps as in training (a stem once, a target once for its summaries) and no
more. `rouge_score` gets the text with one sentence a line, split beforehand and not timed. Every number of every pair
is compared: precision, recall and F1 may differ by 1e-12.
"""

from __future__ import annotations

import random
from importlib.metadata import version

from rouge_score.rouge_scorer import RougeScorer

from bench.pairs import load_examples, write_summaries
from bench.results import Result, result
from bench.turns import Setup, in_turns
from lastmile.corpus.text import sentences
from lastmile.errors import RunError
from lastmile.judge.flags import find_flags
from lastmile.judge.profile import profile_targets
from lastmile.judge.rouge import ROUGE_TYPES, Rouge
from lastmile.records import Example, Summary

TOLERANCE = 1e-12
PROFILED = 2000


class Rounds:
    """Fresh documents for every round; all sides of one round get the same."""

    def __init__(self, setup: Setup) -> None:
        rounds = setup.rounds + 1
        self.source, examples = load_examples(max(PROFILED, setup.documents * rounds))
        self.profile = profile_targets(examples[:PROFILED], cased=True)
        dice = random.Random(setup.seed)
        self.rounds: list[list[tuple[Example, str]]] = []
        for start in range(0, setup.documents * rounds, setup.documents):
            # A corpus too small for all rounds starts over; its targets are known then, as in a second epoch.
            chosen = [examples[(start + place) % len(examples)] for place in range(setup.documents)]
            pairs = [(example, text) for example in chosen for text in write_summaries(example, setup.samples, dice)]
            self.rounds.append(pairs)
        self.lines = [[(_lines(e.target), _lines(text)) for e, text in pairs] for pairs in self.rounds]


def run(setup: Setup, peer: bool = True) -> list[Result]:
    """ROUGE of both in turns; then the flags."""
    rounds, scorer = Rounds(setup), RougeScorer(list(ROUGE_TYPES), use_stemmer=True)
    ours_found: list[list] = []
    peer_found: list[list] = []
    number = {"ours": 0, "peer": 0, "flags": 0}
    rouge = Rouge()

    def ours() -> None:
        pairs = rounds.rounds[_next(number, "ours")]
        ours_found.append([rouge.score(example.targets[:1], text) for example, text in pairs])

    def theirs() -> None:
        pairs = rounds.lines[_next(number, "peer")]
        peer_found.append([scorer.score(target, text) for target, text in pairs])

    def flags() -> None:
        for example, text in rounds.rounds[_next(number, "flags")]:
            find_flags(example.document, Summary(text), rounds.profile)

    spent = in_turns({"ours": ours} | ({"peer": theirs} if peer else {}), setup.rounds)
    # By themselves, so that no sentence that ROUGE split is known already.
    spent |= in_turns({"flags": flags}, setup.rounds)
    facts: dict[str, object] = {"texts from": rounds.source}
    if peer:
        facts["largest difference from rouge_score"] = largest = _largest_difference(ours_found, peer_found)
        if largest > TOLERANCE:
            raise RunError(f"ROUGE differs from rouge_score by {largest:.2g}")
    common = {"unit": "summaries", "work": setup.rows, "facts": facts}
    return [
        result(
            "rouge", setup, spent["ours"], spent.get("peer"), program=f"rouge_score {version('rouge_score')}", **common
        ),
        result("flags", setup, spent["flags"], **(common | {"facts": {"texts from": rounds.source}})),
    ]


def _next(number: dict[str, int], side: str) -> int:
    number[side] += 1
    return number[side] - 1


def _lines(text: str) -> str:
    return "\n".join(sentence.text for sentence in sentences(text))


def _largest_difference(ours: list[list], peer: list[list]) -> float:
    largest = 0.0
    for mine, theirs in zip(ours, peer, strict=True):
        for a, b in zip(mine, theirs, strict=True):
            for name in ROUGE_TYPES:
                there = b[name].precision, b[name].recall, b[name].fmeasure
                largest = max(largest, *(abs(x - y) for x, y in zip(a[name], there, strict=True)))
    return largest

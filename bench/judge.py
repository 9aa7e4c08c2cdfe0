"""How long a step waits for the judge: worker processes that judge beside the model, against judging in this process.

In a step of policy gradient the summaries are handed over after the rollout; then the reference and the policy score
them, and the scores are wanted after that. Here this process sleeps in between, as it does while a GPU scores, and the
time before and after the sleep is what the step waits. Without workers all of it is judging. Told beside it is the time
where nothing is to be done meanwhile, so that processes gain by their number alone.

Rewards and penalties are those of the recipe `dialogsum`; each round judges documents that no round before it saw.
"""

from __future__ import annotations

import os
import time

from bench.results import Result, result
from bench.reward import Rounds
from bench.turns import Setup, in_turns
from lastmile.config import load_recipe
from lastmile.errors import RunError
from lastmile.judge.judge import Judge
from lastmile.judge.pool import JudgePool
from lastmile.recipe_files import find_recipe
from lastmile.records import Summary

SCORING_SECONDS = 1.0
MAX_WORKERS = 8


def run(setup: Setup, peer: bool = True) -> list[Result]:
    """As many workers as cores, with the model at work meanwhile and without."""
    recipe, rounds = load_recipe(find_recipe("dialogsum")), Rounds(setup)
    judge = Judge(recipe.rewards, recipe.penalties, rounds.profile)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    workers = min(cores, MAX_WORKERS)
    found = []
    with JudgePool(judge, workers) as pool:
        for name, pause in (("judge", SCORING_SECONDS), ("judge, nothing meanwhile", 0.0)):
            sides = {"ours": Waits(pool, rounds, setup, pause)}
            if peer:
                sides["peer"] = Waits(JudgePool(judge), rounds, setup, pause)
            spent = in_turns(sides, setup.rounds)
            if peer and sides["ours"].totals != sides["peer"].totals:
                raise RunError("the worker processes judged otherwise than this one")
            facts = {"texts from": rounds.source, "workers": workers, "seconds the model scores meanwhile": pause}
            program = "in this process"
            found.append(result(name, setup, spent["ours"], spent.get("peer"), program=program, facts=facts))
    return found


class Waits:
    """One side's turns: seconds that a step waits for the scores of a round.

    Args:
        pool: Who judges.
        rounds: Documents and summaries.
        setup: How many.
        pause: Seconds for which the model is at work meanwhile.
    """

    def __init__(self, pool: JudgePool, rounds: Rounds, setup: Setup, pause: float) -> None:
        self.pool, self.pause, self.totals = pool, pause, []
        self.batches = []
        for pairs in rounds.rounds:
            examples = [example for example, _ in pairs[:: setup.samples]]
            texts = [Summary(text) for _, text in pairs]
            groups = [texts[start : start + setup.samples] for start in range(0, len(texts), setup.samples)]
            self.batches.append((examples, groups))

    def __call__(self) -> float:
        """Hand over, sleep, collect."""
        examples, summaries = self.batches[len(self.totals)]
        start = time.perf_counter()
        collect = self.pool.begin(examples, summaries)
        before = time.perf_counter() - start
        time.sleep(self.pause)
        start = time.perf_counter()
        scores = collect()
        waited = before + time.perf_counter() - start
        self.totals.append(scores.total.tolist())
        return waited

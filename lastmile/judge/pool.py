"""Judging in other processes, while this one computes: hand the summaries over, go on, collect the scores."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing.connection import wait
from threading import Thread

import numpy as np

from lastmile.errors import RunError
from lastmile.judge.judge import Judge, distinct_pairs
from lastmile.judge.texts import Pairs, TextJudge, TextScores
from lastmile.records import Example, Flag, Scores, Summary

PARTS_PER_WORKER = 4
"""More parts than workers, so that a few long documents do not keep the others waiting; few, since each is sent."""


class JudgePool:
    """A judge whose `TextJudge` runs in worker processes. The scores are those of the judge itself, to the bit.

    The recipe's own functions stay in this process, and are called when the scores are collected: they see all
    summaries at once, may keep a state between calls, and may hold a model on the device.

    Workers are started afresh (not forked: this process has threads, perhaps a GPU) when the block is entered, and are
    gone when it ends, or when this process dies. They load no model, and torch only where the main script does.

    Args:
        judge: Who judges.
        workers: Processes; 0 judges in this one, when the scores are collected.
    """

    def __init__(self, judge: Judge, workers: int = 0):
        self.judge, self.workers = judge, workers
        self._processes: ProcessPoolExecutor | None = None

    def __enter__(self) -> JudgePool:
        if self.workers:
            self._processes = ProcessPoolExecutor(
                self.workers, multiprocessing.get_context("spawn"), _begin_work, (self.judge.texts,)
            )
            # A process is started with each task that finds none idle. They get ready while training is set up.
            for _ in range(self.workers):
                self._processes.submit(_judge, [])
        return self

    def __exit__(self, *_: object) -> None:
        if self._processes is not None:
            self._processes.shutdown(cancel_futures=True)
            self._processes = None

    def begin(self, examples: Sequence[Example], summaries: Sequence[Sequence[Summary]]) -> Callable[[], Scores]:
        """Begin to judge, as `Judge.__call__` does, and return at once.

        Args:
            examples: B documents with their targets.
            summaries: B lists of K summaries each.

        Returns:
            A function that waits for the scores and returns them. It raises RunError if a worker has died.

        Raises:
            ShapeError: As `Judge.__call__`.
        """
        if self._processes is None:
            return partial(self.judge, examples, summaries)
        pairs, places = distinct_pairs(examples, summaries)
        num_parts = min(len(places), self.workers * PARTS_PER_WORKER)
        parts = [np.unique(places[first::num_parts]) for first in range(num_parts)]  # whole documents, dealt in turn
        try:
            answers = [self._processes.submit(_judge, [pairs[place] for place in part]) for part in parts]
        except BrokenProcessPool:
            raise _worker_died() from None

        def collect() -> Scores:
            rewards = {name: np.full(len(pairs), np.nan) for name in self.judge.texts.measures}
            flags: list[tuple[Flag, ...]] = [()] * len(pairs)
            for part, answer in zip(parts, answers, strict=True):
                try:
                    found = answer.result()
                except BrokenProcessPool:
                    raise _worker_died() from None
                for name, values in found.rewards.items():
                    rewards[name][part] = values
                for place, of_it in zip(part, found.flags, strict=True):
                    flags[place] = of_it
            return self.judge.scores(pairs, places, TextScores(rewards, flags))

        return collect


def _worker_died() -> RunError:
    return RunError("a process that judges summaries died before it answered: killed, perhaps for want of memory")


_texts: TextJudge
"""In a worker: the judge it was started with."""


def _begin_work(texts: TextJudge) -> None:
    """First thing in a worker: keep the judge, leave Ctrl-C to the parent, and die with it."""
    global _texts
    _texts = texts
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    wait([multiprocessing.parent_process().sentinel])
    os._exit(1)


def _judge(pairs: Pairs) -> TextScores:
    """A task of a worker."""
    return _texts(pairs)

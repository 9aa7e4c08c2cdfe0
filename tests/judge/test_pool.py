"""Judging in worker processes: the same scores to the bit, whole errors, and no process left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import small

from lastmile.config import LengthReward, PythonReward, RougeReward
from lastmile.corpus.demo import demo_corpus
from lastmile.errors import RunError, ShapeError
from lastmile.judge.judge import Judge
from lastmile.judge.pool import JudgePool
from lastmile.judge.profile import profile_targets
from lastmile.records import Summary

EXAMPLES = list(demo_corpus((22, 0, 0)).train)
OWN = PythonReward(kind="python", path="small:likes_vowels")
RAISES = PythonReward(kind="python", path="small:breaks_on_models")


@pytest.fixture(scope="module")
def judge() -> Judge:
    rouge = RougeReward(kind="rouge")
    rewards = [rouge, LengthReward(kind="length", weight=0.3), OWN, rouge.model_copy(update={"types": ("rouge1",)})]
    return Judge(rewards, {"repetition": 0.5, "unsupported_number": 2.0}, profile_targets(EXAMPLES, cased=True))


@pytest.fixture(scope="module")
def pool(judge):
    with JudgePool(judge, 2) as pool:
        yield pool


def summaries() -> list[list[Summary]]:
    """For each document a target, its beginning twice, another document's target, and nothing."""
    texts = [[e.target, e.target[:40], other.target, ""] for e, other in zip(EXAMPLES, EXAMPLES[::-1], strict=True)]
    return [[Summary(text, ended=number not in (1, 4)) for number, text in enumerate([*row, row[1]])] for row in texts]


def assert_same(mine, theirs):
    assert mine.rewards.keys() == theirs.rewards.keys() and mine.penalties.keys() == theirs.penalties.keys()
    for one, other in ((mine.rewards, theirs.rewards), (mine.penalties, theirs.penalties)):
        assert all(np.array_equal(one[name], other[name], equal_nan=True) for name in one)
    assert np.array_equal(mine.total, theirs.total, equal_nan=True)
    assert mine.flags == theirs.flags


def test_two_workers_say_what_the_judge_says(judge, pool):
    alone = judge(EXAMPLES, summaries())
    assert np.isnan(alone.total).any() and sum(map(len, sum(alone.flags, ()))) > 10
    assert_same(pool.begin(EXAMPLES, summaries())(), alone)
    assert_same(JudgePool(judge).begin(EXAMPLES, summaries())(), alone)


def test_two_batches_at_once_and_small_ones(judge, pool):
    first, second = pool.begin(EXAMPLES[:1], summaries()[:1]), pool.begin(EXAMPLES[1:4], summaries()[1:4])
    assert_same(second(), judge(EXAMPLES[1:4], summaries()[1:4]))
    assert_same(first(), judge(EXAMPLES[:1], summaries()[:1]))
    assert_same(pool.begin([], [])(), judge([], []))
    assert_same(pool.begin(EXAMPLES[:2], [[], []])(), judge(EXAMPLES[:2], [[], []]))


def test_the_users_function_sees_the_whole_batch_in_this_process(pool, monkeypatch):
    seen = []

    def counting(examples, texts):
        seen.append(len(texts))
        return [0.0] * len(texts)

    monkeypatch.setitem(pool.judge._functions, OWN.path, counting)
    collect = pool.begin(EXAMPLES, summaries())
    assert seen == []
    collect()
    assert seen == [3 * len(EXAMPLES)]  # five of each document, one of them twice and one without a word


def test_wrong_input_is_told_at_once(pool):
    with pytest.raises(ShapeError, match="got 2 documents and 1 lists"):
        pool.begin(EXAMPLES[:2], summaries()[:1])


def test_a_function_that_raises_is_told_as_without_workers(judge):
    raising = Judge([RAISES], {}, judge.profile)
    with JudgePool(raising, 1) as pool, pytest.raises(RunError, match="raised KeyError: 'teapot' on document `train-"):
        pool.begin(EXAMPLES, summaries())()


def test_a_worker_that_is_killed_ends_the_run_with_one_sentence(judge):
    with JudgePool(judge, 2) as pool:
        pool.begin(EXAMPLES, summaries())()
        collect = pool.begin(EXAMPLES * 200, summaries() * 200)
        os.kill(next(iter(pool._processes._processes)), signal.SIGKILL)
        for _ in range(2):
            with pytest.raises(RunError) as error:
                collect()
            assert str(error.value) == (
                "a process that judges summaries died before it answered: killed, perhaps for want of memory"
            )
            with pytest.raises(RunError, match="a process that judges summaries died"):
                pool.begin(EXAMPLES, summaries())


def test_workers_end_with_the_block(judge):
    with JudgePool(judge, 2) as pool:
        pool.begin(EXAMPLES, summaries())()
        workers = list(pool._processes._processes)
        assert len(workers) == 2
    assert not any(map(alive, workers))


PARENT = """
import time
from lastmile.judge.judge import Judge
from lastmile.judge.pool import JudgePool
from lastmile.judge.profile import TargetProfile

if __name__ == "__main__":
    with JudgePool(Judge([], {}, TargetProfile.neutral(True)), 2) as pool:
        pool.begin([], [])()
        [answer.result() for answer in [pool._processes.submit(int) for _ in range(2)]]
        print(*pool._processes._processes, flush=True)
        time.sleep(600)
"""


def test_workers_die_with_a_parent_that_is_killed(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    paths = os.pathsep.join([str(Path(small.__file__).parent), *filter(None, sys.path)])
    parent = subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": paths}
    )
    workers = [int(word) for word in parent.stdout.readline().split()]
    assert len(workers) == 2 and all(map(alive, workers))
    parent.kill()
    parent.wait()
    for _ in range(200):
        if not any(map(alive, workers)):
            break
        time.sleep(0.05)
    assert not any(map(alive, workers))


def test_workers_need_no_torch():
    code = "import sys, lastmile.judge.pool; print({'torch', 'transformers'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "set()", done.stderr


def alive(process: int) -> bool:
    """Whether it runs; one that has ended and waits to be asked for its status does not."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"

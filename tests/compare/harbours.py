"""A comparison that several tests read: forty invented documents, a sloppy likelihood model and a better rival."""

from functools import cache

import numpy as np

from lastmile.compare.baselines import lead_system, target_system
from lastmile.compare.postprocess import post_processed
from lastmile.compare.report import build_report
from lastmile.compare.systems import System
from lastmile.config import Compare
from lastmile.judge.profile import TargetProfile
from lastmile.records import Example, Summary

PLACES = ("Genoa", "Hamburg", "Lisbon", "Bergen")
PROFILE = TargetProfile(4, 30, 9, 25, 1.0, True)
SETTINGS = Compare(bootstrap_samples=200)


def example(i: int, targets: int = 2) -> Example:
    place, count = PLACES[i % 4], 10 + i
    document = (
        f"The harbour of {place} was busy on Monday. Traders sold {count} boats there, said its keeper. "
        "Rain is expected. Nobody was hurt."
    )
    wanted = (f"Traders sold {count} boats in {place} on Monday.", f"In {place} {count} boats were sold.")
    return Example(f"doc-{i:03d}", document, wanted[:targets])


def likelihood(i: int) -> Summary:
    place, count = PLACES[i % 4], 10 + i
    endings = (" Traders sold boats in it. Traders sold boats in it.", " The price was 99999.", " It was the", "")
    return Summary(f"Traders sold {count} boats in {place}.{endings[i % 4]}", ended=i % 4 != 2)


def policy_gradient(i: int) -> Summary:
    return likelihood(i) if i % 10 == 0 else Summary(f"Traders sold {10 + i} boats in {PLACES[i % 4]} on Monday.")


@cache
def make_examples() -> list[Example]:
    return [example(i) for i in range(40)]


@cache
def make_systems() -> list[System]:
    examples, numbers = make_examples(), range(40)
    raw = [
        System("likelihood", tuple(map(likelihood, numbers)), family="likelihood"),
        System("policy gradient", tuple(map(policy_gradient, numbers)), family="policy gradient"),
    ]
    post = [post_processed(system, examples, SETTINGS.post_processing, PROFILE) for system in raw]
    oracle = System("likelihood n-best (oracle)", raw[1].summaries, oracle=True, family="likelihood")
    return [raw[0], post[0], raw[1], post[1], lead_system(examples), oracle, target_system(examples)]


@cache
def make_report() -> dict:
    curves = [{"stage": "likelihood", "split": "train", "step": step, "loss": 5 - step} for step in range(3)]
    for step in range(0, 40, 10):
        row = {"stage": "policy_gradient", "step": step}
        curves.append({**row, "split": "train", "return": step / 10, "kl": step / 7, "reward/rouge": 0.3})
        curves.append({**row, "split": "validation", "rougeL": 30 + step, "absent_words": 0.1, "flag_rate": None})
    return build_report(
        "harbours",
        make_examples(),
        make_systems(),
        PROFILE,
        SETTINGS,
        signature={"data": "abc123", "checkpoints": {"likelihood": "def456"}},
        curves=curves,
        rewards_by_system={name: np.linspace(0, 1, 40) for name in ("likelihood", "policy gradient")},
        resources={"policy gradient": {"seconds": 12}},
        num_cases=4,
    )

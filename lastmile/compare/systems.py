"""What is compared: a system's summaries of the test documents, and how they came about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lastmile.records import Summary

LIKELIHOOD = "likelihood"
POLICY_GRADIENT = "policy gradient"
LEAD = "lead-3"
N_BEST = "likelihood n-best"
TARGET = "target"


@dataclass(frozen=True, slots=True)
class System:
    """The summaries of one system, in the order of the test documents.

    Several systems of the same `name` are the same recipe under different seeds; they are shown as one row.

    Attributes:
        name: `likelihood`, `policy gradient + post`, `lead-3`, …
        summaries: One for each document.
        post_processed: Whether the rules of `compare.postprocess` ran on them.
        oracle: It saw the targets when it chose its summaries: a ceiling, not a rival.
        family: What it is at heart: `likelihood`, `policy gradient`, `target`, or anything else. Raw and
            post-processed variants share it.
        seed: Of the run that made it; None where there is none.
        changed: Post-processing rule to the number of summaries it changed.
    """

    name: str
    summaries: tuple[Summary, ...]
    post_processed: bool = False
    oracle: bool = False
    family: str = ""
    seed: int | None = None
    changed: Mapping[str, int] = field(default_factory=dict)

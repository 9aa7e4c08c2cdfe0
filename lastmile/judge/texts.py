"""What is said of a summary from its text and its document's alone: the part of judging that needs no model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lastmile.config import LengthReward, RougeReward
from lastmile.corpus.text import words
from lastmile.judge.flags import find_flags
from lastmile.judge.profile import TargetProfile
from lastmile.judge.rouge import Rouge
from lastmile.judge.shape import length_agreement
from lastmile.records import Example, Flag, Summary

Pairs = Sequence[tuple[Example, Summary]]
TextReward = RougeReward | LengthReward


@dataclass(frozen=True, slots=True)
class TextScores:
    """What `TextJudge` says of N pairs.

    Attributes:
        rewards: Reward name to `(N,)` float64; NaN where it could not be computed.
        flags: The flags of each pair, in order of their start.
    """

    rewards: Mapping[str, np.ndarray]
    flags: Sequence[tuple[Flag, ...]]


class TextJudge:
    """ROUGE, length and flags of (example, summary) pairs. Each pair is judged by itself.

    Plain Python on plain data without a state that matters, so that it can be sent to other processes (`JudgePool`).

    Args:
        rewards: The recipe's rewards that read texts alone, by name.
        profile: What the corpus' targets are like.
    """

    def __init__(self, rewards: Mapping[str, TextReward], profile: TargetProfile):
        self.profile = profile
        self.measures = {
            name: Rouge(reward.types).mean_f1 if isinstance(reward, RougeReward) else length_agreement
            for name, reward in rewards.items()
        }

    def __call__(self, pairs: Pairs) -> TextScores:
        """Rewards and flags of each pair."""
        rewards = {name: np.full(len(pairs), np.nan) for name in self.measures}
        for place in scorable(pairs):
            example, summary = pairs[place]
            for name, measure in self.measures.items():
                rewards[name][place] = measure(example.targets, summary.text)
        return TextScores(rewards, self.flags(pairs))

    def flags(self, pairs: Pairs) -> list[tuple[Flag, ...]]:
        """The flags of each pair."""
        return [find_flags(example.document, summary, self.profile) for example, summary in pairs]


def scorable(pairs: Pairs) -> list[int]:
    """The places of summaries with at least one word; no reward is asked of the others."""
    return [place for place, (_, summary) in enumerate(pairs) if words(summary.text)]

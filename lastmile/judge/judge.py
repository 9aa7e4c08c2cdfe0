"""Composition: rewards and penalties of many summaries at once, as the trainer and the report want them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from lastmile.config import FLAG_NAMES, ModelReward, PythonReward, Reward
from lastmile.errors import InputError, ShapeError
from lastmile.judge.learned import LEARNED, Learned
from lastmile.judge.models import load_models
from lastmile.judge.profile import TargetProfile
from lastmile.judge.python_reward import call_reward, check_reward, load_python_reward
from lastmile.judge.texts import Pairs, TextJudge, TextReward, TextScores, scorable
from lastmile.records import Example, Flag, Scores, Split, Summary

if TYPE_CHECKING:
    import torch


class Judge:
    """Rewards of the recipe minus what its flags cost: the return before KL.

    total = Σ weight · reward − Σ coefficient · penalty, with penalty the summed cost of a flag's findings.

    A summary without a word cannot be scored; nor can ROUGE score a document without a target, or text in a script that
    it does not read. Such rewards are NaN, never 0, and so is the total. Every flag is looked for, also those without a
    coefficient, so that what training does not price is seen nevertheless. A function that declares
    `reads_target: false` never gets the targets.

    Args:
        rewards: The recipe's rewards.
        penalties: Flag name to coefficient ≥ 0.
        profile: What the corpus' targets are like.
        learned: A detector whose flag `learned` costs and is counted beside the others.

    Attributes:
        names: The name of each reward in `Scores.rewards`: its kind, or the function's; numbered where it occurs twice.
        flag_names: Every flag that is looked for.
        texts: Judges what needs the texts alone; `JudgePool` sends it to other processes.

    Raises:
        InputError: If a reward function or a model cannot be loaded or a flag is unknown.
    """

    def __init__(
        self,
        rewards: Sequence[Reward],
        penalties: Mapping[str, float],
        profile: TargetProfile,
        learned: Learned | None = None,
    ):
        unknown = [name for name in penalties if name not in FLAG_NAMES]
        if unknown:
            raise InputError.of(
                f"`penalties.{name}`: no such flag; there are {', '.join(FLAG_NAMES)}" for name in unknown
            )
        self.rewards = tuple(rewards)
        self.penalties = dict(penalties) | ({LEARNED: learned.coefficient} if learned else {})
        self.learned = learned
        self.flag_names = (*FLAG_NAMES, *([LEARNED] if learned else []))
        self.profile = profile
        self.names = _distinct([r.path.split(":")[1] if isinstance(r, PythonReward) else r.kind for r in self.rewards])
        named = zip(self.names, self.rewards, strict=True)
        self.texts = TextJudge({name: reward for name, reward in named if isinstance(reward, TextReward)}, profile)
        self._functions = {r.path: load_python_reward(r.path) for r in self.rewards if isinstance(r, PythonReward)}
        self._models = load_models(self.rewards)

    def to(self, device: torch.device | str) -> Judge:
        """Move the models that reward and the detector; returns self."""
        for model in (*self._models.values(), *([self.learned] if self.learned else [])):
            model.to(device)
        return self

    def __call__(self, examples: Sequence[Example], summaries: Sequence[Sequence[Summary]]) -> Scores:
        """Judge K summaries of each of B documents; each distinct summary of a document is judged once.

        Args:
            examples: B documents with their targets.
            summaries: B lists of K summaries each.

        Raises:
            ShapeError: If there is not one list for each document, or the lists differ in length.
            RunError: If a reward function raises or answers with something else than one number a summary.
        """
        pairs, places = distinct_pairs(examples, summaries)
        return self.scores(pairs, places, self.texts(pairs))

    def scores(self, pairs: Pairs, places: np.ndarray, read: TextScores) -> Scores:
        """Put together what the texts alone say and what the recipe's functions say.

        Args:
            pairs: N distinct pairs.
            places: `(B, K)`, the place of each summary among them; see `distinct_pairs`.
            read: What `texts` says of the N pairs.

        Raises:
            RunError: As in `__call__`.
        """
        rewards = {
            name: (read.rewards[name] if name in read.rewards else self._reward(name, reward, pairs))[places]
            for name, reward in zip(self.names, self.rewards, strict=True)
        }
        found = self._with_learned(read.flags, pairs)
        penalties = {name: costs[places] for name, costs in _costs(found, self.flag_names).items()}
        flags = tuple(tuple(found[place] for place in row) for row in places)
        weighted = ((reward.weight, rewards[name]) for name, reward in zip(self.names, self.rewards, strict=True))
        return Scores(rewards, penalties, flags, self._total(places.shape, weighted, penalties))

    def reference_free(self, examples: Sequence[Example], summaries: Sequence[Sequence[Summary]]) -> np.ndarray:
        """The part of the total that can be had without a target: what n-best reranking may use.

        Returns:
            `(B, K)` float64: the rewards with `reads_target: false` minus all penalties; NaN as in `__call__`.
        """
        pairs, places = distinct_pairs(examples, summaries)
        weighted = [
            (reward.weight, self._reward(name, reward, pairs)[places])
            for name, reward in zip(self.names, self.rewards, strict=True)
            if not reward.reads_target
        ]
        found = self._with_learned(self.texts.flags(pairs), pairs)
        penalties = {name: costs[places] for name, costs in _costs(found, self.flag_names).items()}
        return self._total(places.shape, weighted, penalties)

    def check(self, examples: Split) -> None:
        """Call every reward function on the first eight examples, before anything expensive starts.

        Raises:
            InputError: Listing what is wrong with each function; see `check_reward`.
        """
        problems = []
        first = [examples[i] for i in range(min(8, len(examples)))]
        for name, reward in zip(self.names, self.rewards, strict=True):
            if isinstance(reward, PythonReward):
                shown = first if reward.reads_target else _without_targets(first)
                try:
                    check_reward(name, self._functions[reward.path], shown, [_specimen(e) for e in first])
                except InputError as error:
                    problems.append(str(error))
        if problems:
            raise InputError.of(problems)

    def _reward(self, name: str, reward: PythonReward | ModelReward, pairs: Pairs) -> np.ndarray:
        values = np.full(len(pairs), np.nan)
        if places := scorable(pairs):
            examples, texts = [pairs[place][0] for place in places], [pairs[place][1].text for place in places]
            if isinstance(reward, ModelReward):
                documents = [example.document for example in examples]
                values[places] = self._models[reward](list(zip(documents, texts, strict=True)))
            else:
                shown = examples if reward.reads_target else _without_targets(examples)
                values[places] = call_reward(name, self._functions[reward.path], shown, texts)
        return values

    def _with_learned(self, found: Sequence[tuple[Flag, ...]], pairs: Pairs) -> list[tuple[Flag, ...]]:
        """The flags of the recipe's detector behind the others."""
        if self.learned is None:
            return list(found)
        learned = self.learned([(example.document, summary.text) for example, summary in pairs])
        return [flags + more for flags, more in zip(found, learned, strict=True)]

    def _total(self, shape, weighted, penalties: Mapping[str, np.ndarray]) -> np.ndarray:
        total = np.zeros(shape)
        for weight, values in weighted:
            total += weight * values
        for name, coefficient in self.penalties.items():
            total -= coefficient * penalties[name]
        return total


def distinct_pairs(
    examples: Sequence[Example], summaries: Sequence[Sequence[Summary]]
) -> tuple[list[tuple[Example, Summary]], np.ndarray]:
    """The distinct (example, summary) pairs, and the `(B, K)` place of each summary among them."""
    if len(examples) != len(summaries):
        raise ShapeError(
            f"the judge needs summaries of every document, got {len(examples)} documents and {len(summaries)} lists"
        )
    sizes = {len(row) for row in summaries}
    if len(sizes) > 1:
        raise ShapeError(f"every document needs the same number of summaries, got {min(sizes)} and {max(sizes)}")
    pairs: list[tuple[Example, Summary]] = []
    places = np.zeros((len(examples), max(sizes, default=0)), dtype=np.int64)
    for b, (example, row) in enumerate(zip(examples, summaries, strict=True)):
        known: dict[Summary, int] = {}
        for k, summary in enumerate(row):
            if summary not in known:
                known[summary] = len(pairs)
                pairs.append((example, summary))
            places[b, k] = known[summary]
    return pairs, places


def _costs(found: Sequence[tuple[Flag, ...]], names: Sequence[str]) -> dict[str, np.ndarray]:
    costs = {name: np.zeros(len(found)) for name in names}
    for place, flags in enumerate(found):
        for flag in flags:
            costs[flag.name][place] += flag.cost
    return costs


def _without_targets(examples: Sequence[Example]) -> list[Example]:
    return [replace(example, targets=(), facts={}) for example in examples]


def _specimen(example: Example) -> str:
    """A summary to try a reward function on: a person's where there is one, else the start of the document."""
    return example.targets[0] if example.targets else example.document[:200]


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    taken: list[str] = []
    for name in names:
        numbered, number = name, 1
        while numbered in taken:
            number += 1
            numbered = f"{name}_{number}"
        taken.append(numbered)
    return tuple(taken)

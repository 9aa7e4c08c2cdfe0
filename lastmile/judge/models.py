"""The models that a recipe rewards with: checked from their configs, then loaded, all problems at once."""

from __future__ import annotations

from collections.abc import Sequence

from lastmile.config import ModelReward, Reward, SemanticReward
from lastmile.errors import InputError
from lastmile.judge.nli import Entailment, load_entailment
from lastmile.judge.semantic import Semantic, load_semantic


def check_models(rewards: Sequence[Reward]) -> list[str]:
    """What is wrong with the models of some rewards, before any weight is loaded: where, and one sentence each."""
    if not any(isinstance(reward, ModelReward) for reward in rewards):
        return []
    from lastmile.policy.encoder import check_encoder
    from lastmile.policy.nli import check_nli

    return [
        f"`rewards.{place}.model`: {problem}"
        for place, reward in enumerate(rewards)
        if isinstance(reward, ModelReward)
        for problem in (check_encoder if isinstance(reward, SemanticReward) else check_nli)(
            reward.model, reward.revision
        )
    ]


def load_models(rewards: Sequence[Reward]) -> dict[ModelReward, Semantic | Entailment]:
    """The model of each reward that has one; its answers are numbers in 0..1 for pairs of document and summary.

    Raises:
        InputError: With what is wrong with each of them.
    """
    models, problems = {}, []
    for place, reward in enumerate(rewards):
        if isinstance(reward, ModelReward) and reward not in models:
            load = load_semantic if isinstance(reward, SemanticReward) else load_entailment
            try:
                models[reward] = load(reward.model, reward.revision)
            except InputError as error:
                problems.append(f"`rewards.{place}.model`: {error}")
    if problems:
        raise InputError.of(problems)
    return models

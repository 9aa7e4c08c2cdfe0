"""The witness of an audit: a detector of unsupported statements that training did not hear."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lastmile.compare.learned import ask
from lastmile.compare.support import Supports
from lastmile.config import ModelReward, Recipe
from lastmile.errors import InputError
from lastmile.judge.learned import LEARNED
from lastmile.policy.load import weights_hash
from lastmile.train.run import RunFolder

DOUBT, FACTS = "doubt", "wrong_facts"
OF_MODEL = {"detector": "detector", "semantic": "semantic_doubt", "nli": "nli_doubt"}
UNSUPPORTED = ("unsupported_word", "unsupported_entity", "unsupported_number")
FALSE = ("unrelated", "contradiction", "wrong_speaker", LEARNED)  # what else the witness would doubt
# What tells of the same fault by other means than the flag, and no recipe can price.
OTHER_WITNESSES = {"repetition": "repeated_trigrams", "copy": "density"}


@dataclass(frozen=True, slots=True)
class ModelWitness:
    """A model that was given as witness.

    Attributes:
        name: Of the measure, one of `OF_MODEL`'s.
        means: What the measure is, in words.
        doubts: Documents with their summaries → `(N,)`, higher where support is weaker.
    """

    name: str
    means: str
    doubts: Callable[[Sequence[tuple[str, str]]], np.ndarray]


def witness_of(recipe: Recipe, has_facts: bool) -> str | None:
    """The detector of unsupported statements that the run did not train against; None where it used them all.

    The facts of the demo corpus are the best witness, for they are known and not guessed.
    """
    priced = {name for name, coefficient in recipe.penalties.items() if coefficient}
    if has_facts:
        return FACTS
    if "consistency" not in priced:
        return DOUBT
    return next((f"flag/{name}" for name in UNSUPPORTED if name not in priced), None)


def describe(witness: str | None) -> str:
    """What a witness that needs no model goes by, in words."""
    if witness == FACTS:
        return "summaries with a wrong fact, by the corpus' own list of facts"
    if witness == DOUBT:
        return (
            "1 − the calibrated probability of consistency; not priced in this run, but it reads some of the same "
            "words as the unsupported_… flags, so it is a witness and no oracle"
        )
    if witness is None:
        return "none: the run priced every detector of unsupported statements"
    return f"the flag `{witness.removeprefix('flag/')}`, which the run did not price"


def model_witness(run: RunFolder, detector: Path | None, semantic: str | None, nli: str | None) -> ModelWitness | None:
    """The model to audit a run with, if one was given.

    Raises:
        InputError: If several were given, the run was trained against it, or it cannot be loaded.
    """
    given = {"detector": detector, "semantic": semantic, "nli": nli}
    given = {kind: name for kind, name in given.items() if name is not None}
    if not given:
        return None
    if len(given) > 1:
        raise InputError(f"an audit has one witness: give one of {', '.join(f'`--{kind}`' for kind in given)}")
    if detector is not None:
        return _detector_witness(run, detector)
    ((kind, name),) = given.items()
    for place, reward in enumerate(run.recipe.rewards):
        if isinstance(reward, ModelReward) and reward.kind == kind and _same(reward.model, name):
            raise InputError(
                f"`--{kind} {name}`: the run was rewarded by this very model (`rewards.{place}`), so it is no witness. "
                "Give one that training did not use"
            )
    kin = any(reward.kind == kind for reward in run.recipe.rewards)
    used = ", though another model of its kind was" if kin else ""
    means = f"1 − the support that `{name}` sees, {kind}; not a reward of this run{used}"
    supports = Supports(semantic, nli)
    return ModelWitness(OF_MODEL[kind], means, lambda pairs: supports.doubts(pairs)[kind])


def _detector_witness(run: RunFolder, folder: Path) -> ModelWitness:
    learned = ask(folder, run.profile)
    if weights_hash(learned.detector) == run.manifest.get("weights", {}).get("detector"):
        raise InputError(
            f"`{folder}` is the detector that `{run.path}` was trained against, and no witness. "
            "Give one that was trained apart, with another `--seed`, `--model` or `--data`"
        )

    def doubts(pairs: Sequence[tuple[str, str]]) -> np.ndarray:
        return np.array([max(row, default=0.0) for row in learned.detector.score(list(pairs))])

    means = "the score of a summary's worst word, by the given detector, which the run did not price"
    return ModelWitness(OF_MODEL["detector"], means, doubts)


def _same(one: str, other: str) -> bool:
    return one == other or (Path(one).exists() and Path(other).exists() and Path(one).samefile(other))

"""The witness of an audit: a detector of unsupported statements that training did not hear."""

from __future__ import annotations

from pathlib import Path

from lastmile.compare.support import Supports
from lastmile.config import ModelReward, Recipe
from lastmile.errors import InputError

DOUBT, FACTS = "doubt", "wrong_facts"
OF_MODEL = {"semantic": "semantic_doubt", "nli": "nli_doubt"}
UNSUPPORTED = ("unsupported_word", "unsupported_entity", "unsupported_number")


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


def model_witness(recipe: Recipe, semantic: str | None, nli: str | None) -> Supports | None:
    """The model that was given as witness, if one was.

    Raises:
        InputError: If two were given, the run was rewarded by it, or it cannot be loaded.
    """
    if semantic is None and nli is None:
        return None
    if semantic is not None and nli is not None:
        raise InputError("an audit has one witness: give `--semantic` or `--nli`, not both")
    kind, name = ("semantic", semantic) if nli is None else ("nli", nli)
    for place, reward in enumerate(recipe.rewards):
        if isinstance(reward, ModelReward) and reward.kind == kind and _same(reward.model, name):
            raise InputError(
                f"`--{kind} {name}`: the run was rewarded by this very model (`rewards.{place}`), so it is no witness. "
                "Give one that training did not use"
            )
    return Supports(semantic, nli)


def _same(one: str, other: str) -> bool:
    return one == other or (Path(one).exists() and Path(other).exists() and Path(one).samefile(other))


def describe(witness: str | None, recipe: Recipe, model: str | None) -> str:
    """What the witness is, in words; `model` names the one that was given."""
    kind = next((kind for kind, name in OF_MODEL.items() if name == witness), None)
    if kind is not None:
        kin = any(reward.kind == kind for reward in recipe.rewards)
        used = ", though another model of its kind was" if kin else ""
        return f"1 − the support that `{model}` sees, {kind}; not a reward of this run{used}"
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

"""The witness of an audit: a detector of unsupported statements that training did not hear."""

from __future__ import annotations

from pathlib import Path

from lastmile.compare.learned import ask
from lastmile.config import Recipe
from lastmile.errors import InputError
from lastmile.judge.learned import LEARNED, Learned
from lastmile.policy.load import weights_hash
from lastmile.train.run import RunFolder

DOUBT, FACTS, DETECTOR = "doubt", "wrong_facts", "detector"
UNSUPPORTED = ("unsupported_word", "unsupported_entity", "unsupported_number")
FALSE = ("unrelated", "contradiction", "wrong_speaker", LEARNED)  # what else the witness would doubt
# What tells of the same fault by other means than the flag, and no recipe can price.
OTHER_WITNESSES = {"repetition": "repeated_trigrams", "copy": "density"}


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
    """What a witness goes by, in words."""
    if witness == FACTS:
        return "summaries with a wrong fact, by the corpus' own list of facts"
    if witness == DOUBT:
        return (
            "1 − the calibrated probability of consistency; not priced in this run, but it reads some of the same "
            "words as the unsupported_… flags, so it is a witness and no oracle"
        )
    if witness == DETECTOR:
        return "the score of a summary's worst word, by the given detector, which the run did not price"
    if witness is None:
        return "none: the run priced every detector of unsupported statements"
    return f"the flag `{witness.removeprefix('flag/')}`, which the run did not price"


def ask_witness(folder: Path | None, run: RunFolder) -> Learned | None:
    """A detector to audit a run with, if one is wanted.

    Raises:
        InputError: If the folder holds none, or the one that the run was trained against.
    """
    learned = ask(folder, run.profile) if folder else None
    if learned and weights_hash(learned.detector) == run.manifest.get("weights", {}).get("detector"):
        raise InputError(
            f"`{folder}` is the detector that `{run.path}` was trained against, and no witness. "
            "Give one that was trained apart, with another `--seed`, `--model` or `--data`"
        )
    return learned

"""Errors that a person can act on: where, what is required, what was given, what to do."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class LastmileError(Exception):
    """Base of every error that lastmile raises on purpose. Rendered on stderr without a traceback.

    Attributes:
        exit_code: The status of the process: 2 for bad input, 1 for a run that failed.
    """

    exit_code = 1


class InputError(LastmileError, ValueError):
    """The user's data, options or files are not usable. Several problems may stand in one error, one a line."""

    exit_code = 2

    @classmethod
    def of(cls, problems: Iterable[str]) -> InputError:
        """Join all `problems` into one error, so that a person mends them in one go."""
        return cls("\n".join(problems))


class ShapeError(LastmileError, ValueError):
    """Tensors or lists whose shapes do not fit each other."""


class RunError(LastmileError, RuntimeError):
    """A run that started properly and could not go on."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ` Did you mean `x`?` for the nearest of `known`, else an empty string.

    >>> did_you_mean("lerning_rate", ["learning_rate", "steps"])
    ' Did you mean `learning_rate`?'
    >>> did_you_mean("zzz", ["learning_rate"])
    ''
    """
    nearest = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" Did you mean `{nearest[0]}`?" if nearest else ""

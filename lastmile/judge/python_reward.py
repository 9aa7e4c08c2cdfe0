"""The user's own reward function: found, tried on a few documents, called with errors that name it."""

from __future__ import annotations

import importlib
import math
import os
import sys
from collections.abc import Callable, Sequence
from numbers import Real

import numpy as np

from lastmile.errors import InputError, RunError, did_you_mean
from lastmile.records import Example

RewardFunction = Callable[[Sequence[Example], Sequence[str]], Sequence[float]]


def load_python_reward(path: str) -> RewardFunction:
    """Import `my_module:my_reward`; modules of the current directory are found as well as installed ones.

    The function is called `my_reward(examples: list[Example], summaries: list[str])` with two lists of equal length
    and returns one number a summary, higher is better, NaN where it cannot tell.

    Raises:
        InputError: If the module does not import, or has no such function.
    """
    module_name, _, name = path.partition(":")
    here = os.getcwd()
    sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name != module_name and not module_name.startswith(f"{error.name}."):
            raise InputError(f"reward `{path}`: importing `{module_name}` failed: {_say(error)}") from error
        raise InputError(
            f"reward `{path}`: no module `{module_name}` here or among the installed ones. "
            f"Start lastmile in the directory of `{module_name.split('.')[0]}`, or install it"
        ) from None
    except Exception as error:
        raise InputError(f"reward `{path}`: importing `{module_name}` failed: {_say(error)}") from error
    finally:
        sys.path.remove(here)
    function = getattr(module, name, None)
    if function is None:
        raise InputError(f"reward `{path}`: `{module_name}` has no `{name}`.{did_you_mean(name, vars(module))}")
    if not callable(function):
        raise InputError(f"reward `{path}`: must be a function, got {type(function).__name__}")
    return function


def call_reward(
    name: str, function: RewardFunction, examples: Sequence[Example], summaries: Sequence[str]
) -> np.ndarray:
    """Call a reward function and hold it to its contract.

    Returns:
        `(N,)` float64, one value a summary; NaN stays NaN.

    Raises:
        RunError: If it raises, or answers with something else than N numbers. Nothing is taken for 0.
    """
    try:
        answer = function(list(examples), list(summaries))
    except Exception as error:
        culprit = _culprit(function, examples, summaries)
        raise RunError(f"reward `{name}` raised {_say(error)} on {culprit}") from error
    try:
        values = list(answer)
    except TypeError:
        raise RunError(
            f"reward `{name}` must return one number for each summary, got {type(answer).__name__}"
        ) from None
    if len(values) != len(summaries):
        raise RunError(
            f"reward `{name}` must return one number for each summary, got {len(values)} for {len(summaries)}"
        )
    for example, value in zip(examples, values, strict=True):
        if not _is_number(value):
            raise RunError(f"reward `{name}` must return numbers, got {value!r} on document `{example.id}`")
        if math.isinf(value):
            raise RunError(f"reward `{name}` must return finite numbers or NaN, got {value} on document `{example.id}`")
    return np.asarray([float(value) for value in values], dtype=np.float64)


def check_reward(name: str, function: RewardFunction, examples: Sequence[Example], summaries: Sequence[str]) -> None:
    """Try a reward function before training starts.

    Raises:
        InputError: If it raises, returns the wrong number of values, something else than numbers, or NaN alone.
    """
    try:
        values = call_reward(name, function, examples, summaries)
    except RunError as error:
        raise InputError(f"{error}. It was tried on {len(examples)} documents before training") from error
    if len(values) and np.isnan(values).all():
        raise InputError(f"reward `{name}` returned NaN for all of {len(values)} summaries tried before training")


def _culprit(function: RewardFunction, examples: Sequence[Example], summaries: Sequence[str]) -> str:
    """Which document a failing batch fails on: each is tried alone, since the exception does not say."""
    for example, summary in zip(examples, summaries, strict=True):
        try:
            function([example], [summary])
        except Exception:
            return f"document `{example.id}`"
    return f"{len(examples)} summaries together (first: document `{examples[0].id}`), though on none of them alone"


def _is_number(value: object) -> bool:
    """A float, an int, or a scalar of numpy or torch."""
    return isinstance(value, Real) or (hasattr(value, "item") and getattr(value, "ndim", None) == 0)


def _say(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__

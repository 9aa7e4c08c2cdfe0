"""Models that hold a summary against its document: `--semantic MODEL` and `--nli MODEL` of `lastmile flag`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lastmile.errors import InputError
from lastmile.judge.nli import Entailment, load_entailment
from lastmile.judge.semantic import Semantic, load_semantic

SEMANTIC, ENTAILMENT = "semantic", "nli"
LOADERS = {SEMANTIC: load_semantic, ENTAILMENT: load_entailment}


class Supports:
    """Up to two such models, on the GPU where there is one.

    Attributes:
        models: `semantic` or `nli` to the model.
    """

    def __init__(self, semantic: str | None = None, nli: str | None = None) -> None:
        """Load what is named.

        Raises:
            InputError: With what is wrong with each.
        """
        self.models: dict[str, Semantic | Entailment] = {}
        problems = []
        for kind, name in ((SEMANTIC, semantic), (ENTAILMENT, nli)):
            if name is None:
                continue
            try:
                self.models[kind] = LOADERS[kind](name).to(_device())
            except InputError as error:
                problems.append(f"`--{kind}`: {error}")
        if problems:
            raise InputError.of(problems)

    def doubts(self, pairs: Sequence[tuple[str, str]]) -> dict[str, np.ndarray]:
        """Model to `(N,)` float64: 1 − support of N documents' summaries; NaN for a summary without a word."""
        return {name: 1 - model(pairs) for name, model in self.models.items()}


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"

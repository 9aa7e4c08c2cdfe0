"""The documents worth reading: where two systems differ most, with everything that was found in their summaries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from lastmile.compare.systems import LIKELIHOOD, POLICY_GRADIENT, TARGET, System
from lastmile.judge.measure import Measures
from lastmile.judge.metrics import FAULTS
from lastmile.records import Example


def telling_cases(
    groups: Mapping[str, Sequence[System]],
    measured: Mapping[str, Sequence[Measures]],
    examples: Sequence[Example],
    count: int,
) -> list[dict[str, Any]]:
    """Choose the documents on which policy gradient and likelihood lie furthest apart; half won, half lost.

    gainᵢ = ΔROUGE-Lᵢ / sd(ΔROUGE-L) − Δfaultsᵢ / sd(Δfaults), so neither measure drowns the other. Where one of the
    two systems is missing, the first others stand in. Of several runs the first is shown.

    Args:
        groups: System name to its runs.
        measured: System name to what was measured of its runs.
        examples: N documents.
        count: Documents wanted.

    Returns:
        Plain data, the greatest gains first, then the greatest losses.
    """
    ranked = [name for name in (POLICY_GRADIENT, LIKELIHOOD) if name in groups]
    ranked += [name for name in groups if name not in (*ranked, TARGET)]
    if len(ranked) < 2 or count < 1:
        return []
    a, b = (measured[name][0] for name in ranked[:2])
    gains = _scaled(_faults(b) - _faults(a))
    if "rougeL" in a.statistics and "rougeL" in b.statistics:
        gains = gains + _scaled(a.statistics["rougeL"].numerator - b.statistics["rougeL"].numerator)
    order = [int(i) for i in np.argsort(-gains, kind="stable")]
    won = [i for i in order if gains[i] > 0][: (count + 1) // 2]
    lost = [i for i in reversed(order) if gains[i] < 0][: count // 2]
    return [_case(groups, measured, examples[i], i, ranked[:2], i in won) for i in won + lost]


def _case(
    groups: Mapping[str, Sequence[System]],
    measured: Mapping[str, Sequence[Measures]],
    example: Example,
    i: int,
    pair: Sequence[str],
    won: bool,
) -> dict[str, Any]:
    summaries = []
    for name, runs in groups.items():
        run = measured[name][0]
        rouge = run.statistics.get("rougeL")
        summaries.append(
            {
                "system": name,
                **asdict(runs[0].summaries[i]),
                "rougeL": float(rouge.numerator[i]) if rouge is not None and rouge.denominator[i] else None,
                "flags": [asdict(flag) for flag in run.flags[i]],
            }
        )
    return {
        "id": example.id,
        "winner": pair[0] if won else pair[1],
        "document": example.document,
        "targets": list(example.targets),
        "summaries": summaries,
    }


def _scaled(differences: np.ndarray) -> np.ndarray:
    spread = differences.std()
    return differences / spread if spread > 0 else differences


def _faults(run: Measures) -> np.ndarray:
    return np.array([sum(flag.name in FAULTS for flag in flags) for flags in run.flags], dtype=np.float64)

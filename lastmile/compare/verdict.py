"""The paragraph at the top of every report: did policy gradient win? In words that only the numbers choose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lastmile.compare.systems import LIKELIHOOD, POLICY_GRADIENT
from lastmile.judge.metrics import METRICS, shown_difference, verdict_of

# What the question is decided by; `wrong_facts` only where the corpus knows its facts.
HEADLINE = ("rougeL", "flag_rate", "wrong_facts")
# Drifts that must be told beside a win: they are how summaries get better scores without getting better.
DRIFTS = ("copied_trigrams", "length_ratio")

POST = " + post"
TERMS = "Brackets hold 95 % intervals; a winner is named where the corrected p is below 0.05."


def verdict(differences: Sequence[Mapping[str, Any]], systems: Sequence[Mapping[str, Any]] = ()) -> str:
    """Answer in one paragraph: raw against raw, post-processed against post-processed, raw against the honest rival.

    A system is called better or worse on a measure only where the corrected p (Holm) is below 0.05.

    Args:
        differences: As in `report.json`.
        systems: As in `report.json`; read for the drift of the length.
    """
    found = {(row["a"], row["b"], row["metric"]): row for row in differences}
    sentences = []
    for intro, a, b in (
        ("Without post-processing, policy gradient against likelihood", POLICY_GRADIENT, LIKELIHOOD),
        ("With the same post-processing on both", POLICY_GRADIENT + POST, LIKELIHOOD + POST),
        ("Raw policy gradient against post-processed likelihood", POLICY_GRADIENT, LIKELIHOOD + POST),
    ):
        rows = [found[a, b, metric] for metric in HEADLINE if (a, b, metric) in found]
        if rows:
            sentences.append(f"{intro}: {_outcome(rows)} ({'; '.join(_figure(row) for row in rows)}).")
    if not sentences:
        return "There is no pair of a likelihood and a policy-gradient system here, so this report names no winner."
    return " ".join([*sentences, *_drifts(found, systems), TERMS])


def _outcome(rows: Sequence[Mapping[str, Any]]) -> str:
    labels: dict[str, list[str]] = {"better": [], "worse": [], "same": []}
    for row in rows:
        labels[verdict_of(row["metric"], row["delta"], row["p_holm"])].append(METRICS[row["metric"]].label)
    better, worse, same = (_listed(labels[outcome]) for outcome in ("better", "worse", "same"))
    if better and worse:
        return f"better on {better}, but worse on {worse}"
    if not better and not worse:
        return "no detectable difference"
    clear = f"better on {better}" if better else f"worse on {worse}"
    return f"{clear}, no detectable difference on {same}" if same else clear


def _figure(row: Mapping[str, Any]) -> str:
    delta, spread = shown_difference(row["metric"], row["delta"], row["low"], row["high"])
    return f"{METRICS[row['metric']].label} {delta} [{spread}]"


def _drifts(found: Mapping[tuple[str, str, str], Mapping[str, Any]], systems: Sequence[Mapping[str, Any]]) -> list[str]:
    notes = []
    copied = found.get((POLICY_GRADIENT, LIKELIHOOD, "copied_trigrams"))
    if copied and verdict_of("copied_trigrams", copied["delta"], copied["p_holm"]) == "more":
        notes.append(f"It copies more of the document ({_figure(copied)}).")
    for system in systems:
        ratio = system["metrics"].get("length_ratio")
        if system["name"] == POLICY_GRADIENT and ratio and abs(ratio["value"] - 1) > 0.1:
            direction = "shorter" if ratio["value"] < 1 else "longer"
            notes.append(f"Its summaries are {100 * abs(ratio['value'] - 1):.0f} % {direction} than the targets.")
    return notes


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), *names[-1:]] if len(names) > 1 else names)

"""From summaries to a report: measures, intervals, tested differences, a verdict, and the documents worth reading."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np

from lastmile.compare.baselines import without_first_target
from lastmile.compare.cases import telling_cases
from lastmile.compare.page import render_page
from lastmile.compare.significance import cohens_d, holm, interval, resample, samples_for, two_sided_p
from lastmile.compare.systems import LIKELIHOOD, POLICY_GRADIENT, TARGET, System
from lastmile.compare.tables import markdown, print_table
from lastmile.compare.verdict import verdict
from lastmile.config import Compare
from lastmile.errors import InputError, RunError, did_you_mean
from lastmile.judge.learned import Learned
from lastmile.judge.measure import Measures, Statistic, measure
from lastmile.judge.metrics import FAULTS, METRICS, TESTED
from lastmile.judge.profile import TargetProfile
from lastmile.records import Example

__all__ = ["build_report", "default_comparisons", "print_table", "write_report"]

# Measures that a reward of ROUGE and flags does not contain, to hold beside it.
UNSEEN = ("absent_words", "repeated_trigrams", "copied_trigrams")


def build_report(
    title: str,
    examples: Sequence[Example],
    systems: Sequence[System],
    profile: TargetProfile,
    settings: Compare,
    *,
    several: Literal["best", "mean", "first"] = "best",
    seed: int = 1,
    signature: Mapping[str, Any] | None = None,
    curves: Sequence[Mapping[str, Any]] | None = None,
    rewards_by_system: Mapping[str, np.ndarray] | None = None,
    comparisons: Sequence[tuple[str, str]] | None = None,
    unseen: Sequence[str] = UNSEEN,
    resources: Mapping[str, Any] | None = None,
    num_cases: int = 12,
    learned: Learned | None = None,
) -> dict[str, Any]:
    """Compare systems on the same documents.

    Systems of one name are runs of one recipe under different seeds. Their row shows the mean over the runs; the
    interval of that mean is over documents (all runs on the same resampled documents), `runs` lists each run's own
    values and `by_run` each run's difference: the spread between seeds is read there.

    Args:
        title: Head of the report.
        examples: N test documents.
        systems: Each with N summaries.
        profile: What the targets of the corpus look like.
        settings: The recipe's `compare` section.
        several: With several targets ROUGE takes the `best`, the `mean` or the `first`.
        seed: Of the bootstrap.
        signature: What else the numbers depend on: data hash, checkpoint hashes, decoding.
        curves: Rows of `metrics.jsonl`, for the training curves.
        rewards_by_system: System name to the trained reward of each summary, `(N,)` or `(runs, N)`; NaN is left out.
        comparisons: Pairs (a, b) of names to test a − b; default `default_comparisons`.
        unseen: Metrics that the trained reward does not contain, shown beside it.
        resources: Time and memory of each stage, shown as given.
        num_cases: Documents to show in full: those on which policy gradient and likelihood differ most.
        learned: A detector whose flag is counted too.

    Returns:
        Plain data: what `write_report` writes and `print_table` prints.

    Raises:
        InputError: If there are no systems, or summaries and documents differ in number, or a name is unknown.
    """
    groups = _groups(systems)
    pairs = list(default_comparisons(list(groups)) if comparisons is None else comparisons)
    _check(examples, systems, [name for pair in pairs for name in pair], [*(rewards_by_system or {})], unseen)
    others = without_first_target(examples)
    measured = {
        name: [
            measure(others if s.family == TARGET else examples, s.summaries, profile, several=several, learned=learned)
            for s in runs
        ]
        for name, runs in groups.items()
    }
    statistics = {
        (name, metric): [run.statistics[metric] for run in runs]
        for name, runs in measured.items()
        for metric in METRICS
        if all(metric in run.statistics for run in runs)
    }
    for name, rewards in (rewards_by_system or {}).items():
        statistics[name, "reward"] = [_reward_statistic(name, row, len(examples)) for row in np.atleast_2d(rewards)]
    questions = [(a, b, m) for a, b in pairs for m in TESTED if (a, m) in statistics and (b, m) in statistics]
    samples = samples_for(len(pairs), settings.bootstrap_samples)
    resampled = _resampled_means(statistics, samples, seed)
    rows = _systems(groups, statistics, resampled)
    differences = _differences(questions, statistics, resampled)
    report = {
        "title": title,
        "verdict": verdict(differences, rows),
        "documents": len(examples),
        "systems": rows,
        "differences": differences,
        "runs": _runs(groups, measured),
        "post_processing": {
            name: _mean_counts([run.changed for run in runs])
            for name, runs in groups.items()
            if any(run.changed for run in runs)
        },
        "unseen": list(unseen),
        "signature": {
            **metric_signature(several),
            "differences": "paired over the same resamples, two-sided p, Holm over all pairs on one metric",
            "bootstrap_samples": samples,
            "bootstrap_seed": seed,
            "post_processing": list(settings.post_processing),
            "decoding": settings.decoding.model_dump(mode="json"),
            **(signature or {}),
        },
        "curves": [dict(row) for row in curves or ()],
        "cases": telling_cases(groups, measured, examples, num_cases),
    }
    return report | ({"resources": dict(resources)} if resources else {})


def write_report(
    folder: Path, report: Mapping[str, Any], examples: Sequence[Example], systems: Sequence[System]
) -> Path:
    """Write `report.html`, `report.md`, `report.json` and `summaries.jsonl`, each aside and then renamed.

    `summaries.jsonl` holds one line a document: its id and the summary of every system (of the first run, where there
    are several), so that any number of the report can be computed again.

    Returns:
        The path of `report.html`, which needs no other file.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    numbers = {key: value for key, value in report.items() if key not in ("curves", "cases")}
    first = {name: runs[0] for name, runs in _groups(systems).items()}
    lines = (
        {"id": example.id, "summaries": {name: system.summaries[i].text for name, system in first.items()}}
        for i, example in enumerate(examples)
    )
    _write(folder / "summaries.jsonl", "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines))
    _write(folder / "report.json", json.dumps(_plain(numbers), ensure_ascii=False, indent=2, allow_nan=False) + "\n")
    _write(folder / "report.md", markdown(report))
    _write(folder / "report.html", render_page(report))
    return folder / "report.html"


def _plain(value: Any) -> Any:
    """JSON knows no NaN: a metric that nothing could be measured by is null."""
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _write(path: Path, text: str) -> None:
    aside = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        aside.write_text(text, encoding="utf-8")
        os.replace(aside, path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise RunError(f"{path}: cannot be written: {error.strerror}") from None


def default_comparisons(names: Sequence[str]) -> list[tuple[str, str]]:
    """Every policy-gradient system against every likelihood system, then the rest against post-processed likelihood.

    The targets are left out: they are scored on fewer targets than the systems, so differences would mean nothing.

    >>> default_comparisons(["likelihood", "policy gradient", "lead-3"])
    [('policy gradient', 'likelihood'), ('lead-3', 'likelihood')]
    """
    learned = [name for name in names if name in (POLICY_GRADIENT, f"{POLICY_GRADIENT} + post")]
    likely = [name for name in (LIKELIHOOD, f"{LIKELIHOOD} + post") if name in names]
    rest = [name for name in names if name not in (*learned, *likely, TARGET)]
    pairs = [(a, b) for b in likely for a in learned]
    return pairs + [(name, likely[-1]) for name in rest if likely]


def _groups(systems: Sequence[System]) -> dict[str, list[System]]:
    groups: dict[str, list[System]] = {}
    for system in systems:
        groups.setdefault(system.name, []).append(system)
    return groups


def _check(
    examples: Sequence[Example],
    systems: Sequence[System],
    paired: Sequence[str],
    rewarded: Sequence[str],
    unseen: Sequence[str],
) -> None:
    names = [system.name for system in systems]
    problems = [
        f"`{system.name}`: one summary is needed for each document, "
        f"got {len(system.summaries)} for {len(examples)} documents"
        for system in systems
        if len(system.summaries) != len(examples)
    ]
    problems += [
        f"`{name}`: no such system to compare.{did_you_mean(name, names)}"
        for name in dict.fromkeys([*paired, *rewarded])
        if name not in names
    ]
    problems += [f"`{name}`: no such metric.{did_you_mean(name, METRICS)}" for name in unseen if name not in METRICS]
    if not systems or not examples:
        problems.append(f"a report needs systems and documents, got {len(systems)} and {len(examples)}")
    if problems:
        raise InputError.of(problems)


def _reward_statistic(name: str, rewards: np.ndarray, documents: int) -> Statistic:
    if rewards.shape != (documents,):
        raise InputError(
            f"`{name}`: one reward is needed for each document, got {len(rewards)} for {documents} documents"
        )
    scored = np.isfinite(rewards)
    return Statistic(np.where(scored, rewards, 0.0), scored.astype(np.float64))


def _resampled_means(
    statistics: Mapping[tuple[str, str], Sequence[Statistic]], samples: int, seed: int
) -> dict[tuple[str, str], np.ndarray]:
    """Resampled values of each system's metric, the mean over its runs."""
    drawn = resample([run for runs in statistics.values() for run in runs], samples, seed)
    means, column = {}, 0
    for key, runs in statistics.items():
        means[key] = drawn[:, column : column + len(runs)].mean(axis=1)
        column += len(runs)
    return means


def _systems(
    groups: Mapping[str, Sequence[System]],
    statistics: Mapping[tuple[str, str], Sequence[Statistic]],
    resampled: Mapping[tuple[str, str], np.ndarray],
) -> list[dict[str, Any]]:
    rows = []
    for name, runs in groups.items():
        metrics = {}
        for metric in METRICS:
            if (name, metric) in statistics:
                low, high = interval(resampled[name, metric])
                metrics[metric] = {"value": _mean(statistics[name, metric]), "low": low, "high": high}
        rows.append(
            {
                "name": name,
                "family": runs[0].family,
                "post_processed": runs[0].post_processed,
                "oracle": runs[0].oracle,
                "metrics": metrics,
            }
        )
    return rows


def _differences(
    questions: Sequence[tuple[str, str, str]],
    statistics: Mapping[tuple[str, str], Sequence[Statistic]],
    resampled: Mapping[tuple[str, str], np.ndarray],
) -> list[dict[str, Any]]:
    """Test every question. Holm's family is all pairs on one metric.

    Whether one pair differs grows doubtful with every other pair that is tried; whether ROUGE-L differs does not grow
    doubtful because words were counted as well.
    """
    rows = []
    for a, b, metric in questions:
        differences = resampled[a, metric] - resampled[b, metric]
        low, high = interval(differences)
        in_a, in_b = statistics[a, metric], statistics[b, metric]
        rows.append(
            {
                "a": a,
                "b": b,
                "metric": metric,
                "delta": _mean(in_a) - _mean(in_b),
                "low": low,
                "high": high,
                "p": two_sided_p(differences),
                "effect": cohens_d(_mean_contributions(in_a), _mean_contributions(in_b)),
                **_by_run(in_a, in_b),
            }
        )
    for metric in TESTED:
        family = [row for row in rows if row["metric"] == metric]
        for row, corrected in zip(family, holm([row["p"] for row in family]), strict=True):
            row["p_holm"] = corrected
    return rows


def _by_run(a: Sequence[Statistic], b: Sequence[Statistic]) -> dict[str, list[float]]:
    """The difference of each pair of runs, in their order; runs of one system may share the other's single run."""
    count = max(len(a), len(b))
    if count == 1 or {len(a), len(b)} > {1, count}:
        return {}
    pairs = zip(a if len(a) > 1 else [*a] * count, b if len(b) > 1 else [*b] * count, strict=True)
    return {"by_run": [left.value - right.value for left, right in pairs]}


def _mean(runs: Sequence[Statistic]) -> float:
    return float(np.mean([run.value for run in runs]))


def _mean_contributions(runs: Sequence[Statistic]) -> np.ndarray:
    return np.mean([run.per_document for run in runs], axis=0)


def _runs(groups: Mapping[str, Sequence[System]], measured: Mapping[str, Sequence[Measures]]) -> list[dict[str, Any]]:
    """The values of each run where a system has several: between them lies what the seed alone decides."""
    return [
        {"name": name, "seed": system.seed, "metrics": {m: run.value(m) for m in run.statistics}}
        for name, systems in groups.items()
        if len(systems) > 1
        for system, run in zip(systems, measured[name], strict=True)
    ]


def _mean_counts(counts: Sequence[Mapping[str, int]]) -> dict[str, float]:
    """Outputs changed by each rule, the mean over runs."""
    return {rule: sum(run.get(rule, 0) for run in counts) / len(counts) for rule in counts[0]}


def metric_signature(several: str) -> dict[str, Any]:
    """What every metric depends on, whoever reports it."""
    return {
        "lastmile": version("lastmile"),
        "rouge": "lastmile, equal to rouge_score 0.1.2 | F1 | Porter stems | no stop words removed",
        "sentence_splitter": f"sentencex {version('sentencex')}, and every line break",
        "several_targets": several,
        "flag_rate": list(FAULTS),
        "intervals": "bootstrap over documents, 95 % percentile",
    }

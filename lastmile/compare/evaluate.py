"""Measure the output files of any system, ours or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from lastmile.compare.read import file_hash, read_documents, read_predictions, read_targets
from lastmile.compare.report import metric_signature
from lastmile.compare.significance import interval, resample
from lastmile.errors import InputError
from lastmile.judge.measure import measure
from lastmile.judge.profile import TargetProfile, profile_targets
from lastmile.records import Example


def evaluate_files(
    predictions: Path,
    targets: Path,
    documents: Path | None = None,
    several: Literal["best", "mean", "first"] = "best",
    bootstrap_samples: int = 2000,
    seed: int = 1,
) -> dict[str, Any]:
    """Measure predictions against targets, and against documents where there are some.

    Flags hold summaries against the habits of these very targets; where all predictions are written in lower case,
    names are told by the corpus instead of by their capitals.

    Returns:
        `documents` (their number), `metrics` (name to `value`, `low`, `high`) and `signature`.

    Raises:
        InputError: If a file cannot be read, or the files do not have equally many lines.
    """
    summaries, wanted = read_predictions(predictions), read_targets(targets)
    texts = read_documents(documents) if documents else [""] * len(wanted)
    for path, found in ((predictions, summaries), (documents, texts)):
        if len(found) != len(wanted):
            raise InputError(
                f"{path} has {len(found)} lines and {targets} has {len(wanted)}: line n of both must belong together"
            )
    if not wanted:
        raise InputError(f"{targets}: no targets in it")
    examples = [
        Example(str(number), document, several_targets)
        for number, (document, several_targets) in enumerate(zip(texts, wanted, strict=True), 1)
    ]
    cased = any(summary.text != summary.text.lower() for summary in summaries)
    profile = profile_targets(examples, cased) if documents else TargetProfile.neutral(cased)
    statistics = measure(examples, summaries, profile, several=several).statistics
    drawn = resample(list(statistics.values()), bootstrap_samples, seed)
    metrics = {}
    for column, (name, statistic) in enumerate(statistics.items()):
        low, high = interval(drawn[:, column])
        metrics[name] = {"value": statistic.value, "low": low, "high": high}
    files = {"predictions": predictions, "targets": targets} | ({"documents": documents} if documents else {})
    signature = {
        **metric_signature(several),
        "bootstrap_samples": bootstrap_samples,
        "bootstrap_seed": seed,
        "sha256": {name: file_hash(path) for name, path in files.items()},
    }
    return {"documents": len(examples), "metrics": metrics, "signature": signature}

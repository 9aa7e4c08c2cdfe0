"""How far the flags may be trusted: every detector held against people's labels, and against overlap alone."""

from __future__ import annotations

import json
import pkgutil
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np

from lastmile import __version__
from lastmile.compare.agreement import Measure, Words, auc, balanced_accuracy, bootstrap, mean, only, span_agreement
from lastmile.compare.flag_file import flagging_bar
from lastmile.compare.labelled import Labelled, check_labels, read_labels
from lastmile.compare.learned import ask, score_rows
from lastmile.compare.pairs import PairFile
from lastmile.compare.read import file_hash
from lastmile.compare.significance import holm, interval, samples_for, two_sided_p
from lastmile.compare.support import Supports
from lastmile.config import FLAG_NAMES
from lastmile.corpus.extractiveness import coverage, density, extractive_fragments
from lastmile.corpus.text import words
from lastmile.judge.consistency import judge_consistency, precision_targets, thresholds
from lastmile.judge.document import read_document
from lastmile.judge.flags import find_flags
from lastmile.judge.learned import LEARNED, Learned
from lastmile.judge.metrics import FAULTS
from lastmile.judge.profile import TargetProfile, profile_targets

CONSISTENCY, ANY_FAULT = "consistency", "any_fault"
OURS = (CONSISTENCY, ANY_FAULT, *FLAG_NAMES)
# The same probabilities at other thresholds: they raise other alarms, and score alike.
PRECISE = {f"{CONSISTENCY}, precision {target:g}": target for target in precision_targets()}
OVERLAP = ("coverage", "density", "novel_2grams")
FILE = "file/"  # before the names of the detectors whose scores the file carries
UNNAMED = "(no data set)"  # rows without `dataset` beside rows with one
SPAN_MEASURES = ("precision", "recall", "f1")
ALARM_MEASURES = SPAN_MEASURES[:2]
_ROWS_AT_A_TIME = 64


@dataclass(frozen=True, slots=True)
class Readings:
    """What detectors and people say of N summaries.

    Attributes:
        documents: Which document each is of.
        places: The data set and the system of each.
        faulty: `(N,)` bool: people found it not consistent.
        scores: Detector to `(N,)` float64, higher = more faulty; NaN where one that is not ours has no score.
        raised: Our detectors alone, and `PRECISE`, to `(N,)` bool: what they say at their threshold.
        marked: `(N,)` bool: people were asked for spans.
        bad_spans: `(N,)` bool: they marked something that is not in the summary.
        words: The same to the words they mark, and people too; 0 where people were not asked.
    """

    documents: tuple[str, ...]
    places: tuple[tuple[str, str], ...]
    faulty: np.ndarray
    scores: Mapping[str, np.ndarray]
    raised: Mapping[str, np.ndarray]
    marked: np.ndarray
    bad_spans: np.ndarray
    words: Mapping[str, Words]


def check_flags(
    path: Path,
    split: str | None = None,
    spans_from: int | None = None,
    span_votes: int = 1,
    skip_bad_spans: bool = False,
    bootstrap_samples: int = 2000,
    seed: int = 1,
    progress: bool = True,
    detector: Path | None = None,
    semantic: str | None = None,
    nli: str | None = None,
) -> dict[str, Any]:
    """Hold every detector against the labels of a file.

    A flag's score is its cost, and it says "faulty" when it is raised; `any_fault` is what the flag rate of a report
    counts; `consistency` says "faulty" below the threshold fitted with it, which tells the two kinds apart best, and
    `alarms` has how right it is there and at the thresholds for a precision. Other detectors come with the file.
    Overlap with the document is a detector as well, the one to beat: whoever copies says little that is wrong.

    Args:
        path: Rows as in `PairFile` with `label`, and perhaps `spans`, `dataset`, `model` and `scores`.
        split: Take only rows with this `split`.
        spans_from: 0 or 1: what the first character counts as in `spans`. None: 0, unless they look like 1; then it is
            an error.
        span_votes: Annotators who must have marked a word for it to count as marked; a span that does not say whose it
            is counts as one more.
        skip_bad_spans: Count rows with a span that is not in their summary as rows that nobody marked.
        bootstrap_samples: Resamples.
        seed: Of the resamples.
        progress: Show a bar on stderr.
        detector: A folder of `lastmile flag train`; its score is that of the worst word.
        semantic: An encoder, by name or path; its score is 1 − semantic support. No threshold, so AUC alone.
        nli: A classifier for natural language inference, likewise.

    Returns:
        Plain data: `rows`, `cased`, `doubt` (what is odd about the spans, in words), `groups` and `signature`; see
        docs/flag_check.md.

    Raises:
        InputError: If rows cannot be used, all labels are the same, or a model cannot be loaded.
    """
    pairs = PairFile(path, split)
    rows, cased, doubt = check_labels(pairs, spans_from, skip_bad_spans)
    spans_from = spans_from or 0
    profile = profile_targets((example for _, example, _ in pairs), cased)
    asked, supports = ask(detector, profile), Supports(semantic, nli)
    with flagging_bar(progress) as bar:
        task = bar.add_task("checking", total=rows)
        readings = _read(_advancing(read_labels(pairs, spans_from), bar, task), profile, span_votes, asked, supports)
    # Holm multiplies the smallest p by the number of rivals: enough resamples that a clear win can be seen.
    samples = samples_for(len(readings.scores.keys() - readings.words.keys()), bootstrap_samples)
    return {
        "file": str(path),
        "split": split,
        "rows": rows,
        "cased": cased,
        "rows_with_bad_spans": int(readings.bad_spans.sum()),
        "doubt": doubt,
        "groups": [_group(readings, *group, samples, seed) for group in _groups(readings)],
        "signature": {
            "lastmile": __version__,
            "labels": "1 = consistent, 0 = not; AUC is the chance that a summary with label 0 scores as more faulty",
            "consistency_fitted_on": _fitted_on(),
            "threshold": {CONSISTENCY: dict(thresholds()), "flags": "raised at all"}
            | {name: dict(thresholds(target)) for name, target in PRECISE.items()}
            | ({LEARNED: asked.threshold} if asked else {}),
            "models": {name: model for name, model in (("semantic", semantic), ("nli", nli)) if model},
            "spans_from": spans_from,
            "span_votes": span_votes,
            "intervals": "bootstrap over documents, 95 % percentile",
            "differences": "paired over the same resamples and rows, two-sided p, Holm over all detectors of a group",
            "bootstrap_samples": samples,
            "bootstrap_seed": seed,
            "sha256": file_hash(path),
        },
    }


def _fitted_on() -> str:
    """Whose labels the combination's coefficients come from: on those very rows it looks better than it is."""
    fitted = json.loads(pkgutil.get_data("lastmile.judge", "consistency.json") or b"{}")
    provenance = fitted.get("provenance", "unknown")
    return str(provenance["data"] if isinstance(provenance, dict) else provenance)


def _advancing(rows: Iterator[Labelled], bar: Any, task: Any) -> Iterator[Labelled]:
    for row in rows:
        yield row
        bar.advance(task)


def _with_doubts(rows: Iterator[Labelled], supports: Supports) -> Iterator[tuple[Labelled, dict[str, float]]]:
    """Each row with how far each model doubts its summary; some dozens are read together."""
    while part := list(islice(rows, _ROWS_AT_A_TIME)):
        found = supports.doubts([(row.example.document, row.summary.text) for row in part])
        for place, row in enumerate(part):
            yield row, {name: float(doubts[place]) for name, doubts in found.items()}


def _read(
    rows: Iterator[Labelled], profile: TargetProfile, span_votes: int, asked: Learned | None, supports: Supports
) -> Readings:
    documents, places, faulty, marked, bad_spans = [], [], [], [], []
    found: list[dict[str, float]] = []
    raised: list[dict[str, bool]] = []
    shared: list[dict[str, tuple[int, int, int]]] = []
    ours = (*OURS, *([LEARNED] if asked else []))
    judged = _with_doubts(rows, supports)
    if asked:
        doubted = score_rows(asked, judged, lambda both: (both[0].example, both[0].summary))
    else:
        doubted = ((both, ()) for both in judged)
    for (row, of_models), doubts in doubted:
        scores, says, spots = _detect(row, profile)
        if asked:
            scores[LEARNED] = max(doubts, default=0.0)
            spots[LEARNED] = {place for place, doubt in enumerate(doubts) if doubt >= asked.threshold}
            says[LEARNED] = bool(spots[LEARNED])
        people = _people(row, span_votes)
        documents.append(row.example.document)
        places.append((row.dataset, row.model))
        faulty.append(not row.consistent)
        marked.append(row.spans is not None)
        bad_spans.append(row.bad_spans)
        found.append(scores | of_models | {f"{FILE}{name}": -value for name, value in row.scores.items()})
        raised.append(says)
        shared.append({name: (len(mine & people), len(mine), len(people)) for name, mine in spots.items()})
    others = dict.fromkeys(name for scores in found for name in scores if name.startswith(FILE))
    detectors = (*ours, *OVERLAP, *supports.models, *others)
    return Readings(
        tuple(documents),
        tuple(places),
        np.array(faulty),
        {name: np.array([row.get(name, np.nan) for row in found]) for name in detectors},
        {name: np.array([row[name] for row in raised]) for name in (*ours, *PRECISE)},
        np.array(marked),
        np.array(bad_spans),
        {name: Words(*np.array([row[name] for row in shared], dtype=np.float64).T) for name in (*ours, *PRECISE)},
    )


def _detect(row: Labelled, profile: TargetProfile) -> tuple[dict[str, float], dict[str, bool], dict[str, set[int]]]:
    """Each detector's score, what ours say at their threshold, and the words that ours mark."""
    document, text = row.example.document, row.summary.text
    flags = find_flags(document, row.summary, profile)
    spans = {name: [(flag.start, flag.end) for flag in flags if flag.name == name] for name in FLAG_NAMES}
    cost = {name: sum(flag.cost for flag in flags if flag.name == name) for name in FLAG_NAMES}
    says = {name: any(flag.name == name for flag in flags) for name in FLAG_NAMES}
    judged = judge_consistency(document, text, cased=profile.cased)
    combined = {CONSISTENCY: None} | PRECISE
    spots = {name: _covered(text, ends) for name, ends in spans.items()}
    return (
        {CONSISTENCY: 1 - judged.probability, ANY_FAULT: sum(cost[name] for name in FAULTS)}
        | cost
        | _overlap(document, text),
        {name: judged.inconsistent(target) for name, target in combined.items()}
        | {ANY_FAULT: any(says[name] for name in FAULTS)}
        | says,
        {
            name: {place for place, doubt in enumerate(judged.words) if doubt >= thresholds(target)["word"]}
            for name, target in combined.items()
        }
        | {ANY_FAULT: set().union(*(spots[name] for name in FAULTS))}
        | spots,
    )


def _overlap(document: str, text: str) -> dict[str, float]:
    """How little a summary copies, so that, as with every score, more is more suspect.

    Who says nothing neither copies nor strays: a summary without a word has no score (NaN), one of a single word none
    in bigrams.
    """
    own, there = [word.text.lower() for word in words(text)], read_document(document).lower
    fragments = extractive_fragments(there, own)
    bigrams, known = list(pairwise(own)), set(pairwise(there))
    novel = sum(bigram not in known for bigram in bigrams) / len(bigrams) if bigrams else np.nan
    return {"coverage": -coverage(fragments, len(own)), "density": -density(fragments, len(own)), "novel_2grams": novel}


def _covered(text: str, spans: Sequence[tuple[int, int]]) -> set[int]:
    """The places of the words that touch one of the spans."""
    return {
        place
        for place, word in enumerate(words(text))
        if any(start < word.end and word.start < end for start, end in spans)
    }


def _people(row: Labelled, votes: int) -> set[int]:
    """The places of the words that so many people marked; of a mark without a name nobody knows who else's it is."""
    found = set()
    for place, word in enumerate(words(row.summary.text)):
        marks = [mark for mark in row.spans or () if mark.start < word.end and word.start < mark.end]
        named = {mark.annotator for mark in marks if mark.annotator is not None}
        if marks and len(named) + sum(mark.annotator is None for mark in marks) >= votes:
            found.add(place)
    return found


def _groups(readings: Readings) -> Iterator[tuple[str, str, np.ndarray]]:
    """Everything, each data set, each system of each data set; a level with one member says nothing new."""
    datasets = list(dict.fromkeys(dataset for dataset, _ in readings.places))
    yield "", "", np.ones(len(readings.places), dtype=bool)
    for dataset in datasets:
        here = np.array([place[0] == dataset for place in readings.places])
        if len(datasets) > 1:
            yield dataset or UNNAMED, "", here
        models = list(dict.fromkeys(model for name, model in readings.places if name == dataset))
        if len(models) > 1:
            for model in sorted(models):
                yield (
                    dataset or (UNNAMED if len(datasets) > 1 else ""),
                    model,
                    np.array([place == (dataset, model) for place in readings.places]),
                )


def _group(readings: Readings, dataset: str, model: str, here: np.ndarray, samples: int, seed: int) -> dict[str, Any]:
    faulty, marked = readings.faulty[here], readings.marked[here]
    measures: dict[Hashable, Measure] = {}
    for name, every in readings.scores.items():
        scores = every[here]
        known = ~np.isnan(scores)
        if known.any():
            measures["auc", name] = only(auc(scores[known], faulty[known]), known)
            if not known.all():  # ours on the very rows that the other detector scored
                ours = readings.scores[CONSISTENCY][here]
                measures["ours", name] = only(auc(ours[known], faulty[known]), known)
    for name in readings.words:
        raised = readings.raised[name][here]
        measures["balanced_accuracy", name] = balanced_accuracy(raised, faulty)
        alarms = span_agreement(Words(*np.array([raised & faulty, raised, faulty], dtype=np.float64)))
        measures |= {("alarms", name, part): alarms[part] for part in ALARM_MEASURES}
        if marked.any():
            held = Words(*(np.where(marked, part[here], 0.0) for part in readings.words[name]))
            measures |= {(part, name): measure for part, measure in span_agreement(held).items()}
    for label, kind in (("consistent", ~faulty), ("inconsistent", faulty)):
        for name in OVERLAP:
            values = readings.scores[name][here] * (1 if name == "novel_2grams" else -1)
            measures[label, name] = mean(values, kind & ~np.isnan(values))
    documents = [document for document, taken in zip(readings.documents, here, strict=True) if taken]
    drawn = bootstrap(measures, documents, samples, seed)
    kinds = int((~faulty).sum()), int(faulty.sum())
    return {
        "dataset": dataset,
        "model": model,
        "rows": len(documents),
        "documents": len(set(documents)),
        "consistent": kinds[0],
        "inconsistent": kinds[1],
        "rows_with_spans": int(marked.sum()),
        "undefined": "" if all(kinds) else f"AUC and balanced accuracy: every label is {int(bool(kinds[0]))}",
        "extractiveness": {
            label: {name: _estimate(drawn[label, name]) for name in OVERLAP} for label in ("consistent", "inconsistent")
        },
        "detectors": {
            name: _detector(name, readings, here, drawn) for name in readings.scores if not name.startswith(FILE)
        },
        "alarms": {name: _alarms(name, readings, here, drawn) for name in (CONSISTENCY, *PRECISE)},
        "others": {
            name.removeprefix(FILE): _detector(name, readings, here, drawn)
            for name in readings.scores
            if name.startswith(FILE)
        },
        "differences": _differences(readings, here, drawn) if all(kinds) else [],
    }


def _alarms(name: str, readings: Readings, here: np.ndarray, drawn: Mapping[Hashable, Any]) -> dict[str, Any]:
    """How many summaries and words are called faulty at a threshold, rightly, and of how many that are."""
    row: dict[str, Any] = {"raised": int(readings.raised[name][here].sum())}
    row |= {part: _estimate(drawn["alarms", name, part]) for part in ALARM_MEASURES}
    if ("f1", name) in drawn:
        row["words"] = {part: _estimate(drawn[part, name]) for part in ALARM_MEASURES}
    return row


def _detector(name: str, readings: Readings, here: np.ndarray, drawn: Mapping[Hashable, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "rows": int((~np.isnan(readings.scores[name][here])).sum()),
        "auc": _estimate(drawn.get(("auc", name))),
    }
    if name in readings.words:
        row["raised"] = int(readings.raised[name][here].sum())
        row["balanced_accuracy"] = _estimate(drawn["balanced_accuracy", name])
        if ("f1", name) in drawn:
            row["spans"] = {part: _estimate(drawn[part, name]) for part in SPAN_MEASURES}
    return row


def _differences(readings: Readings, here: np.ndarray, drawn: Mapping[Hashable, Any]) -> list[dict[str, Any]]:
    """Our combination against each rival, on the rows that both scored."""
    rows = []
    for name in readings.scores:
        if name in readings.words or ("auc", name) not in drawn:
            continue
        ours, theirs = drawn.get(("ours", name), drawn["auc", CONSISTENCY]), drawn["auc", name]
        if np.isnan(ours[0]) or np.isnan(theirs[0]):
            continue
        low, high = interval(ours[1] - theirs[1])
        rows.append(
            {
                "a": CONSISTENCY,
                "b": name.removeprefix(FILE),
                "b_is": "other" if name.startswith(FILE) else "overlap" if name in OVERLAP else "model",
                "measure": "auc",
                "rows": int((~np.isnan(readings.scores[name][here])).sum()),
                "value_a": _estimate(ours),
                "value_b": _estimate(theirs),
                "delta": ours[0] - theirs[0],
                "low": low,
                "high": high,
                "p": two_sided_p(ours[1] - theirs[1]),
            }
        )
    for row, corrected in zip(rows, holm([row["p"] for row in rows]), strict=True):
        row["p_holm"] = corrected
    return rows


def _estimate(found: tuple[float, np.ndarray] | None) -> dict[str, float] | None:
    """Value and interval; None where it is undefined."""
    if found is None or np.isnan(found[0]):
        return None
    low, high = interval(found[1])
    return {"value": found[0], "low": low, "high": high}

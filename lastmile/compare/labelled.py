"""Summaries that people labelled as consistent with their document or not, and what they marked in them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lastmile.compare.pairs import PairFile, field_text
from lastmile.corpus.files import Problem, Row
from lastmile.errors import InputError
from lastmile.records import Example, Summary

SCORE_FIELDS = ("scores", "baseline_metrics")


@dataclass(frozen=True, slots=True)
class Labelled:
    """A summary with a person's judgement of it.

    Attributes:
        example: Its document.
        summary: Its text.
        consistent: The label: whether it says only what the document supports.
        spans: [start, end) of what people marked as unsupported, from 0; None where nobody was asked.
        bad_spans: People marked something that is not in the summary.
        dataset: Which data set it is from; empty if the row does not say.
        model: Which system wrote it; empty if the row does not say.
        scores: What other detectors said of it; higher means more consistent.
    """

    example: Example
    summary: Summary
    consistent: bool
    spans: tuple[tuple[int, int], ...] | None
    bad_spans: bool
    dataset: str
    model: str
    scores: Mapping[str, float]


def check_labels(pairs: PairFile, spans_from: int = 0, skip_bad_spans: bool = False) -> tuple[int, bool]:
    """Check every row of the file.

    Args:
        pairs: The file.
        spans_from: What the first character of a summary counts as in `spans`, 0 or 1; their ends are exclusive.
        skip_bad_spans: Let pass spans that are not in their summary; `read_labels` leaves them out.

    Returns:
        The number of rows, and whether any summary has a capital letter.

    Raises:
        InputError: Naming every row with a missing or impossible label, span or score; or if all labels are the same.
    """
    seen: set[bool] = set()
    bad: set[str] = set()

    def further(row: Row) -> list[Problem]:
        label = read_label(row.fields.get("label"))
        seen.update([label] if label is not None else [])
        spans = [] if skip_bad_spans and has_bad_spans(row.fields, spans_from) else _span_faults(row.fields, spans_from)
        faults = [*_label_faults(row.fields), *spans, *_score_faults(row.fields)]
        bad.update([row.where] if spans and has_bad_spans(row.fields, spans_from) else [])
        return [Problem("column", row.where, fault) for fault in faults]

    try:
        rows, cased = pairs.check(further)
    except InputError as error:
        if not bad:
            raise
        raise InputError.of(
            [str(error), f"{pairs.path.name}: `--skip-bad-spans` takes such rows ({len(bad):,}) for not marked"]
        ) from None
    if len(seen) < 2:
        (only,) = seen
        raise InputError(
            f"{pairs.path.name}: AUC and balanced accuracy are undefined, for every `label` is {only:d}. "
            f"Add summaries with label {not only:d}"
        )
    return rows, cased


def read_labels(pairs: PairFile, spans_from: int = 0) -> Iterator[Labelled]:
    """The rows of a checked file.

    Where one span is not in its summary the whole row has none: what was meant is unknown, and the words that the
    other spans leave out would count as found good.
    """
    for row, example, summary in pairs:
        bad_spans = has_bad_spans(row.fields, spans_from)
        spans = row.fields.get("spans")
        marked = isinstance(spans, list) and not bad_spans
        scores = next((row.fields[name] for name in SCORE_FIELDS if row.fields.get(name)), {})
        yield Labelled(
            example,
            summary,
            consistent=bool(read_label(row.fields["label"])),
            spans=tuple(_ends(span, spans_from) for span in spans) if marked else None,
            bad_spans=bad_spans,
            dataset=field_text(row.fields, "dataset"),
            model=field_text(row.fields, "model"),
            scores={name: float(value) for name, value in scores.items() if value is not None and value == value},
        )


def read_label(value: Any) -> bool | None:
    """Whether a label says consistent: 1, 0, `true` and `false` of JSON, `1` and `0` of CSV; None for anything else."""
    if isinstance(value, int | float):
        return bool(value) if value in (0, 1) else None
    return {"1": True, "0": False}.get(value) if isinstance(value, str) else None


def _label_faults(fields: Mapping[str, Any]) -> Iterator[str]:
    if fields.get("label") is None:
        yield "a `label` is wanted: 1 for consistent, 0 for not; got none"
    elif read_label(fields["label"]) is None:
        yield f"`label` must be 1 (consistent) or 0 (not), got `{fields['label']}`"


def _span_faults(fields: Mapping[str, Any], spans_from: int) -> Iterator[str]:
    spans, text = fields.get("spans"), fields.get("summary")
    if spans is None or spans == "":  # CSV has no null
        return
    if not isinstance(spans, list):
        yield f"`spans` must be a list of `{{start, end}}` or `[start, end]`, got {type(spans).__name__}"
        return
    for number, span in enumerate(spans):
        ends = _ends(span, spans_from)
        if ends is None:
            yield f"`spans[{number}]` must have a whole number as `start` and as `end`"
        elif isinstance(text, str) and not 0 <= ends[0] <= ends[1] <= len(text):
            start, end = (place + spans_from for place in ends)
            hint = ". Do they count from 1? `--spans-from 1`" if not spans_from and ends[1] == len(text) + 1 else ""
            yield (
                f"`spans[{number}]` is {start} to {end}, but the summary has characters {spans_from} to "
                f"{len(text) + spans_from} (end exclusive){hint}"
            )


def _score_faults(fields: Mapping[str, Any]) -> Iterator[str]:
    for field in SCORE_FIELDS:
        scores = fields.get(field)
        if scores is None or scores == "":
            continue
        if not isinstance(scores, dict):
            yield f"`{field}` must map each detector to a number, got {type(scores).__name__}"
            continue
        for name, value in scores.items():
            if value is not None and not _is_number(value):
                yield f"`{field}`: `{name}` must be a number, or null where there is none, got `{value}`"


def _ends(span: Any, spans_from: int) -> tuple[int, int] | None:
    """[start, end) from 0; None for what is no span."""
    ends = (span.get("start"), span.get("end")) if isinstance(span, dict) else span
    if not isinstance(ends, list | tuple) or len(ends) != 2 or any(type(place) is not int for place in ends):
        return None
    return ends[0] - spans_from, ends[1] - spans_from


def has_bad_spans(fields: Mapping[str, Any], spans_from: int = 0) -> bool:
    """Whether `spans` is a list in which a span is no span, or not one of the summary."""
    return isinstance(fields.get("spans"), list) and any(_span_faults(fields, spans_from))


def _is_number(value: Any) -> bool:
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and not math.isinf(value)
    except OverflowError:  # a whole number that no float holds
        return False

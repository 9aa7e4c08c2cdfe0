"""Summaries that people labelled as consistent with their document or not, and what they marked in them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from lastmile.compare.pairs import PairFile, field_text
from lastmile.corpus.files import Problem, Row
from lastmile.errors import InputError
from lastmile.records import Example, Summary

SCORE_FIELDS = ("scores", "baseline_metrics")
ANNOTATOR_FIELDS = ("annotator", "worker")


class Mark(NamedTuple):
    """What somebody marked: [start, end) of the summary, from 0, and who it was, if the file says."""

    start: int
    end: int
    annotator: str | int | float | None = None


@dataclass(frozen=True, slots=True)
class Labelled:
    """A summary with a person's judgement of it.

    Attributes:
        example: Its document.
        summary: Its text.
        consistent: The label: whether it says only what the document supports.
        spans: What people marked as unsupported; None where nobody was asked.
        bad_spans: People marked something that is not in the summary.
        dataset: Which data set it is from; empty if the row does not say.
        model: Which system wrote it; empty if the row does not say.
        scores: What other detectors said of it; higher means more consistent.
    """

    example: Example
    summary: Summary
    consistent: bool
    spans: tuple[Mark, ...] | None
    bad_spans: bool
    dataset: str
    model: str
    scores: Mapping[str, float]


class Checked(NamedTuple):
    """A file that can be used: its rows, whether any summary has a capital letter, and what is odd about its spans."""

    rows: int
    cased: bool
    doubt: str | None


def check_labels(pairs: PairFile, spans_from: int | None = None, skip_bad_spans: bool = False) -> Checked:
    """Check every row of the file.

    Args:
        pairs: The file.
        spans_from: What the first character of a summary counts as in `spans`, 0 or 1; their ends are exclusive. None:
            0, and spans that look as if they counted from 1 are refused.
        skip_bad_spans: Let pass spans that are not in their summary; `read_labels` leaves them out.

    Raises:
        InputError: Naming every row with a missing or impossible label, span or score; or if all labels are the same;
            or if spans seem to count from 1 and nobody said from what they do.
    """
    seen: set[bool] = set()
    bad: set[str] = set()
    fits: Counter[tuple[bool, bool]] = Counter()
    base = spans_from or 0

    def further(row: Row) -> list[Problem]:
        label = read_label(row.fields.get("label"))
        seen.update([label] if label is not None else [])
        fits.update(_fits(row.fields))
        is_bad = has_bad_spans(row.fields, base)
        spans = [] if skip_bad_spans and is_bad else list(_span_faults(row.fields, base))
        bad.update([row.where] if spans and is_bad else [])
        faults = [*_label_faults(row.fields), *spans, *_score_faults(row.fields)]
        return [Problem("column", row.where, fault) for fault in faults]

    name = pairs.path.name
    try:
        rows, cased = pairs.check(further)
    except InputError as error:
        if not bad:
            raise
        advice = _misread(fits, base) or f"`--skip-bad-spans` takes such rows ({len(bad):,}) for not marked"
        raise InputError.of([str(error), f"{name}: {advice}"]) from None
    doubt = _misread(fits, base)
    if doubt and spans_from is None:
        raise InputError(f"{name}: {doubt} (or `--spans-from 0`, if they are meant so)")
    if len(seen) < 2:
        (only,) = seen
        raise InputError(
            f"{name}: AUC and balanced accuracy are undefined, for every `label` is {only:d}. "
            f"Add summaries with label {not only:d}"
        )
    return Checked(rows, cased, doubt)


def _fits(fields: Mapping[str, Any]) -> Iterator[tuple[bool, bool]]:
    """For each span that is not empty whether it fits its summary if counted from 0, and if counted from 1.

    It fits where it holds its own `text`, if it has one, else where it neither cuts a word nor begins or ends on a
    space, as what a person marked.
    """
    spans, text = fields.get("spans"), fields.get("summary")
    for span in spans if isinstance(spans, list) and isinstance(text, str) else ():
        ends = _ends(span, 0)
        if ends is None or ends[0] >= ends[1]:
            continue
        said = span.get("text") if isinstance(span, dict) else None
        held = [text[start:end] if start >= 0 and end <= len(text) else "" for start, end in (ends, _ends(span, 1))]
        if isinstance(said, str):
            yield held[0] == said, held[1] == said
        else:
            cuts = [_cuts_a_word(text, ends[0] - base) or _cuts_a_word(text, ends[1] - base) for base in (0, 1)]
            yield tuple(bool(got) and got == got.strip() and not cut for got, cut in zip(held, cuts, strict=True))


def _cuts_a_word(text: str, place: int) -> bool:
    return 0 < place < len(text) and text[place - 1].isalnum() and text[place].isalnum()


def _misread(fits: Counter[tuple[bool, bool]], base: int) -> str | None:
    """Whether nearly all spans fit if counted from the other number and nearly none as they are read; in words."""
    total, other = fits.total(), 1 - base
    now, then = (sum(count for fit, count in fits.items() if fit[way]) for way in (base, other))
    if not total or 5 * now > total or 5 * then < 4 * total:
        return None
    return (
        f"`spans` seem to count from {other}: so read, {then:,} of {total:,} hold whole words or their own `text`, "
        f"and {now:,} if read from {base}. Give `--spans-from {other}`"
    )


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
            spans=tuple(Mark(*_ends(span, spans_from), _annotator(span)) for span in spans) if marked else None,
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
        who = _annotator(span)
        if who is not None and not isinstance(who, str | int | float):
            yield f"`spans[{number}]` must name its annotator by text or a number, got {type(who).__name__}"
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


def _annotator(span: Any) -> Any:
    """Whose mark it is; None where the file does not say."""
    if not isinstance(span, dict):
        return None
    return next((span[name] for name in ANNOTATOR_FIELDS if span.get(name) is not None), None)


def has_bad_spans(fields: Mapping[str, Any], spans_from: int = 0) -> bool:
    """Whether `spans` is a list in which a span is no span, or not one of the summary."""
    return isinstance(fields.get("spans"), list) and any(_span_faults(fields, spans_from))


def _is_number(value: Any) -> bool:
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and not math.isinf(value)
    except OverflowError:  # a whole number that no float holds
        return False

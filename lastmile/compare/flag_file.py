"""The flags of every summary in a file."""

from __future__ import annotations

import gzip
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from lastmile.compare.learned import ask, score_rows
from lastmile.compare.pairs import PairFile, text_fault
from lastmile.config import FLAG_NAMES
from lastmile.corpus.files import Row
from lastmile.errors import InputError, RunError, did_you_mean
from lastmile.judge.flags import find_flags
from lastmile.judge.learned import LEARNED, Learned
from lastmile.judge.profile import TargetProfile, profile_targets
from lastmile.records import Example, Flag, Summary


@dataclass(frozen=True, slots=True)
class FlagCounts:
    """How often each flag was raised.

    Attributes:
        summaries: Summaries read.
        flagged: Flag name to the number of summaries that have it.
        spans: Flag name to the number of its spans.
        profile: What the summaries were held against: the file's targets, or a neutral profile.
    """

    summaries: int
    flagged: Mapping[str, int]
    spans: Mapping[str, int]
    profile: TargetProfile


def flag_file(
    path: Path,
    out: Path,
    names: Sequence[str] = FLAG_NAMES,
    progress: bool = True,
    detector: Path | None = None,
) -> FlagCounts:
    """Write the rows of `path` to `out` as JSON Lines, each with its `flags`.

    What targets are like is measured on those of the rows (see `PairFile`), else it is `TargetProfile.neutral`. Names
    are told by the documents' capitals where no summary has any. A flag is written with its `name`, `start` and `end`
    (characters of the summary, from 0, end exclusive), `text` and `evidence`.

    The file is read three times (checked, measured, flagged) in bounded memory; `out` appears when it is complete.
    With a `detector` (a folder of `lastmile flag train`) there is the flag `learned` too.

    Raises:
        InputError: If a flag is unknown, or rows cannot be used, naming each line.
        RunError: If `out` cannot be written.
    """
    check_names(names)
    pairs = PairFile(path)
    rows, cased = pairs.check()
    profile = profile_targets((example for _, example, _ in pairs), cased)
    asked = ask(detector, profile)
    names = [*names, *([LEARNED] if asked else [])]
    flagged: Counter[str] = Counter()
    spans: Counter[str] = Counter()
    with written_aside(out) as lines, flagging_bar(progress) as bar:
        task = bar.add_task("flagging", total=rows)
        for row, _, _, found in flagged_rows(pairs, profile, names, asked):
            spans.update(flag.name for flag in found)
            flagged.update({flag.name for flag in found})
            lines.write(_line({**row.fields, "flags": [_as_data(flag) for flag in found]}))
            bar.advance(task)
    return FlagCounts(rows, {name: flagged[name] for name in names}, {name: spans[name] for name in names}, profile)


def flagged_rows(
    pairs: PairFile, profile: TargetProfile, names: Sequence[str], asked: Learned | None
) -> Iterator[tuple[Row, Example, Summary, tuple[Flag, ...]]]:
    """The rows of a checked file with their flags, those of a learned detector last."""
    ruled = [name for name in names if name != LEARNED]
    doubted = score_rows(asked, pairs, lambda row: row[1:]) if asked else ((row, ()) for row in pairs)
    for (row, example, summary), doubts in doubted:
        learned = asked.flags(summary.text, doubts) if asked else ()
        yield row, example, summary, (*find_flags(example.document, summary, profile, ruled), *learned)


def check_names(names: Sequence[str]) -> None:
    """Refuse unknown flags, and none at all.

    Raises:
        InputError: Naming them, with what there is.
    """
    unknown = [name for name in names if name not in FLAG_NAMES]
    if unknown or not names:
        problems = [f"`{name}`: no such flag.{did_you_mean(name, FLAG_NAMES)}" for name in unknown] or ["no flag named"]
        raise InputError.of([*problems, f"Flags: {', '.join(FLAG_NAMES)}"])


def _as_data(flag: Flag) -> dict[str, Any]:
    return {
        "name": flag.name,
        "start": flag.start,
        "end": flag.end,
        "text": flag.text,
        "evidence": flag.evidence,
    }


def _line(row: Mapping[str, Any]) -> str:
    line = json.dumps(row, ensure_ascii=False, default=str)
    # A field that nobody looked at may hold half a character, which UTF-8 cannot: such a row is escaped.
    return f"{line if text_fault(line) is None else json.dumps(row, default=str)}\n"


@contextmanager
def written_aside(out: Path) -> Iterator[TextIO]:
    """A file that takes its name when everything is in it; `.gz` is compressed."""
    aside = out.with_name(f".{out.name}.{os.getpid()}.new")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        opened = gzip.open if out.name.lower().endswith(".gz") else open
        with opened(aside, "wt", encoding="utf-8", newline="\n") as lines:
            yield lines
        os.replace(aside, out)
    except OSError as error:
        raise RunError(f"{out}: cannot be written: {error.strerror}") from None
    finally:
        with suppress(OSError):
            aside.unlink()


def flagging_bar(shown: bool) -> Any:
    """A bar on stderr that counts summaries."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), disable=not shown)

"""A bar on stderr while many rows go by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress

Item = TypeVar("Item")
ROWS_PER_UPDATE = 256


def watch(items: Iterable[Item], what: str, total: int | None = None) -> Iterator[Item]:
    """Pass items on while a bar shows how many there were, how many a second and, with `total`, the time left.

    Without `total` the bar is for people at a terminal and goes when all is done; with it, it stays as a record.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = [
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:,.0f} a second"),
        *([TimeRemainingColumn()] if total is not None else []),
    ]
    hidden = total is None and not console.is_terminal
    with Progress(*columns, console=console, transient=total is None, disable=hidden) as bar:
        bar.add_task(what, total=total, rate=0.0)
        waiting = 0
        for item in items:
            yield item
            waiting += 1
            if waiting == ROWS_PER_UPDATE:
                _advance(bar, waiting)
                waiting = 0
        _advance(bar, waiting)


def _advance(bar: Progress, number: int) -> None:
    (task,) = bar.tasks
    bar.update(task.id, advance=number, rate=(task.completed + number) / max(task.elapsed, 1e-9))

"""What the HTML pages share: their templates, and texts in which spans are marked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any, NamedTuple

EVIDENCE_LETTERS = 8  # shorter evidence stands anywhere in a document and points at nothing


class Piece(NamedTuple):
    """A run of text under the same marks."""

    text: str
    marks: tuple[str, ...]
    title: str


def render(template: str, **values: Any) -> str:
    """Fill a template; every text in `values` is escaped."""
    from jinja2 import Environment, PackageLoader

    templates = Environment(
        loader=PackageLoader("lastmile.compare"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    return templates.get_template(template).render(values)


def mark(text: str, spans: Iterable[tuple[int, int, str, str]]) -> list[Piece]:
    """Cut a text at the ends of its spans, which may overlap, and say of each piece which marks lie on it.

    Args:
        text: Any text.
        spans: (start, end, mark, title); those without a letter are left out.

    >>> [piece.marks for piece in mark("abc", [(0, 2, "x", ""), (1, 3, "y", "")])]
    [('x',), ('x', 'y'), ('y',)]
    """
    spans = [span for span in spans if span[0] < span[1]]
    cuts = sorted({0, len(text), *(place for start, end, *_ in spans for place in (start, end))})
    pieces = []
    for start, end in pairwise(cuts):
        here = [span for span in spans if span[0] <= start and end <= span[1]]
        marks = tuple(dict.fromkeys(span[2] for span in here))
        pieces.append(Piece(text[start:end], marks, "; ".join(dict.fromkeys(span[3] for span in here))))
    return pieces


def passage(document: str, evidence: str) -> tuple[int, int] | None:
    """Where a document holds a flag's evidence, if it does."""
    start = document.find(evidence) if len(evidence) >= EVIDENCE_LETTERS else -1
    return None if start < 0 else (start, start + len(evidence))


def spoken(flag: Mapping[str, Any]) -> str:
    """A flag's name with what it rests on."""
    name = flag["name"].replace("_", " ")
    return f"{name}: {flag['evidence']}" if flag["evidence"] else name

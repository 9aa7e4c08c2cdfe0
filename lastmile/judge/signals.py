"""What a document's wording says for and against a summary: named numbers, each computed in one pass."""

from __future__ import annotations

from collections.abc import Mapping

from lastmile.judge.document import Document, Text
from lastmile.judge.lexicon import STOP_WORDS
from lastmile.judge.rouge import stem


def summary_signals(summary: Text, document: Document, cased: bool) -> dict[str, float]:
    """Signals of a whole summary, which has at least one word."""
    signals = {}
    for n in (1, 2, 4):
        there = set(zip(*(document.forms[k:] for k in range(n)), strict=False))
        grams = list(zip(*(summary.forms[k:] for k in range(n)), strict=False))
        signals[f"novel_{n}grams"] = sum(gram not in there for gram in grams) / len(grams) if grams else 0.0
    held = [max((len(s & d) / len(s) for d in document.content), default=0.0) for s in summary.content if s]
    signals["containment"] = sum(held) / len(held) if held else 0.0
    return signals


def word_signals(summary: Text, document: Document, cased: bool) -> list[Mapping[str, float]]:
    """Signals of each word."""
    return [
        {"absent": float(short not in STOP_WORDS and stem(short) not in document.stems), "stop": float(short in STOP_WORDS)}
        for short in summary.forms
    ]

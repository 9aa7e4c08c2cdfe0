"""The flag of a learned detector: words that a model finds unsupported."""

from __future__ import annotations

from collections.abc import Sequence

from lastmile.corpus.text import words
from lastmile.records import Flag


def find_learned(text: str, doubts: Sequence[float], threshold: float, typical_words: float) -> tuple[Flag, ...]:
    """Flag runs of words whose doubt reaches the threshold.

    Args:
        text: The summary.
        doubts: For each of its words, as `lastmile.corpus.text.words` reads them, how far a model doubts it, in 0..1.
        threshold: The least doubt that counts.
        typical_words: Median words of a target; a flag costs its words over this.
    """
    runs: list[list[int]] = []
    for place, doubt in enumerate(doubts):
        if doubt >= threshold:
            if runs and runs[-1][-1] == place - 1:
                runs[-1].append(place)
            else:
                runs.append([place])
    spans, flags = words(text), []
    for run in runs:
        start, end = spans[run[0]].start, spans[run[-1]].end
        evidence = f"score {max(doubts[place] for place in run):.2f}"
        flags.append(Flag("learned", start, end, text[start:end], evidence, len(run) / typical_words))
    return tuple(flags)

"""The flag of a learned detector: words that a model finds unsupported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lastmile.corpus.text import words
from lastmile.records import Flag

if TYPE_CHECKING:
    from lastmile.policy.detector import Detector

LEARNED = "learned"


class Learned:
    """A detector as the judge asks it: documents with summaries in, flags out.

    The flags of the newest call are remembered, so that judging the same summaries twice in a row costs once. In
    training only those: what is computed must not depend on what was judged long before, or a resumed run would differ.

    Args:
        detector: What scores words.
        typical_words: Median words of a target; a flag costs its words over this.
        coefficient: What one unit of that cost takes off the return; 0 to measure alone.

    Attributes:
        keeps: Whether the flags of every call are remembered, for systems that are measured several times.
    """

    def __init__(self, detector: Detector, typical_words: float, coefficient: float = 0.0) -> None:
        self.detector, self.typical_words, self.coefficient = detector, typical_words, coefficient
        self.threshold = detector.threshold
        self.keeps = False
        self._known: dict[tuple[str, str], tuple[Flag, ...]] = {}

    def __call__(self, pairs: Sequence[tuple[str, str]]) -> list[tuple[Flag, ...]]:
        """The flags of each summary.

        Args:
            pairs: Documents with their summaries.
        """
        found = {pair: self._known[pair] for pair in pairs if pair in self._known}
        new = [pair for pair in dict.fromkeys(pairs) if pair not in found]
        found |= {pair: self.flags(pair[1], row) for pair, row in zip(new, self.detector.score(new), strict=True)}
        self._known = self._known | found if self.keeps else found
        return [found[pair] for pair in pairs]

    def to(self, device: Any) -> Learned:
        """Move the detector; returns self."""
        self.detector.to(device)
        return self

    def flags(self, text: str, doubts: Sequence[float]) -> tuple[Flag, ...]:
        """The flags of a summary whose words have these scores."""
        return find_learned(text, doubts, self.threshold, self.typical_words)


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
        flags.append(Flag(LEARNED, start, end, text[start:end], evidence, len(run) / typical_words))
    return tuple(flags)

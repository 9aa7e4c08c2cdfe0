"""What the targets of a corpus are like: the yardstick of every flag that asks "more than people do?"."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

import numpy as np

from lastmile.corpus.text import lower_words
from lastmile.judge.copying import longest_copy
from lastmile.judge.lexicon import STOP_WORDS
from lastmile.judge.shape import is_punctuated
from lastmile.records import Example

# A word right after a lower-case word or a comma stands in the middle of a sentence: a capital there means a name.
_MIDDLE = re.compile(r"(?<=[a-z,] )[^\W\d_][^\W\d_]+")


@dataclass(frozen=True, slots=True)
class TargetProfile:
    """Habits of a corpus' targets. Plain data: `to_dict` and `from_dict` go through JSON.

    Attributes:
        words_low: 2.5 % of the targets have fewer words.
        words_high: 2.5 % have more.
        typical_words: Their median number of words: the constant that word faults are measured in.
        copied_words_high: 95 % of the targets copy no longer fragment, in words, from their document.
        punctuated_share: Share that ends with a full stop, question or exclamation mark.
        cased: False where the model's tokenizer writes lower case only.
        names: Lower-case words that the corpus writes with a capital at least nine times in ten inside a sentence:
            how names are told from words where case is lost.
    """

    words_low: float
    words_high: float
    typical_words: float
    copied_words_high: float
    punctuated_share: float
    cased: bool
    names: frozenset[str] = frozenset()

    @classmethod
    def neutral(cls, cased: bool, names: frozenset[str] = frozenset()) -> TargetProfile:
        """For texts without targets: no length is wrong, 25 words are typical, 25 copied in a row are many.

        The two 25 are our choice, near the length of a sentence of news.
        """
        return cls(0, 100_000, 25, 25, 1.0, cased, names)

    def to_dict(self) -> dict[str, Any]:
        """As data that JSON can hold, `names` sorted."""
        return {**asdict(self), "names": sorted(self.names)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TargetProfile:
        """The inverse of `to_dict`."""
        return cls(**{**data, "names": frozenset(data["names"])})


def profile_targets(examples: Iterable[Example], cased: bool, limit: int = 20_000) -> TargetProfile:
    """Measure the first `limit` examples in one pass, in memory bounded by their vocabulary.

    All targets of an example count. Examples without a target contribute names alone; when no example has one, the
    lengths are those of `TargetProfile.neutral`.
    """
    lengths: list[int] = []
    copied: list[int] = []
    punctuated = 0
    capital: Counter[str] = Counter()
    small: Counter[str] = Counter()
    for example in islice(examples, limit):
        document = lower_words(example.document)
        for target in example.targets:
            written = lower_words(target)
            lengths.append(len(written))
            copied.append(longest_copy(written, document))
            punctuated += is_punctuated(target)
        for text in (example.document, *example.targets):
            for word in _MIDDLE.findall(text):
                (capital if word[0].isupper() else small)[word.lower()] += 1
    names = frozenset(word for word, count in capital.items() if count >= 9 * small[word] and word not in STOP_WORDS)
    if not lengths:
        return TargetProfile.neutral(cased, names)
    low, middle, high = np.quantile(lengths, [0.025, 0.5, 0.975]).tolist()
    return TargetProfile(
        words_low=low,
        words_high=high,
        typical_words=max(middle, 1.0),
        copied_words_high=float(np.quantile(copied, 0.95)),
        punctuated_share=punctuated / len(lengths),
        cased=cased,
        names=names,
    )

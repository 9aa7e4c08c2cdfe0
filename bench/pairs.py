"""Documents, targets and made-up summaries to judge: from the folder `LASTMILE_DATA`, else from the demo."""

from __future__ import annotations

import gzip
import json
import os
import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from lastmile.corpus.demo import demo_corpus
from lastmile.records import Example

DIALOGSUM = Path("dialogsum") / "train.jsonl.gz"


def load_examples(count: int) -> tuple[str, list[Example]]:
    """Where they are from, and `count` examples at most.

    `LASTMILE_DATA` names a folder with `dialogsum/train.jsonl.gz`: lines with `source` and `summary`.
    """
    folder = os.environ.get("LASTMILE_DATA")
    if not folder:
        return "demo", list(demo_corpus((count, 0, 0)).train)
    return "dialogsum", list(islice(_read(Path(folder) / DIALOGSUM), count))


def _read(path: Path) -> Iterator[Example]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for number, line in enumerate(file):
            row = json.loads(line)
            yield Example(str(number), row["source"], (row["summary"],))


def write_summaries(example: Example, samples: int, dice: random.Random) -> list[str]:
    """K texts between target and document, as samples of a policy are: words left out, swapped in, told twice.

    Sentence ends stay, so that there is more than one line for ROUGE-Lsum.
    """
    source = example.document.split()
    return [" ".join(_edited(example.target.split(), source, dice)) for _ in range(samples)]


def _edited(words: list[str], source: list[str], dice: random.Random) -> list[str]:
    written: list[str] = []
    for word in words:
        chance = dice.random()
        if chance < 0.1:
            continue
        if chance < 0.25:
            start = dice.randrange(len(source))
            written += source[start : start + dice.randint(1, 3)]
        else:
            written.append(word)
        if chance > 0.98:
            written += written[-3:]
    return written or words

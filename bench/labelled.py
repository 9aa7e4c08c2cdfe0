"""Summaries that people judged, read from the folder that `LASTMILE_DATA` names, with fixed splits.

FRANK keeps its own split: `valid` is dev, `test` is the report part. The other sets have none, so a hash of the
document decides: about 40 % dev. FRANK's XSum documents are among those of the XSum hallucination annotations; there
they keep the part that FRANK gave them, so that no document is tuned on under one name and reported under the other.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

from lastmile.corpus.text import words

Part = Literal["dev", "test"]


@dataclass(frozen=True, slots=True)
class Labelled:
    """One judged summary.

    Attributes:
        group: Data set and part of it: `frank/cnndm`, `xsum_hallucination`, `summedits/news`.
        key: What identifies the document.
        document: Its text.
        summary: The judged summary.
        consistent: What people said of it.
        published: Scores of other metrics that came with the data.
        marked: For each word whether most annotators marked it as hallucinated; empty where nobody was asked.
        cased: False where the authors wrote the summary in lower case.
    """

    group: str
    key: str
    document: str
    summary: str
    consistent: bool
    published: dict[str, float] = field(default_factory=dict)
    marked: tuple[bool, ...] = ()
    cased: bool = True


def data_folder() -> Path:
    """The folder that `LASTMILE_DATA` names."""
    if not os.environ.get("LASTMILE_DATA"):
        raise SystemExit("set LASTMILE_DATA to the folder with the data sets `frank`, `xsum_hallucination`, …")
    return Path(os.environ["LASTMILE_DATA"])


def records(name: str) -> list[dict[str, Any]]:
    """The records of one gzipped JSON Lines file, e.g. `frank/frank`."""
    with gzip.open(data_folder() / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def hashed_part(key: str, dev_share: float) -> Part:
    """Where a document belongs: the same on every machine."""
    value = int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big") / 2**32
    return "dev" if value < dev_share else "test"


def frank(part: Part) -> Iterator[Labelled]:
    """FRANK's official valid (dev) or test split."""
    for record in records("frank/frank"):
        if record["split"] == {"dev": "valid", "test": "test"}[part]:
            yield Labelled(
                f"frank/{record['dataset']}",
                record["id"].split(".")[0],
                record["source"],
                record["summary"],
                bool(record["label"]),
                {name: value for name, value in record["baseline_metrics"].items() if isinstance(value, (int, float))},
                cased=any(map(str.isupper, record["summary"])),
            )


@lru_cache(maxsize=1)
def _frank_parts() -> dict[str, Part]:
    found = records("frank/frank")
    return {r["id"].split(".")[0]: "dev" if r["split"] == "valid" else "test" for r in found if r["dataset"] == "xsum"}


def xsum_hallucination(part: Part) -> Iterator[Labelled]:
    """Maynez et al.'s annotations: words that at least two of three annotators marked."""
    for record in records("xsum_hallucination/xsum_hallucination"):
        key = record["id"].split(".")[0]
        if (_frank_parts().get(key) or hashed_part(key, 0.5)) != part:
            continue
        votes = np.zeros(len(record["summary"]) + 1)
        for worker in {span["worker"] for span in record["spans"]}:
            inside = np.zeros_like(votes)
            for span in record["spans"]:
                if span["worker"] == worker and span["start"] is not None:
                    inside[span["start"] - 1 : span["end"] - 1] = 1
            votes += inside
        marked = tuple(bool(votes[w.start : w.end].mean() >= 2) for w in words(record["summary"]))
        yield Labelled(
            "xsum_hallucination",
            key,
            record["source"],
            record["summary"],
            bool(record["label"]),
            {k: v for k, v in record["published"].items() if isinstance(v, (int, float))},
            marked,
            cased=False,
        )


def summedits(part: Part) -> Iterator[Labelled]:
    """SummEdits: 40 % of the documents of each domain are dev."""
    for record in records("summedits/summedits"):
        if hashed_part(record["source"], 0.4) == part:
            group = f"summedits/{record['dataset']}"
            yield Labelled(group, record["source"][:80], record["source"], record["summary"], bool(record["label"]))


def redundancy(part: Part) -> Iterator[tuple[str, float]]:
    """Summaries with their mean redundancy rating (−1 to 1, high is good); 40 % of the documents are dev."""
    for record in records("summary_reward/ratings"):
        if hashed_part(record["doc_id"], 0.4) == part:
            yield record["summary"], record["redundancy"]

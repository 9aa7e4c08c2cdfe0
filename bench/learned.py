"""How well learned detectors tell wrong words: the table of docs/flags/learned.md.

    LASTMILE_DATA=data LASTMILE_MODELS=models python bench/learned.py --split dev DETECTOR DETECTOR…
    LASTMILE_DATA=data LASTMILE_MODELS=models python bench/learned.py --split test DETECTOR DETECTOR…

Three sets, none of which any detector was trained on. `rules`: first targets of DialogSum's dialogues as they are and
spoiled by every rule that they offer something to. `rewrites`: such targets as `dialogsum-bart-mini` goes on with
them, where words are labelled. `people`: SummEdits' summaries of SAMSum dialogues; the score is that of the worst word.
AUC is of words in the first two and of summaries in the last. Intervals are 95 % bootstraps over documents (1,000
draws, seed 0), differences are to the first detector on the same draws.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from agreement import auc, bootstrap, interval
from labelled import data_folder, summedits

from lastmile.compare.learned import load_generator, spoil_every_way
from lastmile.config import Data
from lastmile.corpus.sources import load_corpus
from lastmile.judge.profile import profile_targets
from lastmile.policy.detector import Detector, load_detector
from lastmile.policy.load import is_cased
from lastmile.train.detector import Spoiled, rewrite

GENERATOR = "dialogsum-bart-mini"
SEED = "bench"

Set = list[tuple[str, str, tuple[bool | None, ...]]]
"""Document, summary, and for each word (or for the whole summary) whether it is wrong."""


def spoiled(part: str, documents: int, rewritten: int) -> dict[str, Set]:
    """Rule-made and model-made faults of so many dialogues each."""
    corpus = load_corpus(Data(name=str(data_folder() / "dialogsum"), document_column="source", shared_documents="drop"))
    split = corpus.validation if part == "dev" else corpus.test
    profile = profile_targets(corpus.train, cased=True)
    generator = load_generator(str(Path(os.environ["LASTMILE_MODELS"]) / GENERATOR))
    slips = rewrite(generator, split, profile, 1.0, rewritten, f"{SEED} {part}", is_cased(generator.policy.tokenizer))
    sets = {"rules": spoil_every_way(split, profile, documents, SEED), "rewrites": slips}
    return {name: [_labelled(row) for row in rows] for name, rows in sets.items()}


def _labelled(row: Spoiled) -> tuple[str, str, tuple[bool | None, ...]]:
    return row.document, row.summary, row.changed


def people(part: str) -> Set:
    """SummEdits' dialogues, one label a summary."""
    rows = (item for item in summedits(part) if item.group == "summedits/samsum")
    return [(item.document, item.summary, (not item.consistent,)) for item in rows]


def readings(detector: Detector, rows: Set, whole: bool) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Scores, labels and documents: of the words whose label is known, or of whole summaries by their worst word."""
    scores, wrong, keys = [], [], []
    doubts = detector.score([(document, summary) for document, summary, _ in rows])
    for (document, _, labels), found in zip(rows, doubts, strict=True):
        values = [max(found, default=0.0)] if whole else found
        for value, label in zip(values, labels or [False] * len(values), strict=True):
            if label is not None:
                scores.append(value)
                wrong.append(label)
                keys.append(document)
    return np.array(scores), np.array(wrong), keys


def report(name: str, rows: Set, detectors: Sequence[tuple[str, Detector]]) -> None:
    """One line a detector."""
    found = [readings(detector, rows, whole=name == "people") for _, detector in detectors]
    _, wrong, keys = found[0]
    scores = np.stack([values for values, _, _ in found])
    unit = "summaries" if name == "people" else "words"
    print(f"\n{name}: {len(rows):,} summaries of {len(set(keys)):,} documents", end="; ")
    print(f"{len(wrong):,} {unit}, {wrong.sum():,} wrong")
    draws = bootstrap(keys, lambda at: np.array([auc(row[at], wrong[at]) for row in scores]))
    for place, (title, _) in enumerate(detectors):
        line = f"  {title:24}AUC {auc(scores[place], wrong):.3f} {interval(draws[:, place])}"
        if place:
            ahead = auc(scores[place], wrong) - auc(scores[0], wrong)
            line += f"  minus {detectors[0][0]} {ahead:+.3f} {interval(draws[:, place] - draws[:, 0])}"
        print(line)


def speed(rows: Set, detectors: Sequence[tuple[str, Detector]]) -> None:
    """Summaries a second of this process' CPU time, in float32 and as a bf16 run asks."""
    pairs = [(document, summary) for document, summary, _ in rows]
    print(f"\nsummaries scored in a second of CPU time, {len(pairs)} of them:")
    for title, detector in detectors:
        rates = []
        for lower in (False, True):
            with torch.autocast("cpu", torch.bfloat16, enabled=lower):
                detector.score(pairs[:16])
                start = time.process_time()
                detector.score(pairs)
                rates.append(len(pairs) / (time.process_time() - start))
        print(f"  {title:24}float32 {rates[0]:.0f}, bf16 {rates[1]:.0f}")


def main() -> None:
    """Read the arguments and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("detectors", type=Path, nargs="+", metavar="DETECTOR")
    parser.add_argument("--split", choices=("dev", "test"), default="dev")
    parser.add_argument("--documents", type=int, default=100, help="dialogues that are spoiled by rules")
    parser.add_argument("--rewritten", type=int, default=250, help="dialogues whose targets the model goes on with")
    asked = parser.parse_args()
    detectors = [(folder.name, load_detector(folder)) for folder in asked.detectors]
    sets = spoiled(asked.split, asked.documents, asked.rewritten) | {"people": people(asked.split)}
    speed(sets["rewrites"][:128], detectors)
    for name, rows in sets.items():
        report(name, rows, detectors)


if __name__ == "__main__":
    main()

"""How well learned detectors tell wrong words: the table of docs/flags/learned.md.

    LASTMILE_DATA=data LASTMILE_MODELS=models python bench/learned.py --split dev DETECTOR DETECTOR…
    LASTMILE_DATA=data LASTMILE_MODELS=models python bench/learned.py --split test DETECTOR DETECTOR…

None of the sets was trained on. `rules`: first targets of DialogSum's dialogues as they are and spoiled by every rule
that they offer something to. `rewrites`: such targets as `dialogsum-bart-mini` goes on with them, where words are
labelled. `people`: SummEdits' summaries of SAMSum dialogues; the score is that of the worst word. `written`: people's
targets beside the model's greedy summaries. AUC is of words in the first two and of summaries in the third. Intervals
are 95 % bootstraps over documents (1,000 draws, seed 0), differences are to the first detector on the same draws.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from agreement import auc, bootstrap, interval
from labelled import Part, data_folder, summedits

from lastmile.compare.learned import load_generator, spoil_every_way
from lastmile.config import Data
from lastmile.corpus.sources import load_corpus
from lastmile.judge.profile import profile_targets
from lastmile.policy.detector import Detector, load_detector
from lastmile.policy.load import is_cased
from lastmile.policy.rewrite import Rewriter
from lastmile.policy.sample import greedy, read_summaries
from lastmile.train.detector import Spoiled, rewrite

GENERATOR = "dialogsum-bart-mini"
SETS = ("speed", "written", "rules", "rewrites", "people")
SEED = "bench"

Set = list[tuple[str, str, tuple[bool | None, ...]]]
"""Document, summary, and for each word (or for the whole summary) whether it is wrong."""


class Dialogues:
    """DialogSum's dialogues of one part, and the model that summarizes them."""

    def __init__(self, part: Part) -> None:
        data = Data(name=str(data_folder() / "dialogsum"), document_column="source", shared_documents="drop")
        corpus = load_corpus(data)
        self.part, self.split = part, corpus.validation if part == "dev" else corpus.test
        self.profile = profile_targets(corpus.train, cased=True)

    def rules(self, count: int) -> Set:
        """First targets as they are and spoiled by every rule."""
        return [_labelled(row) for row in spoil_every_way(self.split, self.profile, count, SEED)]

    def rewrites(self, count: int) -> Set:
        """First targets as the model goes on with them."""
        cased = is_cased(self.generator.policy.tokenizer)
        rows = rewrite(self.generator, self.split, self.profile, 1.0, count, f"{SEED} {self.part}", cased)
        return [_labelled(row) for row in rows]

    def written(self, count: int) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """The first documents with their targets, and with the model's greedy summaries."""
        policy, examples = self.generator.policy, [self.split[place] for place in range(count)]
        documents, summaries = [example.document for example in examples], []
        for start in range(0, count, 20):
            part = documents[start : start + 20]
            read = policy.tokenizer(
                part, truncation=True, max_length=self.generator.max_document_tokens, padding=True, return_tensors="pt"
            )
            with torch.no_grad():
                encoded = policy.encode(read["input_ids"], read["attention_mask"].bool())
            summaries += [row[0].text for row in read_summaries(policy, greedy(policy, encoded, 60))]
        targets = [(example.document, example.target) for example in examples]
        return targets, list(zip(documents, summaries, strict=True))

    @cached_property
    def generator(self) -> Rewriter:
        """The model."""
        return load_generator(str(Path(os.environ["LASTMILE_MODELS"]) / GENERATOR))


def _labelled(row: Spoiled) -> tuple[str, str, tuple[bool | None, ...]]:
    return row.document, row.summary, row.changed


def people(part: Part) -> Set:
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


def marked(targets: list[tuple[str, str]], written: list[tuple[str, str]], detectors: Sequence[tuple[str, Detector]]):
    """How many summaries of people and of the model have a word over the threshold: the model's should have more."""
    print(f"\nwritten: summaries of {len(targets)} documents with a word over the threshold, and such words")
    for title, detector in detectors:
        for whose, pairs in (("people", targets), ("the model, greedy", written)):
            over = [[score >= detector.threshold for score in row] for row in detector.score(pairs)]
            keys = [document for document, _ in pairs]
            hit = np.array([any(row) for row in over])
            spread = interval(bootstrap(keys, lambda at, hit=hit: np.array([hit[at].mean()])))
            words = sum(map(sum, over)) / sum(map(len, over))
            print(f"  {title:24}{whose:20}{hit.mean():.3f} {spread}, words {words:.4f}")


def main() -> None:
    """Read the arguments and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("detectors", type=Path, nargs="+", metavar="DETECTOR")
    parser.add_argument("--split", choices=("dev", "test"), default="dev")
    parser.add_argument("--sets", default=",".join(SETS), help="which of them, with commas between")
    parser.add_argument("--documents", type=int, default=100, help="dialogues that are spoiled by rules, and written")
    parser.add_argument("--rewritten", type=int, default=250, help="dialogues whose targets the model goes on with")
    asked = parser.parse_args()
    detectors = [(folder.name, load_detector(folder)) for folder in asked.detectors]
    dialogues, sets = Dialogues(asked.split), asked.sets.split(",")
    if "speed" in sets:
        speed(dialogues.rules(20), detectors)
    if "written" in sets:
        marked(*dialogues.written(asked.documents), detectors)
    if "rules" in sets:
        report("rules", dialogues.rules(asked.documents), detectors)
    if "rewrites" in sets:
        report("rewrites", dialogues.rewrites(asked.rewritten), detectors)
    if "people" in sets:
        report("people", people(asked.split), detectors)


if __name__ == "__main__":
    main()

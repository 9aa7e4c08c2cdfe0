"""Learned detectors: made from a corpus, measured on its spoiled targets, and asked about the rows of a file."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from lastmile.compare.agreement import auc
from lastmile.config import Data
from lastmile.errors import InputError
from lastmile.judge.corrupt import KINDS, corrupt
from lastmile.judge.learned import find_learned
from lastmile.judge.profile import TargetProfile, profile_targets
from lastmile.records import Example, Flag, Split, Summary

if TYPE_CHECKING:
    from lastmile.policy.detector import Detector
    from lastmile.train.detector import Lessons, Spoiled

LEARNED = "learned"
MAX_TOKENIZER_TEXTS = 50_000
_ROWS_AT_A_TIME = 64
Item = TypeVar("Item")


class Asked:
    """A detector together with what its flags cost."""

    def __init__(self, detector: Detector, typical_words: float) -> None:
        self.detector, self.typical_words = detector, typical_words
        self.threshold = detector.threshold

    def scores(
        self, rows: Iterable[Item], pair: Callable[[Item], tuple[Example, Summary]]
    ) -> Iterator[tuple[Item, tuple[float, ...]]]:
        """Each row with the score of every word of its summary; some dozens of rows are read together."""
        rows = iter(rows)
        while part := list(islice(rows, _ROWS_AT_A_TIME)):
            texts = [(example.document, summary.text) for example, summary in map(pair, part)]
            yield from zip(part, self.detector.score(texts), strict=True)

    def flags(self, summary: Summary, doubts: Sequence[float]) -> tuple[Flag, ...]:
        """The flags of a summary whose words have these scores."""
        return find_learned(summary.text, doubts, self.threshold, self.typical_words)


def ask(folder: Path | None, profile: TargetProfile) -> Asked | None:
    """The detector of a folder, if one is wanted.

    Raises:
        InputError: If the folder holds none.
    """
    if folder is None:
        return None
    from lastmile.policy.detector import load_detector

    return Asked(load_detector(folder), profile.typical_words)


def train_detector(
    data: Data, out: Path, model: str | None, max_tokens: int, precision: float, held_out: int, lessons: Lessons
) -> dict[str, Any]:
    """Train a detector on a corpus' spoiled targets and write its folder, which appears when it is complete.

    The validation split decides which epoch is kept and where the threshold lies; the figures are those of the test
    split, which decided nothing.

    Args:
        data: The corpus.
        out: A new or empty folder.
        model: An encoder by name or path; None builds a small one on a tokenizer of the corpus.
        max_tokens: Longest document and summary together.
        precision: What share of the words that the detector marks shall have been changed, on validation targets half
            of which are spoiled.
        held_out: Documents at most of validation, and of test.
        lessons: How to train.

    Returns:
        What `detector.json` holds: settings, threshold and figures.

    Raises:
        InputError: If data or encoder are not usable, or the folder is taken.
        RunError: If training fails, or the folder cannot be written.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"`{out}` is not an empty folder. Choose another with `--out`")
    from lastmile import __version__
    from lastmile.corpus.sources import load_corpus
    from lastmile.policy.detector import SETTINGS, build_small_encoder, load_encoder
    from lastmile.train.detector import choose_threshold, fit_detector, spoil
    from lastmile.train.run import environment, writing

    detector = None if model is None else load_encoder(model, max_tokens, lessons.seed)
    corpus = load_corpus(data)
    cased = any(example.target != example.target.lower() for example in islice(corpus.train, 100))
    profile = profile_targets(corpus.train, cased)
    if detector is None:
        texts = chain.from_iterable((e.document, *e.targets) for e in islice(corpus.train, MAX_TOKENIZER_TEXTS))
        detector = build_small_encoder(texts, max_tokens, lessons.seed)
    validation = list(islice(spoil(corpus.validation, profile, 0.5, f"{lessons.seed} validation"), held_out))
    tested = list(spoil_every_way(corpus.test, profile, held_out, lessons.seed))
    if not any(row.changed for row in validation) or not any(row.changed for row in tested):
        raise InputError(
            f"`{data.name}`: no validation or no test target could be spoiled. Give more examples"
        )
    course = fit_detector(detector, corpus.train, validation, profile, lessons)
    detector.to("cuda" if _has_gpu() else "cpu").eval()
    found = _scored(detector, validation)
    detector.threshold, reached = choose_threshold(
        np.concatenate([scores for _, scores, _ in found]), np.concatenate([bad for _, _, bad in found]), precision
    )
    settings = {
        "threshold": detector.threshold,
        "max_tokens": detector.max_tokens,
        "model": model or "small, from nothing",
        "data": data.model_dump(mode="json", include={"name", "config", "document_column", "summary_column"}),
        "fingerprint": corpus.fingerprint,
        "training_documents": len(corpus.train),
        "lessons": asdict(lessons),
        "course": course,
        "precision": {"wanted": precision, "reached_on_validation": reached},
        "labels": "words that a seeded rule changed in people's targets; no person looked at them",
        "held_out": measure_kinds(_scored(detector, tested), detector.threshold),
        "lastmile": __version__,
        "environment": environment(),
    }
    aside = out.with_name(f".{out.name}.{os.getpid()}.new")
    shutil.rmtree(aside, ignore_errors=True)
    with writing(out, aside):
        aside.mkdir(parents=True)
        detector.save(aside)
        (aside / SETTINGS).write_text(json.dumps(settings, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        os.replace(aside, out)
    return settings


def spoil_every_way(split: Split, profile: TargetProfile, limit: int, seed: int) -> Iterator[Spoiled]:
    """The first target of each document as it is, and spoiled in every way that it offers something to."""
    from lastmile.train.detector import Spoiled

    for number in range(min(len(split), limit)):
        example, other = split[number], split[number - 1]
        yield Spoiled(example.document, example.target, (), "none")
        for kind in KINDS:
            dice = random.Random(f"{seed} test {kind} {example.id}")
            found = corrupt(
                kind, example.document, example.target, other.target, dice, cased=profile.cased, names=profile.names
            )
            if found is not None:
                yield Spoiled(example.document, found.text, found.changed(), kind)


def _scored(detector: Detector, rows: Sequence[Spoiled]) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Kind, words' scores and whether they were changed, of each row."""
    doubts = detector.score([(row.document, row.summary) for row in rows])
    return [
        (row.kind, np.array(scores), np.array(row.changed or (False,) * len(scores), dtype=bool))
        for row, scores in zip(rows, doubts, strict=True)
    ]


def measure_kinds(found: Sequence[tuple[str, np.ndarray, np.ndarray]], threshold: float) -> dict[str, Any]:
    """How well changed words are told from the others, for each kind of spoiling.

    Args:
        found: Kind, `(W,)` scores and `(W,)` bool of each summary; the kind `none` for what was left as it was.
        threshold: From which score a word counts as marked.

    Returns:
        `kinds`: kind to `summaries`, `auc`, `precision`, `recall` and `f1` of words, within the summaries of the kind;
        `all` pools every kind with the summaries left as they were. `none`: summaries left as they were, and the share
        of them with a marked word. A figure is None where it is undefined.
    """
    groups = {kind: [row for row in found if row[0] == kind] for kind in KINDS}
    groups = {kind: rows for kind, rows in groups.items() if rows} | {"all": list(found)}
    kinds = {}
    for kind, rows in groups.items():
        scores, bad = np.concatenate([row[1] for row in rows]), np.concatenate([row[2] for row in rows])
        marked = scores >= threshold
        both = int((marked & bad).sum())
        area = float(auc(scores, bad)(np.ones((1, len(bad))))[0]) if 0 < bad.sum() < len(bad) else None
        kinds[kind] = {
            "summaries": len(rows),
            "auc": area,
            "precision": both / int(marked.sum()) if marked.any() else None,
            "recall": both / int(bad.sum()) if bad.any() else None,
            "f1": 2 * both / int(marked.sum() + bad.sum()) if marked.any() or bad.any() else None,
        }
    clean = [bool((scores >= threshold).any()) for kind, scores, _ in found if kind == "none"]
    return {
        "kinds": kinds,
        "none": {"summaries": len(clean), "marked": sum(clean) / len(clean) if clean else None},
    }


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()

"""Learned detectors: made from a corpus, measured on its spoiled targets, and asked about the rows of a file."""

from __future__ import annotations

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
from lastmile.judge.corrupt import KINDS, REWRITTEN, corrupt
from lastmile.judge.learned import Learned
from lastmile.judge.profile import TargetProfile, profile_targets
from lastmile.records import Example, Split, Summary

if TYPE_CHECKING:
    from lastmile.policy.detector import Detector
    from lastmile.policy.rewrite import Rewriter
    from lastmile.train.detector import Lessons, Spoiled

MAX_TOKENIZER_TEXTS = 50_000
_ROWS_AT_A_TIME = 64
Item = TypeVar("Item")


def score_rows(
    learned: Learned, rows: Iterable[Item], pair: Callable[[Item], tuple[Example, Summary]]
) -> Iterator[tuple[Item, tuple[float, ...]]]:
    """Each row with the score of every word of its summary; some dozens of rows are read together."""
    rows = iter(rows)
    while part := list(islice(rows, _ROWS_AT_A_TIME)):
        texts = [(example.document, summary.text) for example, summary in map(pair, part)]
        yield from zip(part, learned.detector.score(texts), strict=True)


def ask(folder: Path | None, profile: TargetProfile) -> Learned | None:
    """The detector of a folder, if one is wanted, on the GPU where there is one.

    Raises:
        InputError: If the folder holds none.
    """
    if folder is None:
        return None
    from lastmile.policy.detector import load_detector

    return Learned(load_detector(folder).to(_device()), profile.typical_words)


def train_detector(
    data: Data,
    out: Path,
    model: str | None,
    max_tokens: int,
    precision: float,
    held_out: int,
    lessons: Lessons,
    generator: str | None = None,
    generated: int = 1000,
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
        generator: A run or model whose own slips are learnt from too; see `lastmile.train.detector.rewrite`.
        generated: Training targets at most that it goes on with, once.

    Returns:
        What `detector.json` holds: settings, threshold and figures.

    Raises:
        InputError: If data, encoder or generator are not usable, or the folder is taken.
        RunError: If training fails, or the folder cannot be written.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"`{out}` is not an empty folder. Choose another with `--out`")
    from lastmile import __version__
    from lastmile.corpus.sources import load_corpus
    from lastmile.policy.detector import build_small_encoder, load_encoder
    from lastmile.policy.load import is_cased, weights_hash
    from lastmile.train.detector import SPOILED_SHARE, choose_threshold, fit_detector, rewrite, spoil
    from lastmile.train.run import environment, writing

    detector, rewriter = _all_or_none(
        lambda: None if model is None else load_encoder(model, max_tokens, lessons.seed),
        lambda: None if generator is None else load_generator(generator),
    )
    corpus = load_corpus(data)
    cased = any(example.target != example.target.lower() for example in islice(corpus.train, 100))
    profile = profile_targets(corpus.train, cased)
    if detector is None:
        texts = chain.from_iterable((e.document, *e.targets) for e in islice(corpus.train, MAX_TOKENIZER_TEXTS))
        detector = build_small_encoder(texts, max_tokens, lessons.seed)
    validation = list(islice(spoil(corpus.validation, profile, 0.5, f"{lessons.seed} validation"), held_out))
    tested = list(spoil_every_way(corpus.test, profile, held_out, lessons.seed))
    rewritten: list[Spoiled] = []
    if rewriter is not None:
        cased = is_cased(rewriter.policy.tokenizer)

        def slips(split: Split, share: float, count: int, name: str) -> list[Spoiled]:
            return rewrite(rewriter, split, profile, share, count, f"{lessons.seed} {name}", cased)

        rewritten = slips(corpus.train, SPOILED_SHARE, generated, "train")
        validation += slips(corpus.validation, 0.5, held_out, "validation")
        tested += slips(corpus.test, 1.0, held_out, "test")
    spoiled = [any(any(row.changed) for row in rows) for rows in (validation, tested)]
    if not all(spoiled):
        raise InputError(f"`{data.name}`: no validation or no test target could be spoiled. Give more examples")
    course = fit_detector(detector, corpus.train, validation, profile, lessons, rewritten)
    detector.to(_device()).eval()
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
        "generator": None
        if rewriter is None
        else {
            "name": generator,
            "weights": weights_hash(rewriter.policy),
            "temperature": rewriter.temperature,
            "targets": len(rewritten),
            "with_a_wrong_word": sum(any(row.changed) for row in rewritten),
        },
        "lessons": asdict(lessons),
        "course": course,
        "precision": {"wanted": precision, "reached_on_validation": reached},
        "labels": "words that a seeded rule changed in people's targets, or that the generator wrote, doubted, and "
        "neither document nor target has; no person looked at them",
        "held_out": measure_kinds(_scored(detector, tested), detector.threshold),
        "lastmile": __version__,
        "environment": environment(),
    }
    aside = out.with_name(f".{out.name}.{os.getpid()}.new")
    shutil.rmtree(aside, ignore_errors=True)
    with writing(out, aside):
        aside.mkdir(parents=True)
        detector.settings = settings
        detector.save(aside)
        os.replace(aside, out)
    return settings


def spoil_every_way(split: Split, profile: TargetProfile, limit: int, seed: int | str) -> Iterator[Spoiled]:
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


def load_generator(name: str) -> Rewriter:
    """The likelihood model of a run, or any model, to go on with targets; a run brings its prefix and token limit.

    Raises:
        InputError: If there is none, or it has no usable tokenizer.
    """
    from lastmile.policy.load import load_policy
    from lastmile.policy.rewrite import Rewriter
    from lastmile.train.run import RunFolder

    run = RunFolder(Path(name))
    data = run.recipe.data if (run.path / "recipe.yaml").is_file() else Data(name=name)
    policy = load_policy(str(run.path / "baseline") if run.has("baseline") else name).to(_device())
    positions = getattr(policy.model.config, "max_position_embeddings", None) or data.max_document_tokens
    return Rewriter(policy, data.prefix, min(data.max_document_tokens, positions))


def _all_or_none(*loads: Callable[[], Any]) -> list[Any]:
    """What each loads, or the complaints of all that cannot."""
    found, problems = [], []
    for load in loads:
        try:
            found.append(load())
        except InputError as error:
            problems.append(str(error))
    if problems:
        raise InputError.of(problems)
    return found


def _scored(detector: Detector, rows: Sequence[Spoiled]) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Kind, scores of the words of which it is known, and whether they were made wrong, of each row."""
    doubts = detector.score([(row.document, row.summary) for row in rows])
    found = []
    for row, scores in zip(rows, doubts, strict=True):
        known = [
            (s, bad) for s, bad in zip(scores, row.changed or (False,) * len(scores), strict=True) if bad is not None
        ]
        found.append((row.kind, np.array([s for s, _ in known]), np.array([bad for _, bad in known], dtype=bool)))
    return found


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
    groups = {kind: [row for row in found if row[0] == kind] for kind in (*KINDS, REWRITTEN)}
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


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"

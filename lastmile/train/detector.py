"""Train a detector of unsupported words on spoiled targets, until it gets no better on held-out ones."""

from __future__ import annotations

import copy
import math
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.nn import functional as F

from lastmile.corpus.progress import watch
from lastmile.corpus.text import words
from lastmile.errors import RunError
from lastmile.judge.corrupt import REWRITTEN, changed_by_model, corrupt_somehow
from lastmile.judge.profile import TargetProfile
from lastmile.policy.detector import Detector, Pairs
from lastmile.policy.rewrite import Rewriter
from lastmile.records import Split
from lastmile.train.trainer import quiet_lightning

SPOILED_SHARE = 0.7
"""Of the targets of an epoch; the others are left as people wrote them."""
_SORTED_TOGETHER = 16


@dataclass(frozen=True, slots=True)
class Spoiled:
    """A target of a document, spoiled or not.

    Attributes:
        document: The document.
        summary: The target as the detector sees it.
        changed: For each of its words whether it was made wrong; None where nobody knows. Empty for nothing.
        kind: What was done to it; `none` for nothing.
    """

    document: str
    summary: str
    changed: tuple[bool | None, ...]
    kind: str


@dataclass(frozen=True, slots=True)
class Lessons:
    """How the training goes.

    Attributes:
        epochs: Passes over the training targets at most; every time they are spoiled in another way.
        batch_size: Targets of a step.
        learning_rate: Of AdamW, at its highest.
        patience: Epochs without a lower held-out loss before it ends.
        seed: Of the spoiling, the order and the dropout.
        bf16: Compute in bfloat16, weights kept in float32.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    patience: int
    seed: int
    bf16: bool = False


def spoil(split: Split, profile: TargetProfile, share: float, seed: str) -> Iterator[Spoiled]:
    """Each example once, in a drawn order: a share of the targets spoiled in one way, the others as they are."""
    order = list(range(len(split)))
    random.Random(seed).shuffle(order)
    for place, number in enumerate(order):
        example = split[number]
        dice = random.Random(f"{seed} {example.id}")
        target = dice.choice(example.targets)
        other = split[order[place - 1]].target
        found = None
        if dice.random() < share:
            found = corrupt_somehow(example.document, target, other, dice, cased=profile.cased, names=profile.names)
        if found is None:
            yield Spoiled(example.document, target, (), "none")
        else:
            yield Spoiled(example.document, found.text, found.changed(), found.kind)


def rewrite(
    rewriter: Rewriter, split: Split, profile: TargetProfile, share: float, count: int, seed: str, cased: bool
) -> list[Spoiled]:
    """Targets of so many drawn examples: a share as a model goes on with them, the others as it would spell them.

    All are in the model's spelling, so that lower case or a space before a full stop tells nothing. A target of which
    no word is known to be right or wrong is left out.

    Args:
        rewriter: The model.
        split: Documents with targets.
        profile: What names and numbers are told by.
        share: Of the targets, in 0..1; the model goes on from before a drawn word.
        count: Examples at most.
        seed: Of all that is drawn; batches have no part in it.
        cased: False where the model writes all in lower case.
    """
    order = list(range(len(split)))
    random.Random(f"{seed} rewrite").shuffle(order)
    profile = replace(profile, cased=profile.cased and cased)
    rows: dict[int, Spoiled] = {}
    begun: list[tuple[str, str, str]] = []
    cut: list[tuple[int, str]] = []
    for place, number in enumerate(order[:count]):
        example = split[number]
        dice = random.Random(f"{seed} rewrite {example.id}")
        target = dice.choice(example.targets)
        found = words(target)
        if found and dice.random() < share:
            begun.append((example.id, example.document, target[: dice.choice(found).start].rstrip()))
            cut.append((place, target))
        else:
            rows[place] = Spoiled(example.document, rewriter.spell(target), (), "none")
    for number, done in watch(rewriter.write_on(begun, seed), "rewriting", total=len(begun)):
        (place, target), document = cut[number], begun[number][1]
        changed = changed_by_model(document, target, done.text, done.sure, profile)
        if any(word is not None for word in changed):
            rows[place] = Spoiled(document, done.text, changed, REWRITTEN)
    return [rows[place] for place in sorted(rows)]


def strew(rows: Iterable[Spoiled], among: Sequence[Spoiled], count: int, seed: str) -> Iterator[Spoiled]:
    """`count` rows in their order, with those of `among` at drawn places between them, in a drawn order."""
    dice = random.Random(f"{seed} strewn")
    others, turns = list(among), [True] * len(among) + [False] * count
    dice.shuffle(others)
    dice.shuffle(turns)
    rows = iter(rows)
    for turn in turns:
        yield others.pop() if turn else next(rows)


def fit_detector(
    detector: Detector,
    train: Split,
    held_out: Sequence[Spoiled],
    profile: TargetProfile,
    lessons: Lessons,
    rewritten: Sequence[Spoiled] = (),
) -> dict[str, float]:
    """Train in place, and leave the weights of the epoch with the lowest held-out loss.

    Args:
        detector: With a fresh head.
        train: Documents with targets.
        held_out: What decides which epoch was the best.
        profile: What names are told by.
        lessons: How.
        rewritten: Further rows, the same in every epoch.

    Returns:
        `epochs` that were trained, `best_epoch`, and the held-out `loss` there, in nats a token.

    Raises:
        RunError: If the loss is no number any more, or on Ctrl-C.
    """
    steps = math.ceil((len(train) + len(rewritten)) / lessons.batch_size)
    course = _Course(detector, train, held_out, profile, lessons, steps, rewritten)
    if lessons.bf16 and not torch.cuda.is_available():
        detector.model.set_attn_implementation("eager")  # see docs/decisions/0004: bfloat16 on a processor
    with quiet_lightning(), torch.random.fork_rng():
        torch.manual_seed(lessons.seed)
        trainer = pl.Trainer(
            accelerator="auto",
            devices=1,
            precision="bf16-mixed" if lessons.bf16 else "32-true",
            max_epochs=lessons.epochs,
            reload_dataloaders_every_n_epochs=1,
            gradient_clip_val=1.0,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        try:
            trainer.fit(course)
        except SystemExit:  # what Lightning makes of Ctrl-C and SIGTERM
            raise RunError("interrupted") from None
    if course.best_weights is None:
        raise RunError("the detector's loss is not a number any more. Lower `--learning-rate`")
    detector.load_state_dict(course.best_weights)
    return {"epochs": course.current_epoch, "best_epoch": course.best_epoch, "loss": course.best}


class _Course(pl.LightningModule):
    """Cross-entropy of every token of a summary; linear warm-up over a tenth of the steps, then down to zero."""

    def __init__(self, detector, train, held_out, profile, lessons, steps, rewritten) -> None:
        super().__init__()
        self.detector, self.rewritten = detector, rewritten
        self.split, self.held_out, self.profile, self.lessons, self.steps = train, held_out, profile, lessons, steps
        self.best, self.best_epoch, self.best_weights = math.inf, 0, None

    def train_dataloader(self) -> _Batches:
        seed = f"{self.lessons.seed} {self.current_epoch}"
        rows = strew(spoil(self.split, self.profile, SPOILED_SHARE, seed), self.rewritten, len(self.split), seed)
        total = len(self.split) + len(self.rewritten)
        shown = watch(rows, f"epoch {self.current_epoch + 1} of {self.lessons.epochs}", total=total)
        return _Batches(self.detector, shown, self.lessons.batch_size, self.steps)

    def training_step(self, batch: tuple[Pairs, Tensor], index: int) -> Tensor:
        return token_loss(self.detector, *batch)

    def on_train_epoch_end(self) -> None:
        self.detector.eval()
        total = tokens = 0.0
        with torch.no_grad():
            for pairs, wrong in _Batches(self.detector, self.held_out, 16, 0):
                moved = self.transfer_batch_to_device((pairs, wrong), self.device, 0)
                count = int(_known(pairs, wrong).sum())
                total += count * token_loss(self.detector, *moved).item()
                tokens += count
        self.detector.train()
        loss = total / tokens
        if loss < self.best:
            self.best, self.best_epoch = loss, self.current_epoch + 1
            self.best_weights = {k: v.cpu() for k, v in copy.deepcopy(self.detector.state_dict()).items()}
        elif self.current_epoch + 1 - self.best_epoch >= self.lessons.patience or math.isnan(loss):
            self.trainer.should_stop = True

    def transfer_batch_to_device(self, batch, device, dataloader_idx):
        pairs, wrong = batch
        return pairs.to(device), wrong.to(device)

    def configure_optimizers(self) -> dict:
        decayed = [p for p in self.parameters() if p.ndim > 1]
        plain = [p for p in self.parameters() if p.ndim <= 1]
        groups = [{"params": decayed, "weight_decay": 0.01}, {"params": plain, "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(groups, lr=self.lessons.learning_rate)
        total = self.steps * self.lessons.epochs
        warm = max(1, total // 10)

        def rate(step: int) -> float:
            return min((step + 1) / warm, max(0.0, (total - step) / max(1, total - warm)))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class _Batches:
    """Batches of spoiled targets as the model reads them, like lengths together."""

    def __init__(self, detector: Detector, rows, size: int, count: int) -> None:
        self.detector, self.rows, self.size, self.count = detector, rows, size, count

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[tuple[Pairs, Tensor]]:
        waiting: list[Spoiled] = []
        for row in self.rows:
            waiting.append(row)
            if len(waiting) == self.size * _SORTED_TOGETHER:
                yield from self._cut(waiting)
                waiting = []
        yield from self._cut(waiting)

    def _cut(self, rows: list[Spoiled]) -> Iterator[tuple[Pairs, Tensor]]:
        rows = sorted(rows, key=lambda row: len(row.document) + len(row.summary))
        starts = list(range(0, len(rows), self.size))
        random.Random(len(rows[0].summary) if rows else 0).shuffle(starts)
        for start in starts:
            part = rows[start : start + self.size]
            pairs = self.detector.encode([(row.document, row.summary) for row in part])
            wrong = torch.zeros(pairs.word_of.shape)
            for place, row in enumerate(part):
                if row.changed:
                    there = pairs.word_of[place] >= 0
                    labels = torch.tensor([math.nan if word is None else float(word) for word in row.changed])
                    wrong[place, there] = labels[pairs.word_of[place, there]]
            yield pairs, wrong


def token_loss(detector: Detector, pairs: Pairs, wrong: Tensor) -> Tensor:
    """Mean binary cross-entropy over the summaries' tokens; the document's have no part in it.

    Args:
        detector: The model.
        pairs: `(N, T)` tokens.
        wrong: `(N, T)` float: 1 where a token belongs to a changed word, NaN where nobody knows, which does not count.
    """
    read = _known(pairs, wrong)
    return F.binary_cross_entropy_with_logits(detector(pairs)[read], wrong[read])


def _known(pairs: Pairs, wrong: Tensor) -> Tensor:
    return (pairs.word_of >= 0) & ~wrong.isnan()


def choose_threshold(scores: np.ndarray, changed: np.ndarray, precision: float) -> tuple[float, float]:
    """The threshold that marks most words while at least the wanted share of them was changed.

    Args:
        scores: `(W,)` of the words of all held-out summaries.
        changed: `(W,)` bool.
        precision: The wanted share, in 0..1.

    Returns:
        The threshold, and the precision there. Where no threshold reaches the wanted share, the one with the best.

    >>> choose_threshold(np.array([0.9, 0.8, 0.7, 0.2]), np.array([True, False, True, False]), 0.6)
    (0.7, 0.6666666666666666)
    """
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    reached = np.cumsum(changed[order]) / np.arange(1, len(order) + 1)
    last = np.r_[ordered[1:] != ordered[:-1], True]  # a threshold takes all words of one score, or none
    reached = np.where(last, reached, -1.0)
    good = np.flatnonzero(reached >= precision)
    at = int(good[-1]) if len(good) else int(np.argmax(reached))
    return float(ordered[at]), float(reached[at])

"""One epoch of the likelihood stage against Hugging Face's `Seq2SeqTrainer`, over the same pairs of varied length.

The same model, batch size, number of steps, optimizer (fused AdamW), clipping, label smoothing and dropout; set-up is
not timed. Each goes over the pairs in its own way, which is what differs:

- ours puts pairs of like length into a batch and pads to multiples of 32; `Seq2SeqTrainer` deals them at random and
  pads to the longest of the batch (`DataCollatorForSeq2Seq`). A second line lets it group by length too.
- ours reads logits of target tokens alone into the loss, with label smoothing of one pass; theirs takes
  log-probabilities of the whole padded table (`label_smoothing_factor`).
- attention is lastmile's own on our side and transformers' default on theirs.
"""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytorch_lightning as pl
import transformers
from transformers import DataCollatorForSeq2Seq, Seq2SeqTrainer, Seq2SeqTrainingArguments, TrainerCallback

from bench.floor import Meter, Phase, Sizes, training
from bench.lengths import draw_lengths
from bench.results import Result, result
from bench.shapes import build_model, build_policy, build_tokenizer
from bench.step import PRECISION, random_split
from bench.turns import Setup, in_turns, wait
from lastmile.config import Likelihood
from lastmile.corpus.tokens import TokenizedSplit
from lastmile.train.likelihood import LikelihoodStage
from lastmile.train.trainer import quiet_lightning

BATCH = 16
RATE = 5e-5


class Clock:
    """From the first step's beginning to the last one's end."""

    def __init__(self, device: str) -> None:
        self.device = device

    def begin(self) -> None:
        """Set-up is done."""
        self.before = time.perf_counter()

    def stop(self) -> None:
        """A step is done, perhaps the last."""
        wait(self.device)
        self.seconds = time.perf_counter() - self.before


class LightningClock(pl.Callback):
    """Around Lightning's loop; statistics are joined as a run joins them."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin."""
        self.clock.begin()

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: LikelihoodStage, *_: object) -> None:
        """Stop."""
        pl_module.finish_step()
        self.clock.stop()


class TransformersClock(TrainerCallback):
    """Around transformers' loop."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def on_train_begin(self, *_: object, **__: object) -> None:
        """Begin."""
        self.clock.begin()

    def on_step_end(self, *_: object, **__: object) -> None:
        """Stop."""
        self.clock.stop()


def document_lengths(num: int, limit: int, seed: int) -> list[int]:
    """Log-normal around 0.4 of the limit, as documents of most corpora are spread; cut to 8..limit."""
    drawn = np.random.default_rng([seed, 3]).lognormal(np.log(0.4 * limit), 0.6, num)
    return np.clip(np.rint(drawn), min(8, limit), limit).astype(int).tolist()


def run(setup: Setup, peer: bool = True) -> list[Result]:
    """Epochs in turns, each from the same weights on."""
    batch = min(BATCH, setup.documents)
    num = setup.documents // batch * batch
    sources = document_lengths(num, setup.document_tokens, setup.seed)
    targets = draw_lengths(num, setup.summary_tokens, setup.seed)
    with TemporaryDirectory(prefix="lastmile-bench-") as folder:
        split = random_split(Path(folder), setup, sources, targets)
        sides = {"ours": lambda: _ours(setup, split, batch)}
        if peer:
            sides["peer"] = lambda: _theirs(setup, split, batch, Path(folder), grouped=False)
            sides["grouped"] = lambda: _theirs(setup, split, batch, Path(folder), grouped=True)
        sides["rates"] = meter = Meter(setup.dtype, setup.device, setup.shape == "tiny")
        spent = in_turns(sides, setup.rounds, setup.device)
    program = f"transformers {transformers.__version__} Seq2SeqTrainer"
    common = {
        "unit": "target tokens",
        "work": sum(targets),
        "phases": _phases(setup, sources, targets, num // batch),
        "rates": meter.rates,
        "facts": {"pairs": num, "optimizer steps a turn": num // batch},
    }
    if not peer:
        return [result("likelihood", setup, spent["ours"], **common)]
    return [
        result("likelihood", setup, spent["ours"], spent["peer"], program=program, **common),
        result(
            "likelihood, peer groups by length",
            setup,
            spent["ours"],
            spent["grouped"],
            program=f"{program}, grouped by length",
            **common,
        ),
    ]


def _phases(setup: Setup, sources: list[int], targets: list[int], steps: int) -> list[Phase]:
    """Each pair by itself, and AdamW's seven reads and writes of each weight a step."""
    sizes = Sizes.of(setup.shape)
    passes = [phase for s, t in zip(sources, targets, strict=True) for phase in training(sizes, [t], 1, s)]
    weights = (sizes.encode_bytes(1) + sizes.write_bytes(0, 0, 0, 0, 1)) * 4
    return [*passes, Phase(0, 7 * weights * steps)]


def _ours(setup: Setup, split: TokenizedSplit, batch: int) -> float:
    settings = Likelihood(epochs=1, documents_per_step=batch, learning_rate=RATE, weight_decay=0.01, warmup_share=0.0)
    stage = LikelihoodStage(build_policy(setup.shape, setup.seed), split, settings, setup.seed)
    clock = Clock(setup.device)
    with quiet_lightning():
        pl.Trainer(
            accelerator="gpu" if setup.device == "cuda" else "cpu",
            devices=1,
            precision=PRECISION[setup.dtype],
            max_steps=stage.total_steps,
            callbacks=[LightningClock(clock)],
            gradient_clip_val=1.0,  # any number: the stage clips by its own setting
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        ).fit(stage)
    return clock.seconds


def _theirs(setup: Setup, split: TokenizedSplit, batch: int, folder: Path, grouped: bool) -> float:
    model = build_model(setup.shape, setup.seed)
    rows = []
    for number in range(len(split)):
        one = split.batch([number], pad_id=0, multiple=1)
        rows.append({"input_ids": one.document_ids[0].tolist(), "labels": one.target_ids[0].tolist()})
    arguments = Seq2SeqTrainingArguments(
        output_dir=str(folder / "peer"),
        per_device_train_batch_size=batch,
        num_train_epochs=1,
        learning_rate=RATE,
        weight_decay=0.01,
        lr_scheduler_type="linear",
        optim="adamw_torch_fused",
        label_smoothing_factor=0.1,
        max_grad_norm=1.0,
        train_sampling_strategy="group_by_length" if grouped else "random",
        bf16=setup.dtype == "bfloat16",
        use_cpu=setup.device == "cpu",
        seed=setup.seed,
        logging_strategy="no",
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        dataloader_pin_memory=setup.device == "cuda",
    )
    clock = Clock(setup.device)
    tokenizer = build_tokenizer(setup.shape)
    trainer = Seq2SeqTrainer(
        model=model,
        args=arguments,
        train_dataset=rows,
        data_collator=DataCollatorForSeq2Seq(tokenizer, model=model),
        processing_class=tokenizer,
        callbacks=[TransformersClock(clock)],
    )
    trainer.train()
    return clock.seconds

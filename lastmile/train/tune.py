"""One run from recipe to checkpoints: likelihood first, then policy gradient."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from lastmile.config import Recipe
from lastmile.corpus.divide import say
from lastmile.corpus.sources import load_corpus
from lastmile.corpus.tokens import TokenizedSplit, tokenize_split
from lastmile.errors import InputError, RunError, did_you_mean
from lastmile.judge.judge import Judge
from lastmile.judge.learned import LEARNED, Learned
from lastmile.judge.metrics import METRICS
from lastmile.judge.models import check_models
from lastmile.judge.pool import JudgePool
from lastmile.judge.profile import TargetProfile, profile_targets
from lastmile.policy.build import build_small_policy
from lastmile.policy.detector import Detector, load_detector, read_settings
from lastmile.policy.load import check_model, is_cased, load_policy, weights_hash
from lastmile.policy.policy import Policy
from lastmile.records import Corpus
from lastmile.train.journal import Journal
from lastmile.train.likelihood import LikelihoodStage
from lastmile.train.policy_gradient import PolicyGradientStage
from lastmile.train.run import DETECTOR, RunFolder, environment, is_first_process
from lastmile.train.stage import Stage
from lastmile.train.trainer import judge_workers, peak_memory, quiet_lightning, trainer_for
from lastmile.train.validate import Validate

MAX_TOKENIZER_TEXTS = 50_000


def check_recipe(recipe: Recipe, run: RunFolder | None = None) -> None:
    """Everything about a recipe that can be wrong and be seen before data or weights are loaded.

    Args:
        recipe: Settings.
        run: The run that is resumed, which may have a detector of its own.

    Raises:
        InputError: With all problems at once.
    """
    problems = check_model(recipe.model, recipe.hardware, recipe.data.max_document_tokens)
    problems += check_models(recipe.rewards)
    problems += _hardware_problems(recipe)
    problems += [
        f"`policy_gradient.select_by.{name}`: no such metric.{did_you_mean(name, METRICS)}"
        for name in recipe.policy_gradient.select_by
        if name not in METRICS
    ]
    problems += _detector_problems(recipe, run)
    if recipe.likelihood.epochs == 0 and recipe.policy_gradient.steps == 0:
        problems.append("`likelihood.epochs` and `policy_gradient.steps` are both 0: there is nothing to train")
    if problems:
        raise InputError.of(problems)


def _detector_problems(recipe: Recipe, run: RunFolder | None) -> list[str]:
    if recipe.detector is None:
        if f"flag/{LEARNED}" in recipe.policy_gradient.select_by:
            return [
                f"`policy_gradient.select_by.flag/{LEARNED}` needs `detector.path`: a folder of `lastmile flag train`"
            ]
        return []
    try:
        read_settings(_detector_folder(recipe, run))
    except InputError as error:
        return [f"`detector.path`: {error}"]
    return []


def _hardware_problems(recipe: Recipe) -> list[str]:
    """What Lightning says of the hardware settings, and steps with fewer documents than parts."""
    try:
        with quiet_lightning():
            trainer = trainer_for(recipe.hardware, 1)
    except (MisconfigurationException, ValueError, RuntimeError) as error:
        return [f"`hardware`: {str(error).strip().splitlines()[0]}"]
    problems = []
    if recipe.hardware.cuda_graphs and trainer.strategy.root_device.type != "cuda":
        problems.append(f"`hardware.cuda_graphs` needs an NVIDIA GPU, got {trainer.strategy.root_device}. Leave it out")
    parts = trainer.world_size * recipe.hardware.accumulate
    return problems + [
        f"`{name}.documents_per_step` must be at least {parts} (devices × `hardware.accumulate`), got {documents}"
        for name, documents in _documents_per_step(recipe).items()
        if documents < parts
    ]


def _documents_per_step(recipe: Recipe) -> dict[str, int]:
    """Of the stages that will run."""
    stages = {"likelihood": recipe.likelihood.epochs, "policy_gradient": recipe.policy_gradient.steps}
    return {name: getattr(recipe, name).documents_per_step for name, length in stages.items() if length}


def tune(recipe: Recipe, run: RunFolder) -> None:
    """Carry a run to its end from wherever it stands: new, or interrupted at any moment.

    Args:
        recipe: Settings; those of the run folder.
        run: New or opened; all results go there.

    Raises:
        InputError: If data, model or reward are not usable; a new run has written nothing then.
        RunError: If training fails.
    """
    prepared = prepare(recipe, run)
    try:
        if not run.ended("likelihood"):
            fit_likelihood(prepared)
        if recipe.policy_gradient.steps and not run.ended("policy_gradient"):
            fit_policy_gradient(prepared)
    except RunError as error:
        again = f"`lastmile tune --resume {run.path}` goes on from the last validation"
        raise RunError(f"{error}. {again}") from error
    if prepared.is_first:
        shutil.rmtree(run.path / "resume", ignore_errors=True)


@dataclass
class Prepared:
    """What both stages need, made once."""

    recipe: Recipe
    run: RunFolder
    corpus: Corpus
    policy: Policy
    judge: Judge
    train: TokenizedSplit
    validation: TokenizedSplit
    is_first: bool


def prepare(recipe: Recipe, run: RunFolder) -> Prepared:
    """Load data and policy, look at the targets, check rewards, tokenize."""
    is_first = is_first_process()
    corpus = load_corpus(recipe.data)
    manifest = run.manifest
    if "data" in manifest and manifest["data"]["fingerprint"] != corpus.fingerprint:
        raise InputError(
            f"`{recipe.data.name}` changed since this run began (fingerprint {corpus.fingerprint[:12]}, then "
            f"{manifest['data']['fingerprint'][:12]}). Bring the old data back, or start a new run"
        )
    too_few = [
        f"`{name}.documents_per_step` must be at most the {len(corpus.train)} training documents, got {documents}"
        for name, documents in _documents_per_step(recipe).items()
        if documents > len(corpus.train)
    ]
    if too_few:
        raise InputError.of(too_few)
    detector = detector_of(recipe, run)
    policy = initial_policy(recipe, run, corpus)
    if not policy.can_fold and is_first:
        family = policy.model.config.model_type
        say(f"no folding for the family `{family}`: each summary gets a copy of its document, which is slower")
    profile = profile_targets(corpus.train, cased=is_cased(policy.tokenizer))
    judge = judge_of(recipe, profile, detector)
    judge.check(corpus.train)
    tokenized = [tokenize(split, policy, recipe) for split in (corpus.train, corpus.validation)]
    if is_first:
        sizes = {name: len(getattr(corpus, name)) for name in ("train", "validation", "test")}
        run.begin(recipe)
        run.note(
            data={"name": corpus.name, "fingerprint": corpus.fingerprint, **sizes},
            model={"name": recipe.model.name or "built", "dropped_presets": policy.dropped_presets},
            seed=recipe.seed,
            environment=environment(),
        )
        run.write_profile(profile)
        if detector is not None and DETECTOR not in run.manifest.get("weights", {}):
            run.write_policy(detector, DETECTOR)
    return Prepared(recipe, run, corpus, policy, judge, *tokenized, is_first)


def _detector_folder(recipe: Recipe, run: RunFolder | None) -> Path:
    return run.path / DETECTOR if run and run.has(DETECTOR) else Path(recipe.detector.path)


def detector_of(recipe: Recipe, run: RunFolder) -> Detector | None:
    """The detector that the run charges for, if it does: its own copy where it has one, else that of the recipe.

    Raises:
        InputError: If there is none, or it is another one than the run began with.
    """
    if recipe.detector is None:
        return None
    folder = _detector_folder(recipe, run)
    detector = load_detector(folder)
    then, now = run.manifest.get("weights", {}).get(DETECTOR), weights_hash(detector)
    if then not in (None, now):
        raise InputError(
            f"`{folder}` is not the detector that `{run.path}` began with ({now[:12]}, then {then[:12]}). "
            "Restore it, or start a new run"
        )
    return detector


def judge_of(recipe: Recipe, profile: TargetProfile, detector: Detector | None) -> Judge:
    """What the recipe rewards and charges for."""
    learned = recipe.detector and detector and Learned(detector, profile.typical_words, recipe.detector.coefficient)
    return Judge(recipe.rewards, recipe.penalties, profile, learned)


def initial_policy(recipe: Recipe, run: RunFolder, corpus: Corpus) -> Policy:
    """The policy that stage 1 starts from; after stage 1, the baseline."""
    if run.ended("likelihood"):
        return load_policy(str(run.path / "baseline"))
    if recipe.model.build is None:
        return load_policy(recipe.model.name, recipe.model.revision)

    def texts() -> Iterator[str]:
        for index in range(min(len(corpus.train), MAX_TOKENIZER_TEXTS)):
            example = corpus.train[index]
            yield example.document
            yield example.target

    return build_small_policy(recipe.model.build, texts(), recipe.data.max_document_tokens, recipe.seed)


def tokenize(split, policy: Policy, recipe: Recipe) -> TokenizedSplit:
    """Tokens of a split as the recipe wants them; from the cache where it has them."""
    return tokenize_split(
        split,
        policy.tokenizer,
        eos_id=policy.eos_id,
        prefix=recipe.data.prefix,
        max_document_tokens=recipe.data.max_document_tokens,
        max_summary_tokens=recipe.data.max_summary_tokens,
    )


def fit_likelihood(prepared: Prepared) -> None:
    """Stage 1; its best checkpoint becomes `baseline`. Without epochs the starting model is the baseline."""
    recipe, run = prepared.recipe, prepared.run
    settings = recipe.likelihood
    if settings.epochs == 0:
        if prepared.is_first:
            run.write_policy(prepared.policy, "baseline")
            run.note(stages={"likelihood": {"ended": "skipped: the model is tuned already"}})
        return
    stage = LikelihoodStage(prepared.policy, prepared.train, settings, recipe.seed)
    _fit(prepared, stage, select_by={"rougeL": 1.0}, patience=settings.patience, checkpoint="baseline")
    prepared.policy = load_policy(str(run.path / "baseline"))


def fit_policy_gradient(prepared: Prepared) -> None:
    """Stage 2, from `baseline` and against it; its best checkpoint becomes `best`, the newest `last`."""
    recipe, run = prepared.recipe, prepared.run
    settings = recipe.policy_gradient
    reference = load_policy(str(run.path / "baseline"))
    prepared.policy.cuda_graphs = recipe.hardware.cuda_graphs
    with JudgePool(prepared.judge, judge_workers(recipe.hardware)) as judge:
        stage = PolicyGradientStage(prepared.policy, reference, judge, prepared.train, recipe)
        _fit(
            prepared,
            stage,
            select_by=settings.select_by,
            patience=settings.stop.patience,
            checkpoint="best",
            stop=settings.stop,
            last="last",
        )


def _fit(prepared: Prepared, stage: Stage, *, select_by, patience, checkpoint, stop=None, last=None) -> None:
    recipe, run, settings = prepared.recipe, prepared.run, stage.settings
    saved = run.path / "resume" / f"{stage.name}.ckpt"
    resume_at = {"likelihood": sys.maxsize} if stage.name == "policy_gradient" else {}
    if saved.exists():
        resume_at[stage.name] = _saved_step(saved)
    journal = Journal(run.path, prepared.is_first, resume_at)
    validate = Validate(
        run,
        journal,
        prepared.validation,
        prepared.judge.profile,
        recipe.compare.decoding,
        several=recipe.compare.targets,
        every=settings.validate_every,
        num_documents=settings.validation_documents,
        select_by=select_by,
        patience=patience,
        checkpoint=checkpoint,
        stop=stop,
        learned=prepared.judge.learned,
    )
    with quiet_lightning():
        trainer = trainer_for(recipe.hardware, stage.total_steps, validate)
    before = time.monotonic()
    with quiet_lightning(), journal.stage(stage.name, stage.total_steps):
        try:
            trainer.fit(stage, ckpt_path=str(saved) if saved.exists() else None, weights_only=True)
        except SystemExit:  # what Lightning makes of Ctrl-C and SIGTERM
            raise RunError("interrupted") from None
        except torch.OutOfMemoryError:
            raise RunError(
                "the GPU's memory is full. Start anew with a larger `hardware.accumulate`: smaller parts, same result"
            ) from None
    journal.say(f"{stage.name.replace('_', ' ')} ended at step {trainer.global_step}: {validate.reason}")
    if prepared.is_first and last:
        run.write_policy(stage.policy, last)
    if prepared.is_first:
        run.note(
            stages={
                stage.name: {
                    "ended": validate.reason,
                    "steps": trainer.global_step,
                    "best_step": validate.best_step,
                    "best_held_out": validate.best,
                    "seconds": round(time.monotonic() - before, 1),
                    "peak_memory_bytes": peak_memory(),
                    "device": str(trainer.strategy.root_device),
                    "devices": trainer.world_size,
                }
            }
        )


def _saved_step(path: Path) -> int:
    return torch.load(path, weights_only=True, map_location="cpu", mmap=True)["global_step"]

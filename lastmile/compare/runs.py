"""From finished runs to systems: decode the test documents with each checkpoint, once, and keep the outputs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from lastmile.compare.baselines import lead_system, rerank, target_system
from lastmile.compare.postprocess import post_processed
from lastmile.compare.systems import LEAD, LIKELIHOOD, N_BEST, POLICY_GRADIENT, TARGET, System
from lastmile.config import Compare, Decoding, Recipe
from lastmile.corpus.sources import load_corpus
from lastmile.corpus.tokens import TokenizedSplit
from lastmile.errors import InputError
from lastmile.judge.judge import Judge
from lastmile.policy.decode import decode_batch, decode_candidates, writer
from lastmile.policy.load import load_policy, weights_hash
from lastmile.policy.policy import Policy
from lastmile.records import Corpus, Example, Summary
from lastmile.train.run import RunFolder, write_text
from lastmile.train.tune import detector_of, judge_of, tokenize
from lastmile.train.validate import length_batches

Talk = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything that `build_report` wants of some runs."""

    title: str
    examples: list[Example]
    systems: list[System]
    rewards: dict[str, np.ndarray]
    judge: Judge
    signature: dict[str, object]
    curves: list[dict]
    resources: dict[str, object]
    unseen: tuple[str, ...]


def compare_runs(
    runs: Sequence[RunFolder],
    settings: Compare,
    say: Talk,
    predictions: Mapping[str, Sequence[Summary]] | None = None,
) -> Comparison:
    """Decode and post-process the systems of all runs, and the rivals that need no run.

    Runs of one recipe that differ in seed alone are one system with several runs. The first run's profile and judge
    measure everything.

    Args:
        runs: Finished runs on the same data.
        settings: How to decode and post-process.
        say: Told what was decoded.
        predictions: Name to the summaries of another system, one for each test document in order.

    Raises:
        InputError: If a run is unfinished, the runs were trained on different data, or predictions do not fit.
    """
    _check(runs)
    first = runs[0]
    recipe = first.recipe
    corpus = corpus_of(first)
    examples = [corpus.test[i] for i in range(len(corpus.test))]
    _check_predictions(predictions or {}, len(examples))
    judge = judge_for(first)
    systems: list[System] = []
    hashes = {f"{first.path.name}/detector": weights_hash(judge.learned.detector)} if judge.learned else {}
    written: dict[str, list[list[Summary]]] = {}
    for run in runs:
        suffix = "" if _but_seed(run.recipe) == _but_seed(recipe) else f" ({run.path.name})"
        for checkpoint, name in (("baseline", LIKELIHOOD), ("best", POLICY_GRADIENT)):
            if not run.has(checkpoint):
                continue
            policy = load_policy(str(run.path / checkpoint)).to(_device())
            hashes[f"{run.path.name}/{checkpoint}"] = key = weights_hash(policy)
            split = tokenize(corpus.test, policy, run.recipe)
            decoder = _Decoder(run, policy, split, settings, key, written, say)
            summaries = tuple(group[0] for group in decoder.summaries(1, f"{run.path.name}: {name}"))
            systems.append(System(name + suffix, summaries, family=name, seed=run.recipe.seed))
            if checkpoint == "baseline" and settings.rerank_candidates > 1:
                candidates = decoder.summaries(settings.rerank_candidates, f"{run.path.name}: {N_BEST}")
                systems += _reranked(candidates, examples, judge, suffix, run.recipe.seed)
    systems += [
        post_processed(system, examples, settings.post_processing, judge.profile, settings.max_words)
        for system in list(systems)
        if system.name in (LIKELIHOOD, POLICY_GRADIENT) or system.family in (LIKELIHOOD, POLICY_GRADIENT)
        if not system.name.startswith(N_BEST)
    ]
    systems += [System(name, tuple(written), family=name) for name, written in (predictions or {}).items()]
    systems += [lead_system(examples), target_system(examples)]
    return Comparison(
        title=f"{corpus.name}: {', '.join(run.path.name for run in runs)}",
        examples=examples,
        systems=_in_order(systems),
        rewards=rewards_of(systems, examples, judge),
        judge=judge,
        signature={"data": corpus.fingerprint, "checkpoints": hashes},
        curves=_curves(first),
        resources={run.path.name: run.manifest.get("stages", {}) for run in runs},
        unseen=unseen_measures(recipe, has_facts=bool(examples and examples[0].facts)),
    )


def judge_for(run: RunFolder) -> Judge:
    """What a run was trained by; what its detector said once is remembered.

    Raises:
        InputError: If the run's detector is gone, or another one.
    """
    judge = judge_of(run.recipe, run.profile, detector_of(run.recipe, run)).to(_device())
    if judge.learned:
        judge.learned.keeps = True
    return judge


def _device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def corpus_of(run: RunFolder) -> Corpus:
    """The corpus that a run was trained on.

    Raises:
        InputError: If it is not there any more, or not the same.
    """
    data = run.recipe.data
    corpus = load_corpus(data)
    trained_on = run.manifest["data"]["fingerprint"]
    if corpus.fingerprint != trained_on:
        raise InputError(
            f"`{data.name}` changed since `{run.path}` was trained (fingerprint {corpus.fingerprint[:12]}, "
            f"then {trained_on[:12]}). Bring the old data back"
        )
    return corpus


def unseen_measures(recipe: Recipe, has_facts: bool = False) -> tuple[str, ...]:
    """Three metrics that the trained reward neither contains nor prices, to be shown beside it."""
    priced = {flag for flag, coefficient in recipe.penalties.items() if coefficient}
    candidates = {
        "wrong_facts": not has_facts,
        "absent_words": "unsupported_word" in priced,
        "repeated_trigrams": "repetition" in priced,
        "copied_trigrams": "copy" in priced,
        "novel_2grams": False,
        "distinct_2": False,
        "density": False,
    }
    return tuple(metric for metric, left_out in candidates.items() if not left_out)[:3]


def rewards_of(systems: Sequence[System], examples: Sequence[Example], judge: Judge) -> dict[str, np.ndarray]:
    """System name to the trained total (rewards minus penalties) of its summaries, `(runs, N)`."""
    totals: dict[str, list[np.ndarray]] = {}
    for system in systems:
        scores = judge(examples, [[summary] for summary in system.summaries])
        totals.setdefault(system.name, []).append(scores.total[:, 0])
    return {name: np.stack(rows) for name, rows in totals.items()}


def decoded_file(run: RunFolder, weights: str, decoding: Decoding, num_candidates: int = 1) -> Path:
    """Where a comparison keeps the test summaries of one checkpoint: named by all that they depend on."""
    recipe = run.recipe
    identity = [weights, run.manifest["data"], recipe.data.model_dump(), decoding.model_dump()]
    if num_candidates > 1:
        identity += [recipe.sampling.model_dump(), num_candidates]
    key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
    return run.path / "decoded" / f"{key}.json"


def read_decoded(file: Path) -> list[list[Summary]]:
    """`[b][k]`: what a comparison kept."""
    rows = json.loads(file.read_text(encoding="utf-8"))
    return [[Summary(text, ended) for text, ended in row] for row in rows]


class _Decoder:
    """Decodes with one checkpoint, or finds what an earlier comparison decoded with the same weights and settings."""

    def __init__(
        self,
        run: RunFolder,
        policy: Policy,
        split: TokenizedSplit,
        settings: Compare,
        weights: str,
        written: dict[str, list[list[Summary]]],
        say: Talk,
    ) -> None:
        self.run, self.policy, self.split, self.settings = run, policy, split, settings
        self.weights, self.written, self.say = weights, written, say

    def summaries(self, num_candidates: int, what: str) -> list[list[Summary]]:
        """`[b][k]`: one summary a document as the recipe decodes; with more candidates, samples beside it."""
        file = decoded_file(self.run, self.weights, self.settings.decoding, num_candidates)
        key = file.stem
        if key not in self.written:
            if file.exists():
                self.written[key] = read_decoded(file)
            else:
                self.written[key] = self._decode(num_candidates, what)
                file.parent.mkdir(exist_ok=True)
                rows = [[(s.text, s.ended) for s in row] for row in self.written[key]]
                write_text(file, json.dumps(rows, ensure_ascii=False))
        return self.written[key]

    def _decode(self, num_candidates: int, what: str) -> list[list[Summary]]:
        from rich.console import Console
        from rich.progress import track

        decoding = self.settings.decoding
        by = writer(self.policy, decoding)
        batches = length_batches(self.split, len(self.split), decoding.batch_size)
        found: dict[int, list[Summary]] = {}
        shown = track(batches, description=what, console=Console(stderr=True), transient=True)
        for documents in shown:
            batch = self.split.batch(documents, self.policy.pad_id)
            if num_candidates > 1:
                rows = decode_candidates(self.policy, batch, decoding, self.run.recipe.sampling, num_candidates, by)
            else:
                rows = [[summary] for summary in decode_batch(by, batch, decoding)]
            found |= zip(documents.tolist(), rows, strict=True)
        self.say(f"{what}: {len(found)} documents decoded")
        return [found[i] for i in range(len(self.split))]


def _reranked(
    candidates: list[list[Summary]], examples: Sequence[Example], judge: Judge, suffix: str, seed: int
) -> list[System]:
    """Choose by what can be had without a target, and, as a ceiling, by the whole reward."""
    fair = rerank(candidates, judge.reference_free(examples, candidates))
    oracle = rerank(candidates, judge(examples, candidates).total)
    return [
        System(f"{N_BEST}{suffix}", fair, family=LIKELIHOOD, seed=seed),
        System(f"{N_BEST} (oracle){suffix}", oracle, oracle=True, family=LIKELIHOOD, seed=seed),
    ]


def _in_order(systems: list[System]) -> list[System]:
    """The four cells first, then the rivals."""
    cells = (LIKELIHOOD, f"{LIKELIHOOD} + post", POLICY_GRADIENT, f"{POLICY_GRADIENT} + post")
    return sorted(systems, key=lambda system: cells.index(system.name) if system.name in cells else len(cells))


def _check(runs: Sequence[RunFolder]) -> None:
    problems = [
        f"`{run.path}` is not finished. Continue it with `lastmile tune --resume {run.path}`"
        for run in runs
        if not run.is_finished
    ]
    fingerprints = {run.manifest["data"]["fingerprint"] for run in runs if "data" in run.manifest}
    if len(fingerprints) > 1:
        names = ", ".join(f"`{run.path}`: {run.recipe.data.name}" for run in runs)
        problems.append(f"runs of different data cannot be compared ({names})")
    if problems:
        raise InputError.of(problems)


def _check_predictions(predictions: Mapping[str, Sequence[Summary]], num_documents: int) -> None:
    ours = (LIKELIHOOD, POLICY_GRADIENT, LEAD, N_BEST, TARGET)
    problems = [
        f"`--predictions {name}=…`: holds {len(summaries)} summaries, but there are {num_documents} test documents"
        for name, summaries in predictions.items()
        if len(summaries) != num_documents
    ]
    problems += [
        f"`--predictions {name}=…`: `{name}` is the name of a system of ours. Choose another"
        for name in predictions
        if name.startswith(ours)
    ]
    if problems:
        raise InputError.of(problems)


def _but_seed(recipe: Recipe) -> dict:
    return recipe.model_dump(exclude={"seed", "hardware", "compare"})


def _curves(run: RunFolder) -> list[dict]:
    file = Path(run.path) / "metrics.jsonl"
    if not file.exists():
        return []
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line]

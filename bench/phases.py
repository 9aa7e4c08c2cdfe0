"""Where the time of a step goes: each phase of ours, by kinds of operations, beside its floor. There is no peer.

Seconds come from turns without a profiler, the shares from one more run under PyTorch's.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.profiler import ProfilerActivity, profile

from bench.floor import Meter, Phase, Sizes, sampling, scoring, training
from bench.lengths import planned_uniforms
from bench.results import Result, result
from bench.shapes import build_policy
from bench.turns import Setup, in_turns
from bench.update import Pass
from lastmile.config import Sampling
from lastmile.policy.sample import sample
from lastmile.policy.score import score

KINDS = {
    "matrix products": ("mm", "addmm", "_linear_pointwise"),
    "products of attention": ("bmm", "baddbmm", "_scaled_dot_product"),
    "softmax and exponentials": ("_softmax", "_log_softmax", "exp", "logsumexp"),
    "casts, copies, fills": ("copy", "_to_copy", "cat", "index", "_index_put", "gather", "scatter", "fill", "zero"),
}
"""Kinds of operations by the beginnings of their names, the first that fits; what fits none is `all else`."""


def run(setup: Setup, peer: bool = True) -> list[Result]:
    """One result a phase."""
    policy, reference = (build_policy(setup.shape, setup.seed, setup.device) for _ in range(2))
    work = Pass(policy, setup, setup.documents)
    optimizer = torch.optim.AdamW(policy.parameters(), lr=5e-6, fused=True)
    uniforms = planned_uniforms(work.lengths, setup.documents, setup.summary_tokens, setup.seed)
    settings = Sampling(num_samples=setup.samples, max_new_tokens=setup.summary_tokens)
    with torch.no_grad(), setup.autocast():
        encoded = policy.encode(work.ids, work.mask)

    @torch.no_grad()
    def reference_pass() -> None:
        with setup.autocast():
            score(reference, reference.encode(work.ids, work.mask), work.summary_ids, work.summary_mask)

    def sampling_pass() -> None:
        with setup.autocast():
            sample(policy, encoded, uniforms, settings)
        torch.clear_autocast_cache()

    def update_pass() -> None:
        optimizer.zero_grad()
        with setup.autocast():
            work.folded()

    sizes, size = Sizes.of(setup.shape), 2 if setup.dtype == "bfloat16" else 4
    lengths = work.lengths, setup.samples, setup.document_tokens
    floors = {
        "sampling": sampling(sizes, *lengths, size)[1:],
        "reference": [Phase(scoring(sizes, *lengths))],
        "update": training(sizes, *lengths),
        "optimizer": [Phase(0, 7 * 4 * sum(weight.numel() for weight in policy.parameters()))],
    }
    phases = dict(zip(floors, (sampling_pass, reference_pass, update_pass, optimizer.step), strict=True))
    meter = Meter(setup.dtype, setup.device, setup.shape == "tiny")
    spent = in_turns({**phases, "rates": meter}, setup.rounds, setup.device)
    return [
        result(
            f"phase, {name}",
            setup,
            spent[name],
            phases=floors[name],
            rates=meter.rates,
            facts=shares(run_phase, setup.device),
        )
        for name, run_phase in phases.items()
    ]


def shares(run_phase: Callable[[], object], device: str) -> dict[str, float]:
    """What part of the operators' own time each kind takes, all together 1."""
    spent = dict.fromkeys([*KINDS, "all else"], 0.0)
    activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if device == "cuda" else [])
    with profile(activities=activities, acc_events=True) as profiled:
        run_phase()
    for event in profiled.key_averages():
        own = event.self_device_time_total if device == "cuda" else event.self_cpu_time_total
        spent[_kind(event.key)] += own
    whole = sum(spent.values())
    return {kind: each / whole for kind, each in spent.items()}


def _kind(operator: str) -> str:
    name = operator.split("::")[-1]
    return next((kind for kind, starts in KINDS.items() if name.startswith(starts)), "all else")

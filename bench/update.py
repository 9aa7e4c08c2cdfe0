"""One training pass (score K summaries a document, backward), folded against three ways to do without folding.

*Expanded*: documents are read once and their encoder states copied to the K rows (`policy.folds = False`), which is
what a careful program does without folding. *Read again*: each row is a document of its own, encoder included, which
is what trainers do that know pairs only. These score with the same function as ours. *Plain*: encoder states copied,
then transformers' forward over every position and the log-softmax of the whole table, as one would write it down. All
get the same gradients: that is checked in the same run, in float64 and in float32.
"""

from __future__ import annotations

import copy
import functools
import math

import torch
from torch import Tensor
from transformers.modeling_outputs import BaseModelOutput

from bench.floor import Meter, Sizes, training
from bench.lengths import documents, draw_lengths, planned_summaries
from bench.results import Result, result
from bench.shapes import SHAPES, build_policy
from bench.turns import Setup, in_turns
from lastmile.errors import RunError
from lastmile.policy.fold import Rows
from lastmile.policy.policy import Policy
from lastmile.policy.score import score
from lastmile.policy.step import Step

AGREEMENT = 1e-6
"""Largest difference of a parameter's gradients in float64, relative to their norm."""
NOISE = 1e-6
"""A parameter whose gradient has a smaller share of the whole norm is left out: keys' biases have none but rounding."""


class Pass:
    """The three ways, over one batch.

    The loss is Σ a · log p / N with one random advantage a row, as in policy gradient.
    """

    def __init__(self, policy: Policy, setup: Setup, num_documents: int) -> None:
        vocabulary, rows = SHAPES[setup.shape]["vocab_size"], num_documents * setup.samples
        self.policy, self.samples, self.device = policy, setup.samples, setup.device
        self.ids, self.mask = documents(num_documents, setup.document_tokens, vocabulary, setup.seed, setup.device)
        self.lengths = draw_lengths(rows, setup.summary_tokens, setup.seed)
        summaries = planned_summaries(self.lengths, num_documents, setup.summary_tokens, vocabulary, setup.seed)
        self.summary_ids, self.summary_mask = (tensor.to(setup.device) for tensor in summaries)
        generator = torch.Generator().manual_seed(setup.seed)
        self.advantages = torch.randn(num_documents, setup.samples, 1, generator=generator).to(setup.device)

    def folded(self) -> None:
        """Ours."""
        self._backward(folds=True)

    def expanded(self) -> None:
        """Read once, copied K times."""
        self._backward(folds=False)

    def plain(self) -> None:
        """Read once, copied K times, every padded position scored, the whole table of log-probabilities in float32."""
        policy, ids = self.policy, self.summary_ids.flatten(0, 1)
        encoded = policy.encode(self.ids, self.mask)
        rows = torch.arange(len(self.ids), device=self.device).repeat_interleave(self.samples)
        prefix = torch.tensor(policy.prefix, device=self.device).expand(len(ids), -1)
        logits = policy.model(
            encoder_outputs=BaseModelOutput(encoded.states[rows]),
            attention_mask=encoded.mask[rows].long(),
            decoder_input_ids=torch.cat([prefix, ids[:, :-1]], dim=1),
        ).logits[:, len(policy.prefix) - 1 :]
        logits = logits if logits.dtype == torch.float64 else logits.float()
        log_probs = logits.log_softmax(-1).gather(-1, ids[..., None])[..., 0]
        log_probs = torch.where(self.summary_mask.flatten(0, 1), log_probs, 0.0)
        self._loss(log_probs.view(self.summary_ids.shape), self.advantages).backward()

    def read_again(self) -> None:
        """Each summary with its own document."""
        ids, mask = (tensor.repeat_interleave(self.samples, 0) for tensor in (self.ids, self.mask))
        summary_ids, summary_mask = (x.flatten(0, 1)[:, None] for x in (self.summary_ids, self.summary_mask))
        log_probs = score(self.policy, self.policy.encode(ids, mask), summary_ids, summary_mask)
        self._loss(log_probs, self.advantages.flatten(0, 1)[:, None]).backward()

    def _backward(self, folds: bool) -> None:
        self.policy.folds = folds
        try:
            encoded = self.policy.encode(self.ids, self.mask)
            log_probs = score(self.policy, encoded, self.summary_ids, self.summary_mask)
        finally:
            self.policy.folds = True
        self._loss(log_probs, self.advantages).backward()

    def _loss(self, log_probs: Tensor, advantages: Tensor) -> Tensor:
        return -(log_probs * advantages).sum() / len(self.lengths)

    def gradients(self, way: str) -> dict[str, Tensor]:
        """Those of one way, by parameter."""
        self.policy.zero_grad(set_to_none=True)
        getattr(self, way)()
        found = {name: each.grad for name, each in self.policy.named_parameters() if each.grad is not None}
        self.policy.zero_grad(set_to_none=True)
        return found


def run(setup: Setup, peer: bool = True) -> list[Result]:
    """The three ways and the machine's rates in turns; before that, that they agree."""
    policy = build_policy(setup.shape, setup.seed, setup.device)
    agreement = {"float64": disagreement(in_float64(policy), setup)[0]}
    agreement["float32 worst"], agreement["float32"] = disagreement(policy, setup)
    if agreement["float64"] > AGREEMENT:
        raise RunError(f"gradients of a parameter differ by {agreement['float64']:.2g} of their norm in float64")
    cache = {name: cross_elements(policy, setup, folds) for name, folds in (("ours", True), ("peer", False))}
    work = Pass(policy, setup, setup.documents)

    def turn(way: str):
        def go() -> None:
            policy.zero_grad(set_to_none=True)
            with setup.autocast():
                getattr(work, way)()

        return go

    ways = ("folded", "expanded", "plain", "read_again") if peer else ("folded",)
    sides = {way: turn(way) for way in ways}
    sides["rates"] = meter = Meter(setup.dtype, setup.device, setup.shape == "tiny")
    spent = in_turns(sides, setup.rounds, setup.device)
    sizes = Sizes.of(setup.shape)
    phases = training(sizes, work.lengths, setup.samples, setup.document_tokens)
    ours = sum(phase.operations for phase in phases)
    copied = 3 * (setup.samples - 1) * sizes.document_keys(setup.documents, setup.document_tokens)
    common = {
        "unit": "tokens",
        "work": sum(work.lengths),
        "phases": phases,
        "rates": meter.rates,
        "gradients_differ": agreement,
        "cross_cache_elements": cache,
        "facts": {
            "largest difference of a parameter's gradients in float64, of their norm": agreement["float64"],
            "the same in float32": agreement["float32 worst"],
            "difference of the whole gradients in float32, of their norm": agreement["float32"],
            "operations that copied states take, of ours": (ours + copied) / ours,
            "cross-attention cache, elements, ours": cache["ours"],
            "cross-attention cache, elements, expanded": cache["peer"],
        },
    }
    if not peer:
        return [result("update", setup, spent["folded"], **common)]
    programs = {
        "update": ("expanded", "encoder states copied K times"),
        "update, plainly written": ("plain", "states copied, whole table"),
        "update, documents read again": ("read_again", "read again"),
    }
    return [
        result(name, setup, spent["folded"], spent[way], program=program, **common)
        for name, (way, program) in programs.items()
    ]


def in_float64(policy: Policy) -> Policy:
    """A copy in float64 throughout: T5 would take its norms in float32 all the same, and round as float32 does."""
    twin = copy.deepcopy(policy).double()
    for module in twin.modules():
        if type(module).__name__ == "T5LayerNorm":
            module.forward = functools.partial(_norm, module)
    return twin


def _norm(module: torch.nn.Module, hidden: Tensor) -> Tensor:
    return module.weight * hidden * torch.rsqrt(hidden.pow(2).mean(-1, keepdim=True) + module.variance_epsilon)


def disagreement(policy: Policy, setup: Setup) -> tuple[float, float]:
    """How far the rivals' gradients are from ours on two documents, of the norm: worst parameter, and all as one."""
    work = Pass(policy, setup, min(2, setup.documents))
    ours = work.gradients("folded")
    norms = {name: gradient.norm().item() for name, gradient in ours.items()}
    whole = math.hypot(*norms.values())
    worst, every = 0.0, 0.0
    for way in ("expanded", "plain", "read_again"):
        theirs = work.gradients(way)
        apart = {name: (theirs[name] - gradient).norm().item() for name, gradient in ours.items()}
        worst = max(worst, *(apart[name] / norm for name, norm in norms.items() if norm > NOISE * whole))
        every = max(every, math.hypot(*apart.values()) / whole)
    return worst, every


@torch.no_grad()
def cross_elements(policy: Policy, setup: Setup, folds: bool) -> int:
    """Elements of cross-attention keys and values that sampling holds, with documents shared or copied to the rows."""
    vocabulary = SHAPES[setup.shape]["vocab_size"]
    encoded = policy.encode(*documents(setup.documents, setup.document_tokens, vocabulary, setup.seed, setup.device))
    if folds:
        return sum(each.numel() for each in Step(policy, encoded, setup.samples, 1).cross)
    copied = encoded.select(Rows.grid(setup.documents, setup.samples, setup.device).document)
    return sum(each.numel() for each in Step(policy, copied, 1, 1).cross)

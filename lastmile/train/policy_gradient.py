"""Stage 2: sample summaries, judge them, make the better ones more probable."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from lastmile.config import Recipe
from lastmile.corpus.tokens import TokenizedSplit
from lastmile.errors import InputError
from lastmile.judge.pool import JudgePool
from lastmile.learn.advantages import RunningScale, baseline_advantages, leave_one_out_advantages
from lastmile.learn.kl import adapt_coefficient, k1, k3
from lastmile.learn.losses import likelihood_loss, policy_gradient_loss
from lastmile.policy.load import weights_hash
from lastmile.policy.policy import Encoded, Policy
from lastmile.policy.sample import greedy, read_summaries, row_uniforms, sample
from lastmile.policy.score import score
from lastmile.records import Rollout, Scores, Summary, TokenBatch
from lastmile.train.stage import Stage, gather
from lastmile.train.steps import StepPart

AUTOCAST = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}
"""What matrix products compute in under these precisions."""


class PolicyGradientStage(Stage):
    """The policy-gradient stage. Dropout is off throughout: what is scored is what was sampled from.

    Args:
        policy: The model being trained; starts equal to the reference.
        reference: The likelihood model; KL is measured against it. It is frozen, and in mixed precision held in the
            type that its products compute in.
        judge: Rewards and penalties, in processes of their own where there are any.
        split: Tokenised training documents.
        recipe: The whole recipe.
    """

    name = "policy_gradient"

    def __init__(
        self, policy: Policy, reference: Policy, judge: JudgePool, split: TokenizedSplit, recipe: Recipe
    ) -> None:
        settings = recipe.policy_gradient
        super().__init__(
            policy,
            split,
            documents_per_step=settings.documents_per_step,
            total_steps=settings.steps,
            warmup_steps=settings.warmup_steps,
            settings=settings,
            seed=recipe.seed,
        )
        # In a tuple, so that the frozen reference is no part of the trained module and of its checkpoints.
        self._reference = (reference.requires_grad_(False).eval(),)
        self.reference_hash = weights_hash(reference)
        if recipe.hardware.precision in AUTOCAST:
            reference.narrow(AUTOCAST[recipe.hardware.precision])
        self.judge, self.sampling = judge, recipe.sampling
        self.kl_coefficient = settings.kl.coefficient
        self.scale = RunningScale()
        self.step_totals = torch.zeros(3, dtype=torch.float64)
        self.newest: list[tuple[str, list[Summary], np.ndarray]] = []

    def on_fit_start(self) -> None:
        """Put the reference and the models that reward where the policy is."""
        self.reference.to(self.device)
        self.judge.judge.to(self.device)

    def on_train_start(self) -> None:
        """Dropout off, whatever Lightning set."""
        self.policy.eval()

    @property
    def reference(self) -> Policy:
        """The frozen likelihood model."""
        return self._reference[0]

    def training_step(self, part: StepPart, index: int) -> Tensor:
        """One micro-batch of: rollout → judge → KL → log-probabilities → returns → advantages → loss.

        Neither the reference pass nor the forward pass needs scores, so both run while the summaries are judged.
        """
        batch = part.batch
        encoded = self.policy.encode(batch.document_ids, batch.document_mask)
        rollout = self.rollout(encoded.detach(), batch, part.step)
        summaries = read_summaries(self.policy, rollout)
        judging = self.judge.begin(batch.examples, summaries)
        judging_greedy = self.begin_greedy(encoded.detach(), batch)
        kl = self.kl(rollout, encoded.detach(), batch)
        log_probs, target_log_probs = self.log_probs(encoded, rollout, batch)
        scores = judging()
        returns = self.returns(scores, kl)
        advantages = self.advantages(returns, judging_greedy)
        loss = policy_gradient_loss(
            log_probs,
            advantages / self.scale.deviation,
            rollout.summary_mask,
            part.num_documents * self.sampling.num_samples * self.sampling.max_new_tokens,
        )
        if target_log_probs is not None:
            imitation = likelihood_loss(target_log_probs, batch.target_mask, part.num_target_tokens)
            loss = loss + self.settings.mle_coefficient * imitation
        self.step_totals += RunningScale.totals(returns, advantages).cpu()
        self.record(part, rollout, summaries, scores, returns, advantages, kl, log_probs, loss)
        return loss * self.gradient_share

    def rollout(self, encoded: Encoded, batch: TokenBatch, step: int) -> Rollout:
        """Sample K summaries a document, the same ones for any batch layout."""
        ids = [example.id for example in batch.examples]
        uniforms = row_uniforms(self.seed, step, ids, self.sampling.num_samples, self.sampling.max_new_tokens)
        rollout = sample(self.policy, encoded, uniforms, self.sampling)
        # Autocast keeps the weights it cast while gradients were off; the training pass must cast its own.
        torch.clear_autocast_cache()
        return rollout

    def begin_greedy(self, encoded: Encoded, batch: TokenBatch) -> Callable[[], Scores] | None:
        """Write and begin to judge the greedy summaries that are SCST's baseline; None for other methods."""
        if self.settings.method != "scst":
            return None
        written = greedy(self.policy, encoded, self.sampling.max_new_tokens)
        torch.clear_autocast_cache()
        return self.judge.begin(batch.examples, read_summaries(self.policy, written))

    @torch.no_grad()
    def kl(self, rollout: Rollout, encoded: Encoded, batch: TokenBatch) -> dict[str, Tensor]:
        """Two estimates of the KL to the reference, `(B, K)` in nats a summary: `kl` by k1, `kl_k3` by k3."""
        ids, mask, temperature = rollout.summary_ids, rollout.summary_mask, self.sampling.temperature
        reference_encoded = self.reference.encode(batch.document_ids, batch.document_mask)
        reference_log_probs = score(self.reference, reference_encoded, ids, mask, temperature)
        # Truncation bends the distribution that samples come from, but KL is of the policy itself.
        log_probs = rollout.log_probs if rollout.kept is None else score(self.policy, encoded, ids, mask, temperature)
        return {"kl": k1(log_probs, reference_log_probs, mask), "kl_k3": k3(log_probs, reference_log_probs, mask)}

    def returns(self, scores: Scores, kl: dict[str, Tensor]) -> Tensor:
        """Rewards minus penalties minus β·k1: what is maximised. `(B, K)`, NaN where unscored."""
        totals = torch.as_tensor(scores.total, dtype=torch.float32, device=kl["kl"].device)
        return totals - self.kl_coefficient * kl["kl"]

    def advantages(self, returns: Tensor, judging_greedy: Callable[[], Scores] | None) -> Tensor:
        """How much better each sample did than the method's baseline."""
        if judging_greedy is not None:
            total = judging_greedy().total
            return baseline_advantages(returns, torch.as_tensor(total, dtype=returns.dtype, device=returns.device))
        if self.settings.method == "rloo":
            return leave_one_out_advantages(returns)
        return baseline_advantages(returns, torch.tensor(self.scale.mean))

    def log_probs(self, encoded: Encoded, rollout: Rollout, batch: TokenBatch) -> tuple[Tensor, Tensor | None]:
        """Score the samples, and the target as one more row of the same pass where the sampling is plain."""
        ids, mask, temperature = rollout.summary_ids, rollout.summary_mask, self.sampling.temperature
        if not self.settings.mle_coefficient:
            return score(self.policy, encoded, ids, mask, temperature, rollout.kept), None
        target_ids, target_mask = batch.target_ids[:, None], batch.target_mask[:, None]
        if temperature != 1.0 or rollout.kept is not None:
            log_probs = score(self.policy, encoded, ids, mask, temperature, rollout.kept)
            return log_probs, score(self.policy, encoded, target_ids, target_mask)[:, 0]
        width = max(ids.shape[2], target_ids.shape[2])
        both = score(
            self.policy,
            encoded,
            torch.cat([_widen(ids, width, self.policy.pad_id), _widen(target_ids, width, self.policy.pad_id)], dim=1),
            torch.cat([_widen(mask, width, False), _widen(target_mask, width, False)], dim=1),
        )
        return both[:, :-1, : ids.shape[2]], both[:, -1, : target_ids.shape[2]]

    def record(
        self,
        part: StepPart,
        rollout: Rollout,
        summaries: list[list[Summary]],
        scores: Scores,
        returns: Tensor,
        advantages: Tensor,
        kl: dict[str, Tensor],
        log_probs: Tensor,
        loss: Tensor,
    ) -> None:
        """Add this micro-batch to the statistics of the step."""
        lengths = rollout.summary_mask.sum(-1)
        texts = [[summary.text for summary in group] for group in summaries]
        num, scored = returns.numel(), int(returns.isfinite().sum())
        rewards = {f"reward/{name}": values for name, values in sorted(scores.rewards.items())}
        for name, values in {"return": returns.cpu().numpy(), "total": scores.total, **rewards}.items():
            known = values[~np.isnan(values)]
            self.statistics.mean(known.size, **{name: known.sum() / max(known.size, 1)})
        self.statistics.mean(
            num,
            kl=kl["kl"].mean().item(),
            kl_k3=kl["kl_k3"].mean().item(),
            words=float(np.mean([len(text.split()) for group in texts for text in group])),
            tokens=lengths.float().mean().item(),
            ended=rollout.ended.float().mean().item(),
            unscored=1 - scored / num,
            distinct=sum(len(set(group)) for group in texts) / num,
            groups_without_spread=(advantages.abs().amax(-1) < 1e-8).float().mean().item(),
            **{f"flag/{name}": float((costs > 0).mean()) for name, costs in sorted(scores.penalties.items())},
        )
        self.statistics.mean(int(lengths.sum()), entropy=-(rollout.log_probs.sum() / lengths.sum()).item())
        self.statistics.mean(1, loss=loss.item() * self.gradient_share)
        gap = (log_probs.detach() - rollout.log_probs).abs()[rollout.summary_mask]
        self.statistics.maximum(log_prob_gap=gap.max().item())
        self.newest = [
            (example.id, group, scores.total[b])
            for b, (example, group) in enumerate(zip(part.batch.examples, summaries, strict=True))
        ]

    def finish_step(self) -> dict[str, float]:
        """Join the devices' statistics; update the running scale and the KL coefficient from all of them."""
        values = super().finish_step()
        self.scale.update(torch.stack(gather(self.step_totals)).sum(0))
        self.step_totals = torch.zeros(3, dtype=torch.float64)
        values |= {"advantage_deviation": self.scale.deviation, "kl_coefficient": self.kl_coefficient}
        kl = self.settings.kl
        if kl.controller == "adaptive":
            num = self.documents_per_step * self.sampling.num_samples
            self.kl_coefficient = adapt_coefficient(self.kl_coefficient, values["kl"], kl.target, num, kl.horizon)
        return values

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        """Everything that the next step depends on, beside weights and optimizer."""
        checkpoint["reference_hash"] = self.reference_hash
        checkpoint["running_scale"] = self.scale.sums
        checkpoint["kl_coefficient"] = self.kl_coefficient

    def on_load_checkpoint(self, checkpoint: dict) -> None:
        """Go on from there, against the very same reference."""
        if checkpoint["reference_hash"] != self.reference_hash:
            raise InputError(
                f"the checkpoint was trained against reference {checkpoint['reference_hash'][:12]}, but `baseline/` is "
                f"{self.reference_hash[:12]}. Restore the run's `baseline` folder, or start a new run"
            )
        self.scale.sums = checkpoint["running_scale"]
        self.kl_coefficient = checkpoint["kl_coefficient"]


def _widen(rows: Tensor, width: int, filler: int | bool) -> Tensor:
    return torch.nn.functional.pad(rows, (0, width - rows.shape[-1]), value=filler)

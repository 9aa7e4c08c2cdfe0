"""Stage 1: imitate the targets by likelihood."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from lastmile.config import Likelihood
from lastmile.corpus.tokens import TokenizedSplit
from lastmile.policy.fold import Rows
from lastmile.policy.policy import Policy
from lastmile.train.stage import Stage
from lastmile.train.steps import StepPart


class LikelihoodStage(Stage):
    """Cross-entropy a target token, label-smoothed, dropout on."""

    name = "likelihood"

    def __init__(self, policy: Policy, split: TokenizedSplit, settings: Likelihood, seed: int) -> None:
        total_steps = max(1, round(settings.epochs * (len(split) // settings.documents_per_step)))
        super().__init__(
            policy,
            split,
            documents_per_step=settings.documents_per_step,
            total_steps=total_steps,
            warmup_steps=round(settings.warmup_share * total_steps),
            settings=settings,
            seed=seed,
        )

    def on_train_start(self) -> None:
        """Dropout on, also where no validation came first."""
        self.policy.train()

    def training_step(self, part: StepPart, index: int) -> Tensor:
        """One micro-batch: read the documents, predict each next target token."""
        # Dropout masks depend on (seed, step, part) alone, so that a resumed run draws the same ones.
        micro_batch = index % self.trainer.accumulate_grad_batches
        entropy = np.random.SeedSequence((self.seed, part.step, micro_batch, self.global_rank))
        torch.manual_seed(int(entropy.generate_state(1)[0]))
        batch = part.batch
        encoded = self.policy.encode(batch.document_ids, batch.document_mask)
        logits = target_logits(self.policy, encoded, batch.target_ids)[batch.target_mask]
        loss = cross_entropy(
            logits.float(),
            batch.target_ids[batch.target_mask],
            label_smoothing=self.settings.label_smoothing,
            reduction="sum",
        )
        self.statistics.mean(len(logits), loss=loss.item() / len(logits))
        return loss / part.num_target_tokens * self.gradient_share


def target_logits(policy: Policy, encoded, target_ids: Tensor) -> Tensor:
    """`(B, T, V)` logits for each target token, given the ones before it."""
    prefix = torch.tensor(policy.prefix, device=target_ids.device).expand(len(target_ids), -1)
    decoder_ids = torch.cat([prefix, target_ids[:, :-1]], dim=1)
    rows = Rows.grid(len(target_ids), 1, target_ids.device)
    return policy.project(policy.decode(decoder_ids, encoded, rows)[:, len(policy.prefix) - 1 :])

"""The policy gradient by enumeration: with V = 4 and T = 3 every expectation is a sum over 40 summaries."""

from collections.abc import Callable
from itertools import product

import pytest
import torch
from tiny import tiny_model, tiny_tokenizer
from torch import Tensor

from lastmile.config import Sampling
from lastmile.learn.advantages import baseline_advantages, leave_one_out_advantages
from lastmile.learn.kl import k1, k3
from lastmile.learn.losses import policy_gradient_loss
from lastmile.policy.policy import Policy
from lastmile.policy.sample import keep, sample
from lastmile.policy.score import score

LENGTH, EOS = 3, 2
DENOMINATOR = 1 * 2 * LENGTH  # documents · K · max_new_tokens
DOCUMENT = torch.tensor([[1, 3, 3, 0, 3, 2]])
SETTINGS = {
    "plain": Sampling(),
    "temperature": Sampling(temperature=0.7),
    "top_k": Sampling(top_k=2),
    "all": Sampling(temperature=0.7, top_k=3, top_p=0.9),
}


def four_token_policy(seed: int = 0) -> Policy:
    model = tiny_model("bart", seed, torch.float64, vocab_size=4)
    model.final_logits_bias[0, EOS] = 0.5
    return Policy(model, tiny_tokenizer())


def every_summary() -> tuple[Tensor, Tensor]:
    """All summaries of 3 tokens or fewer: ids and mask `(1, 40, 3)`."""
    ended = [(*start, EOS) for length in range(LENGTH) for start in product((0, 1, 3), repeat=length)]
    rows = ended + list(product((0, 1, 3), repeat=LENGTH))
    ids = torch.tensor([[*row, *[0] * (LENGTH - len(row))] for row in rows])
    mask = torch.tensor([[place < len(row) for place in range(LENGTH)] for row in rows])
    return ids[None], mask[None]


class Everything:
    """The N summaries that can be sampled.

    Attributes:
        log_probs: `(1, N, 3)`, as training scores them.
        probabilities: `(N,)`, with gradient, from transformers' own logits: what `log_probs` must agree with.
    """

    def __init__(self, policy: Policy, settings: Sampling = SETTINGS["plain"]):
        ids, mask = every_summary()
        decoder_ids = torch.cat([torch.tensor(policy.prefix).expand(len(ids[0]), -1), ids[0, :, :-1]], 1)
        documents = DOCUMENT.expand(len(ids[0]), -1)
        logits = policy.model(input_ids=documents, decoder_input_ids=decoder_ids).logits / settings.temperature
        allowed = keep(logits.flatten(0, 1), settings.top_k, settings.top_p)
        if allowed is not None:
            logits = logits.masked_fill(~allowed.view(logits.shape), -torch.inf)
        exact = logits.log_softmax(-1).gather(-1, ids[0, ..., None])[..., 0]
        exact = torch.where(mask[0], exact, 0.0).sum(-1)
        possible = exact > -torch.inf

        self.ids, self.mask = ids[:, possible], mask[:, possible]
        self.probabilities = exact[possible].exp()
        kept = None
        if allowed is not None:
            kept = torch.where(allowed, torch.arange(4), -1).view(logits.shape)[possible][self.mask[0]]
        encoded = policy.encode(DOCUMENT, torch.ones_like(DOCUMENT, dtype=torch.bool))
        self.log_probs = score(policy, encoded, self.ids, self.mask, settings.temperature, kept)

    def expected_loss(self, returns: Tensor, advantages: Callable[[Tensor], Tensor]) -> Tensor:
        """Σ p(i) p(j) loss(i, j) over all pairs of samples, K = 2, for `(1, N)` returns.

        The loss is linear in the advantages, so that the weights of an expectation may ride on them.
        """
        pairs = torch.cartesian_prod(*[torch.arange(len(self.probabilities))] * 2)
        weights = self.probabilities.detach()[pairs].prod(-1, keepdim=True)
        log_probs, mask = self.log_probs[0, pairs], self.mask[0, pairs]
        return policy_gradient_loss(log_probs, weights * advantages(returns[0, pairs]), mask, DENOMINATOR)


def rewards(mask: Tensor) -> Tensor:
    """`(1, N)` any rewards; here random ones with a liking for length."""
    random = torch.randn(mask.shape[1], generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    return (random + mask[0].sum(-1))[None]


def assert_gradients_equal(policy: Policy, expected_loss: Tensor, objective: Tensor) -> None:
    """∇ E[loss] = − (K / D) ∇ objective, for every parameter."""
    parameters = [p for p in policy.parameters() if p.requires_grad]
    ours = torch.autograd.grad(expected_loss, parameters, allow_unused=True)
    exact = torch.autograd.grad(objective, parameters, allow_unused=True, retain_graph=True)
    assert max(wanted.abs().max() for wanted in exact if wanted is not None) > 0.01
    for found, wanted in zip(ours, exact, strict=True):
        assert (found is None) == (wanted is None)
        if wanted is not None:
            torch.testing.assert_close(found, -2 / DENOMINATOR * wanted, rtol=1e-8, atol=1e-8)


BASELINES = {
    "leave one out": leave_one_out_advantages,
    "constant": lambda returns: baseline_advantages(returns, torch.tensor(1.7)),
}


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("advantages", BASELINES.values(), ids=BASELINES)
def test_row01_the_estimator_is_the_gradient_of_the_expected_return(settings, advantages):
    policy = four_token_policy()
    everything = Everything(policy, settings)
    returns = rewards(everything.mask)
    torch.testing.assert_close(everything.probabilities.sum().item(), 1.0, rtol=0, atol=1e-12)
    objective = (everything.probabilities * returns[0]).sum()
    assert_gradients_equal(policy, everything.expected_loss(returns, advantages), objective)


def test_row01_a_baseline_of_all_samples_would_be_biased():
    """The test above can tell: with the mean over both samples the gradient is halved."""
    policy = four_token_policy()
    everything = Everything(policy)
    returns = rewards(everything.mask)
    loss = everything.expected_loss(returns, lambda returns: returns - returns.mean(1, keepdim=True))
    assert_gradients_equal(policy, loss, (everything.probabilities * returns[0]).sum() / 2)


def test_row01_scoring_without_the_truncation_would_be_wrong():
    """Drawn under top-k but scored over all tokens, the estimator is not the gradient."""
    policy = four_token_policy()
    everything, whole = Everything(policy, SETTINGS["top_k"]), Everything(policy)
    returns = rewards(everything.mask)
    same = [row for row, ids in enumerate(whole.ids[0].tolist()) if ids in everything.ids[0].tolist()]
    objective = (everything.probabilities * returns[0]).sum()
    everything.log_probs = whole.log_probs[:, same]
    with pytest.raises(AssertionError):
        assert_gradients_equal(policy, everything.expected_loss(returns, leave_one_out_advantages), objective)


def test_row01_k1_in_the_return_gives_the_gradient_of_the_kl():
    policy, reference, coefficient = four_token_policy(), four_token_policy(seed=1), 0.3
    ours, theirs = Everything(policy), Everything(reference)
    returns = rewards(ours.mask)
    kl = (ours.probabilities * (ours.probabilities.log() - theirs.probabilities.log().detach())).sum()
    assert kl > 0.1
    penalised = returns - coefficient * k1(ours.log_probs, theirs.log_probs, ours.mask)
    objective = (ours.probabilities * returns[0]).sum() - coefficient * kl
    assert_gradients_equal(policy, ours.expected_loss(penalised, leave_one_out_advantages), objective)


def test_k1_and_k3_expect_the_same_and_k3_varies_less():
    # Step by step, k3 has the expectation of k1 where the reference can say all that the policy can.
    near = four_token_policy()
    with torch.no_grad():
        for parameter in near.parameters():
            parameter += 0.02 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1))
        ours, theirs = Everything(four_token_policy()), Everything(near)
    estimates = {kind: kind(ours.log_probs, theirs.log_probs, ours.mask)[0] for kind in (k1, k3)}
    mean = {kind: (ours.probabilities * value).sum() for kind, value in estimates.items()}
    deviation = {
        kind: (ours.probabilities * (value - mean[kind]) ** 2).sum().sqrt() for kind, value in estimates.items()
    }
    exact = (ours.probabilities * (ours.probabilities / theirs.probabilities).log()).sum()
    torch.testing.assert_close(mean[k1], exact, rtol=0, atol=1e-12)
    torch.testing.assert_close(mean[k3], exact, rtol=0, atol=1e-12)
    assert deviation[k3] < deviation[k1]


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_row01_the_sampler_draws_from_the_enumerated_distribution(settings):
    policy = four_token_policy()
    with torch.no_grad():
        everything = Everything(policy, settings)
        encoded = policy.encode(DOCUMENT, torch.ones_like(DOCUMENT, dtype=torch.bool))
    rows = 2000
    uniforms = torch.rand(1, rows, LENGTH, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    rollout = sample(policy, encoded, uniforms, settings)
    is_drawn = (rollout.summary_ids[0, :, None] == everything.ids).all(-1)
    assert (is_drawn.sum(1) == 1).all()
    exact, total = everything.probabilities, rollout.log_probs[0].sum(-1)
    torch.testing.assert_close(total.double(), exact.log()[is_drawn.int().argmax(1)], rtol=1e-5, atol=1e-5)
    # Five standard errors of a share.
    error = is_drawn.double().mean(0) - exact
    assert (error.abs() <= 5 * (exact * (1 - exact) / rows).sqrt() + 1 / rows).all()

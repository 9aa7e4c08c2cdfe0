"""Losses by hand, and that the length of a summary does not weigh its tokens."""

import math

import torch

from lastmile.learn.losses import likelihood_loss, policy_gradient_loss

MASK = torch.tensor([[[True, True, True], [True, False, False]], [[True, True, False], [True, True, True]]])


def log_probs():
    values = -torch.arange(1.0, 13.0).view(2, 2, 3)
    return values.requires_grad_()


def test_policy_gradient_loss_by_hand():
    # Rows sum to −6, −4, −15, −33 over their masks: −(2·−6 − 1·−4 + 0·−15 + 0.5·−33) / 10.
    loss = policy_gradient_loss(log_probs(), torch.tensor([[2.0, -1.0], [0.0, 0.5]]), MASK, 10)
    torch.testing.assert_close(loss.item(), 2.45, rtol=1e-6, atol=0)


def test_row12_a_tokens_gradient_does_not_know_its_summarys_length():
    tokens, advantages = log_probs(), torch.tensor([[2.0, 2.0], [2.0, -3.0]])
    policy_gradient_loss(tokens, advantages, MASK, 12).backward()
    # −A / D for each token that counts, whether one of one or one of three.
    wanted = torch.where(MASK, -advantages[..., None] / 12, 0.0)
    torch.testing.assert_close(tokens.grad, wanted)
    assert tokens.grad[0, 0, 0] == tokens.grad[0, 1, 0] == tokens.grad[1, 0, 1] == -2 / 12


def test_row12_micro_batches_add_up():
    advantages = torch.tensor([[2.0, -1.0], [0.3, 0.5]])
    whole, parts = log_probs(), log_probs()
    policy_gradient_loss(whole, advantages, MASK, 12).backward()
    for part in (slice(0, 1), slice(1, 2)):
        policy_gradient_loss(parts[part], advantages[part], MASK[part], 12).backward()
    torch.testing.assert_close(whole.grad, parts.grad)


def test_what_lies_behind_the_mask_reaches_neither_loss_nor_gradient():
    values = log_probs().detach().masked_fill(~MASK, math.nan).requires_grad_()
    loss = policy_gradient_loss(values, torch.ones(2, 2), MASK, 1) + likelihood_loss(values, MASK, 1)
    loss.backward()
    # Each is 6 + 4 + 15 + 33.
    assert loss.item() == 116
    assert torch.equal(values.grad, -2.0 * MASK)


def test_a_summary_without_advantage_pulls_nothing():
    tokens = log_probs()
    policy_gradient_loss(tokens, torch.tensor([[0.0, 1.0], [0.0, 0.0]]), MASK, 1).backward()
    assert tokens.grad.nonzero().tolist() == [[0, 1, 0]]


def test_likelihood_loss_is_the_mean_a_token():
    # (6 + 4 + 15 + 33) nats over 9 target tokens.
    torch.testing.assert_close(likelihood_loss(log_probs(), MASK, 9), torch.tensor(58 / 9))

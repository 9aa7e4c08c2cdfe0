"""Scores are the model's own log-probabilities, whatever the batch looks like and however they are computed."""

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tiny import FAMILIES, tiny_batch, tiny_policy
from torch.nn.functional import cross_entropy, linear
from torch.utils._python_dispatch import TorchDispatchMode

from lastmile.config import Sampling
from lastmile.policy import score as module
from lastmile.policy.sample import row_uniforms, sample
from lastmile.policy.score import length_groups, score, selective_log_softmax


@pytest.fixture
def small_slices(monkeypatch):
    """Computes logits again in the backward pass, two positions at a time, and their softmax one by one."""
    monkeypatch.setattr(module, "KEPT_BYTES", 4 * 2 * 300 * 4)
    monkeypatch.setattr(module, "_rows_in_cache", lambda weight: 1)


def full_logits(policy, summary_ids):
    """`(B, K, T, V)` logits by transformers' own forward pass on copied documents and shifted ids, in one batch."""
    documents, mask = (t.repeat_interleave(summary_ids.shape[1], 0) for t in tiny_batch(policy))
    flat = summary_ids.flatten(0, 1)
    decoder_ids = torch.cat([torch.tensor(policy.prefix).expand(len(flat), -1), flat[:, :-1]], dim=1)
    logits = policy.model(input_ids=documents, attention_mask=mask.long(), decoder_input_ids=decoder_ids).logits
    return logits[:, len(policy.prefix) - 1 :].unflatten(0, summary_ids.shape[:2])


def some_summaries(lengths):
    """Ids `(B, K, T)` with the end marker last, and their mask."""
    lengths = torch.tensor(lengths)
    width = int(lengths.max())
    ids = torch.randint(3, 300, (*lengths.shape, width), generator=torch.Generator().manual_seed(0))
    places = torch.arange(width)
    ids[places == lengths[..., None] - 1] = 2
    mask = places < lengths[..., None]
    return ids.where(mask, 0), mask


UNEQUAL = [[1, 9, 4], [2, 2, 2], [9, 3, 8], [7, 7, 7], [1, 1, 1], [5, 6, 9]]


@pytest.mark.parametrize("family", FAMILIES)
def test_row08_a_score_is_minus_the_cross_entropy_of_its_token(family):
    policy = tiny_policy(family)
    ids, mask = some_summaries(UNEQUAL)
    with torch.no_grad():
        ours = score(policy, policy.encode(*tiny_batch(policy)), ids, mask)
        theirs = -cross_entropy(full_logits(policy, ids).flatten(0, 2), ids.flatten(), reduction="none").view(ids.shape)
    torch.testing.assert_close(ours[mask], theirs[mask], rtol=1e-5, atol=3e-5)
    assert not ours[~mask].any()


@pytest.mark.parametrize("family", FAMILIES)
def test_row08_gradients_are_those_of_the_cross_entropy(family):
    policy = tiny_policy(family, dtype=torch.float64)
    ids, mask = some_summaries(UNEQUAL)
    weights = torch.randn(ids.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    def gradients(log_probs):
        policy.zero_grad()
        (log_probs * weights)[mask].sum().backward()
        return {name: p.grad for name, p in policy.named_parameters() if p.grad is not None}

    ours = gradients(score(policy, policy.encode(*tiny_batch(policy)), ids, mask))
    naive = full_logits(policy, ids).log_softmax(-1).gather(-1, ids[..., None])[..., 0]
    theirs = gradients(naive)
    assert ours.keys() == theirs.keys()
    # T5 and mT5 take the variance in their layer norms in float32 even in a float64 model.
    tolerance = 1e-6 if family in ("t5", "mt5") else 1e-10
    for name in ours:
        assert (ours[name] - theirs[name]).abs().max() <= tolerance * max(1, theirs[name].abs().max()), name


@pytest.mark.parametrize("family", FAMILIES)
def test_row04_rows_of_unequal_length_score_as_they_do_alone(family):
    policy = tiny_policy(family, dtype=torch.float64)
    encoded = policy.encode(*tiny_batch(policy))
    ids, mask = some_summaries([[2, 9, 5]] * 6)
    batch = score(policy, encoded, ids, mask)
    for k, length in enumerate((2, 9, 5)):
        alone = score(policy, encoded, ids[:, k : k + 1, :length], mask[:, k : k + 1, :length])
        torch.testing.assert_close(batch[:, k, :length], alone[:, 0], rtol=1e-10, atol=1e-10)
        # The first token and the end marker of a short row count like all others, its padding does not.
        assert (batch[:, k, [0, length - 1]] < 0).all()
        assert not batch[:, k, length:].any()


def test_temperature_and_kept_sets_enter_the_score():
    policy = tiny_policy("bart", dtype=torch.float64)
    ids, mask = some_summaries(UNEQUAL)
    own = ids[mask]
    kept = torch.stack([own, (own + 1) % 300, torch.where(own % 2 == 0, (own + 2) % 300, -1)], dim=1)
    ours = score(policy, policy.encode(*tiny_batch(policy)), ids, mask, temperature=0.6, kept=kept)[mask]
    logits = full_logits(policy, ids)[mask] / 0.6
    allowed = torch.zeros_like(logits, dtype=torch.bool)
    for place, tokens in zip(allowed, kept, strict=True):
        place[tokens[tokens >= 0]] = True
    theirs = logits.masked_fill(~allowed, -torch.inf).log_softmax(-1).gather(-1, ids[mask][:, None])[:, 0]
    torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-8)


def problem(num_positions=23, vocabulary=41, width=6):
    random = torch.Generator().manual_seed(3)
    double = {"generator": random, "dtype": torch.float64}
    hidden = torch.randn(num_positions, width, **double).requires_grad_()
    weight = torch.randn(vocabulary, width, **double).requires_grad_()
    bias, upstream = torch.randn(vocabulary, **double), torch.randn(num_positions, **double)
    ids = torch.randint(vocabulary, (num_positions,), generator=random)
    return hidden, weight, bias, ids, upstream


@pytest.mark.parametrize("truncated", [False, True], ids=["all tokens", "kept sets"])
@pytest.mark.parametrize("kept_bytes", [2**20, 0], ids=["kept logits", "computed again"])
@pytest.mark.parametrize("rows_in_cache", [1, 4, 1000])
def test_the_written_out_backward_pass_is_that_of_log_softmax(monkeypatch, truncated, kept_bytes, rows_in_cache):
    monkeypatch.setattr(module, "KEPT_BYTES", kept_bytes)
    monkeypatch.setattr(module, "_rows_in_cache", lambda weight: rows_in_cache)
    hidden, weight, bias, ids, upstream = problem()
    logits, kept = linear(hidden, weight, bias), None
    if truncated:
        kept = torch.stack([ids, (ids + 7) % 41, torch.where(ids % 2 == 0, -1, (ids + 9) % 41)], dim=1)
        allowed = torch.stack([torch.isin(torch.arange(41), row) for row in kept])
        logits = logits.masked_fill(~allowed, -torch.inf)
    naive = logits.log_softmax(-1).gather(-1, ids[:, None])[:, 0]
    ours = selective_log_softmax(hidden, weight, bias, ids, kept)
    torch.testing.assert_close(ours, naive, rtol=1e-12, atol=1e-12)
    wanted = torch.autograd.grad(naive, (hidden, weight), upstream)
    given_back = torch.autograd.grad(ours, (hidden, weight), upstream)
    torch.testing.assert_close(given_back, wanted, rtol=1e-10, atol=1e-10)


def test_a_kept_set_far_from_the_mode_has_finite_gradients():
    # Token 1 weighs e^200 times what is kept: a float32 softmax over the kept set overflows there.
    hidden, weight = torch.tensor([[1.0]], requires_grad=True), torch.tensor([[0.0], [200.0], [1.0]])
    log_probs = selective_log_softmax(hidden, weight, None, torch.tensor([0]), torch.tensor([[0, 2]]))
    log_probs.sum().backward()
    # d/dh log(e^0 / (e^0 + e^h)) = −σ(h)
    torch.testing.assert_close(hidden.grad, -torch.tensor([[1.0]]).sigmoid())


def test_logits_cannot_silently_serve_two_backward_passes():
    hidden, weight, bias, ids, upstream = problem()
    log_probs = selective_log_softmax(hidden, weight, bias, ids)
    log_probs.backward(upstream, retain_graph=True)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        log_probs.backward(upstream)


class Largest(TorchDispatchMode):
    """Notes the number of elements of the largest tensor that any operation returns."""

    def __init__(self):
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        result = operation(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, (tuple, list)) else [result]:
            if isinstance(tensor, torch.Tensor):
                self.elements = max(self.elements, tensor.numel())
        return result


def largest_tensor_of_a_training_pass():
    policy = tiny_policy("bart")
    ids, mask = some_summaries([[12] * 8] * 6)
    with Largest() as largest:
        score(policy, policy.encode(*tiny_batch(policy)), ids, mask).sum().backward()
    return largest.elements, mask.sum() * 300


def test_kept_logits_are_the_largest_tensor():
    elements, table = largest_tensor_of_a_training_pass()
    assert elements == table


def test_the_whole_table_of_logits_never_exists_when_it_is_large(small_slices):
    elements, table = largest_tensor_of_a_training_pass()
    assert elements < table / 2


@pytest.mark.parametrize("family", FAMILIES)
def test_small_slices_give_the_same_scores(family, small_slices, monkeypatch):
    policy = tiny_policy(family)
    ids, mask = some_summaries(UNEQUAL)
    encoded = policy.encode(*tiny_batch(policy))
    sliced = score(policy, encoded, ids, mask)
    monkeypatch.undo()
    torch.testing.assert_close(sliced, score(policy, encoded, ids, mask), rtol=1e-5, atol=1e-5)


@settings(deadline=None)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=40))
@example([14, 17, 20])  # just nine tenths: 14 + 2·20 = 54 of 60 places
def test_length_groups_hold_each_row_with_a_token_once(lengths):
    lengths = torch.tensor(lengths)
    groups = length_groups(lengths)
    assert len(groups) <= 2
    assert sorted(torch.cat(groups).tolist()) == lengths.nonzero()[:, 0].tolist()
    assert all((group.diff() > 0).all() for group in groups)
    if len(groups) == 2:
        assert lengths[groups[0]].max() < lengths[groups[1]].min()
        padded = sum(len(group) * lengths[group].max() for group in groups)
        assert 10 * padded <= 9 * (lengths > 0).sum() * lengths.max()


def test_length_groups_cut_where_most_padding_is_saved():
    # Cut after 2: 3·2 + 2·20 = 46 of 100 places; after 19: 4·19 + 20 = 96.
    short, long = length_groups(torch.tensor([20, 1, 2, 19, 2]))
    assert (short.tolist(), long.tolist()) == ([1, 2, 4], [0, 3])
    assert len(length_groups(torch.tensor([10, 10, 9]))) == 1


@pytest.mark.parametrize("family", FAMILIES)
def test_all_weights_get_gradients_after_sampling_under_autocast(family):
    policy = tiny_policy(family)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        encoded = policy.encode(*tiny_batch(policy))
        rollout = sample(policy, encoded.detach(), row_uniforms(1, 0, "abcdef", 2, 4), Sampling())
        # Some releases of PyTorch keep the weights that were cast while gradients were off.
        torch.clear_autocast_cache()
        score(policy, encoded, rollout.summary_ids, rollout.summary_mask).sum().backward()
    # A bias of the keys shifts all logits of a query alike: its gradient is zero but for rounding.
    trained = {n: p for n, p in policy.named_parameters() if p.requires_grad and not n.endswith("k_proj.bias")}
    assert [name for name, p in trained.items() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_a_narrowed_model_scores_the_same_under_autocast(family):
    policy, narrow = tiny_policy(family), tiny_policy(family)
    narrow.narrow(torch.bfloat16)
    sizes = [sum(each.numel() * each.element_size() for each in one.parameters()) for one in (policy, narrow)]
    assert 0.5 * sizes[0] < sizes[1] < 0.8 * sizes[0]
    ids = torch.randint(3, 300, (6, 4, 7), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids, dtype=torch.bool)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        one, other = (score(each, each.encode(*tiny_batch(each)), ids, mask) for each in (policy, narrow))
    assert torch.equal(one, other)

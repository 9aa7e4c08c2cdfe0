"""One token at a time equals transformers' decoder over whole rows, whoever leaves in between."""

import pytest
import torch
from tiny import FAMILIES, tiny_batch, tiny_policy
from torch.fx.experimental.proxy_tensor import make_fx

import lastmile.policy.recorded
from lastmile.policy.fold import Rows
from lastmile.policy.recorded import RecordedStep
from lastmile.policy.step import Step

GATED_T5 = {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}
POLICIES = {family: (family, {}) for family in FAMILIES} | {
    "flan-t5": ("t5", GATED_T5),
    "scaled bart": ("bart", {"scale_embedding": True}),
    "scaled pegasus": ("pegasus", {"scale_embedding": True}),
}
TOKENS = 9
# Rows by the place before which they leave: the first, whole documents (0, then 3 and 5), one of a document, the last.
LEAVING = {1: [0], 2: [1, 2], 4: [7, 9, 10, 11, 15, 16], 5: [17], 7: [3, 4, 8]}


@pytest.fixture(params=POLICIES.values(), ids=POLICIES)
def choose_policy(request):
    family, settings = request.param
    return lambda **more: tiny_policy(family, **settings, **more)


@pytest.fixture(params=[Step, RecordedStep])
def kind(request):
    return request.param


def tokens_for(rows: int) -> torch.Tensor:
    return torch.randint(3, 300, (rows, TOKENS), generator=torch.Generator().manual_seed(1))


def who_stays(alive, place):
    return (~torch.isin(alive, torch.tensor(LEAVING[place]))).nonzero()[:, 0]


def project(policy, step, tokens):
    return policy.project(step(tokens), step.output_weight)


@torch.no_grad()
def whole_rows(policy, encoded, samples):
    """`(R, T, V)` logits of transformers' decoder."""
    rows = Rows.grid(len(encoded.states), samples)
    return policy.project(policy.decode(tokens_for(len(rows.document)), encoded, rows))


@pytest.mark.parametrize("samples", [1, 8])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@torch.no_grad()
def test_logits_equal_those_of_transformers_decoder(choose_policy, kind, dtype, samples):
    policy = choose_policy(dtype=dtype)
    # T5's norms take the mean square in float32, whatever the type.
    exact = dtype == torch.float64 and "t5" not in policy.model.config.model_type
    tolerance = 1e-10 if exact else 1e-4
    encoded = policy.encode(*tiny_batch(policy))
    expected, step = whole_rows(policy, encoded, samples), kind(policy, encoded, samples, TOKENS)
    assert expected.std() > 0.5
    for place, tokens in enumerate(tokens_for(6 * samples).T):
        torch.testing.assert_close(project(policy, step, tokens), expected[:, place], rtol=tolerance, atol=tolerance)


@torch.no_grad()
def test_bfloat16_stays_near(choose_policy, kind):
    policy = choose_policy()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        encoded = policy.encode(*tiny_batch(policy))
        expected, step = whole_rows(policy, encoded, 4), kind(policy, encoded, 4, TOKENS)
        ours = torch.stack([project(policy, step, tokens) for tokens in tokens_for(24).T], dim=1)
    assert ours.dtype == torch.bfloat16
    exact = whole_rows(policy, encoded, 4).float()
    # As near to the exact logits as transformers' own pass in bfloat16.
    error, allowed = ((each.float() - exact).abs().mean() for each in (ours, expected))
    assert 0 < error < 1.2 * allowed


@torch.no_grad()
def test_the_rows_that_stay_go_on_as_if_nobody_had_left(choose_policy, kind):
    policy = choose_policy()
    encoded = policy.encode(*tiny_batch(policy))
    expected, step = whole_rows(policy, encoded, 3), kind(policy, encoded, 3, TOKENS)
    alive = torch.arange(18)
    for place, tokens in enumerate(tokens_for(18).T):
        if place in LEAVING:
            stay = who_stays(alive, place)
            alive = alive[stay]
            step.select(stay)
        torch.testing.assert_close(project(policy, step, tokens[alive]), expected[alive, place], rtol=1e-4, atol=1e-4)
    assert alive.tolist() == [5, 6, 12, 13, 14]
    # What is recorded shrinks only where half of its rows have left: here from 18 to 7, and 5 of them live.
    documents = 4 if kind is RecordedStep else 3
    assert step.rows.num_documents == documents
    assert {each.shape[1] for each in step.cross} == {documents * step.weights.heads}


@torch.no_grad()
def test_a_document_is_held_once_whatever_the_samples(choose_policy):
    policy = choose_policy()
    encoded = policy.encode(*tiny_batch(policy))
    one, eight = (sum(each.numel() for each in Step(policy, encoded, k, 4).cross) for k in (1, 8))
    layers = len(Step(policy, encoded, 1, 4).cross)
    assert one == eight == layers * 2 * encoded.states.numel()


@torch.no_grad()
def test_nothing_of_the_model_changes(choose_policy):
    policy = choose_policy()
    before = {name: weight.clone() for name, weight in policy.state_dict().items()}
    encoded = policy.encode(*tiny_batch(policy))
    step = Step(policy, encoded, 2, TOKENS)
    for tokens in tokens_for(12).T:
        step(tokens)
    assert all(torch.equal(weight, before[name]) for name, weight in policy.state_dict().items())


class Traced:
    """As a CUDA graph does, calls the same operators on the same tensors again, whatever Python would say by then."""

    def __init__(self, run, *inputs):
        self.graph, self.inputs = make_fx(lambda *given: run(*given))(*inputs), inputs

    def __call__(self):
        return self.graph(*self.inputs)


@torch.no_grad()
def test_a_recorded_step_has_nothing_in_it_that_python_must_decide(choose_policy, monkeypatch):
    monkeypatch.setattr(lastmile.policy.recorded, "Recording", Traced)
    policy = choose_policy(dtype=torch.float64)
    encoded = policy.encode(*tiny_batch(policy))
    plain, recorded = (each(policy, encoded, 3, TOKENS) for each in (Step, RecordedStep))
    recorded.records = True
    alive, graphs = torch.arange(18), set()
    for place, tokens in enumerate(tokens_for(18).T):
        if place in LEAVING:
            stay = who_stays(alive, place)
            alive = alive[stay]
            plain.select(stay)
            recorded.select(stay)
        torch.testing.assert_close(recorded(tokens[alive]), plain(tokens[alive]), rtol=1e-5, atol=1e-5)
        graphs.add(recorded._recording)
    assert len(graphs) == 2


@pytest.mark.skipif(not torch.cuda.is_available(), reason="records on a GPU alone")
@torch.no_grad()
def test_a_recorded_step_replays_on_a_gpu(choose_policy):
    policy = choose_policy().to("cuda")
    encoded = policy.encode(*(each.to("cuda") for each in tiny_batch(policy)))
    plain, recorded = (each(policy, encoded, 3, TOKENS) for each in (Step, RecordedStep))
    alive = torch.arange(18, device="cuda")
    for place, tokens in enumerate(tokens_for(18).to("cuda").T):
        if place % 3 == 2:
            stay = torch.arange(0, len(alive), 2, device="cuda")
            alive = alive[stay]
            plain.select(stay)
            recorded.select(stay)
        torch.testing.assert_close(recorded(tokens[alive]), plain(tokens[alive]), rtol=1e-4, atol=1e-4)

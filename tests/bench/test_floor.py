"""Operations of the floor, by hand and against PyTorch's own counter."""

import pytest
import torch
from tiny import tiny_batch, tiny_policy
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from bench.floor import Phase, Rates, Sizes, sampling, scoring, training
from bench.lengths import check_lengths, documents, draw_lengths, planned_uniforms
from bench.shapes import build_policy
from lastmile.config import Sampling
from lastmile.errors import RunError
from lastmile.policy import products
from lastmile.policy.sample import sample
from lastmile.policy.score import score

TINY = Sizes.of("tiny")  # 2 + 2 layers, width 32, 4 heads of 8, feed-forward 64, 300 tokens


@pytest.fixture(autouse=True)
def torchs_own_products(monkeypatch):
    """The counter does not know oneDNN's."""
    monkeypatch.setattr(products, "HAS_ONEDNN", False)


def counted(work) -> int:
    """What PyTorch counts, attention taken apart into its products."""
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        work()
    return counter.get_total_flops()


def test_encoding_by_hand():
    # A layer has 4·32·32 weights of attention and 2·32·64 of feed-forward, 8,192 in all: 2·8,192 operations a token.
    # Scores and their use: 2 products of 2·32 operations for each of the 2·2 pairs of tokens, 512.
    assert TINY.encode(documents=1, tokens=2) == 2 * (2 * 2 * 8192 + 512) == 66_560


def test_one_written_token_by_hand():
    # Beside those 8,192 weights q and o of cross-attention, 2·32·32. Keys: 1 own and 3 of the document.
    # Then 32·300 of the output.
    assert TINY.write(rows=1, position=1, tokens=3) == 2 * (2 * 10_240 + 2 * 2 * 4 * 32) + 2 * 9600 == 61_184


def test_bytes_of_one_written_token_by_hand():
    # 2 layers of 10,240 weights, 9,600 of the output; keys and values of 2 layers, width 32: 5 rows of 2 tokens and
    # 3 documents of 7 tokens.
    assert TINY.write_bytes(5, 3, position=2, tokens=7, size=4) == 4 * (20_480 + 9600 + 2 * 2 * 32 * (5 * 2 + 3 * 7))


def test_sampling_is_what_pytorch_counts():
    policy = build_policy("tiny")
    ids, mask = documents(2, 7, 300, seed=0)
    lengths = [5] * 6

    def work():
        with torch.no_grad():
            rollout = sample(policy, policy.encode(ids, mask), planned_uniforms(lengths, 2, 5, 0), Sampling())
        check_lengths(rollout, lengths)

    # A row's room is read whole: 6 places at each of 5 tokens, not 1 to 5.
    wasted = 2 * 2 * 2 * 32 * len(lengths) * (5 * 6 - 15)
    phases = sampling(TINY, lengths, samples=3, tokens=7, size=4)
    assert sum(phase.operations for phase in phases) + wasted == counted(work)


@pytest.mark.parametrize("family, feed_forward_products", [("t5", 2), ("bart", 2), ("mt5", 3)])
def test_training_is_what_pytorch_counts(family, feed_forward_products):
    policy = tiny_policy(family)
    ids, mask = tiny_batch(policy)
    documents, tokens = ids.shape
    vocabulary = policy.output_weight.shape[0]
    summaries = torch.randint(3, vocabulary, (documents, 3, 6))
    lengths = [6] * (documents * 3)
    sizes = Sizes(2, 2, 32, 32, 64, feed_forward_products, vocabulary)

    def work():
        score(policy, policy.encode(ids, torch.ones_like(mask)), summaries, summaries > 0).sum().backward()

    # PyTorch multiplies the causal half of the scores that is masked too: 6·6 pairs a row, not 6·7/2.
    wasted = 3 * 2 * 2 * 2 * 32 * len(lengths) * (36 - 21)
    (phase,) = training(sizes, lengths, samples=3, tokens=tokens)
    assert phase.operations + wasted == counted(work)


def test_rows_that_ended_cost_nothing():
    long, mixed = (sampling(TINY, lengths, 2, 4, 4) for lengths in ([3, 3], [3, 1]))
    fewer = TINY.write(1, 2, 4) + TINY.write(1, 3, 4)
    assert sum(p.operations for p in long) - sum(p.operations for p in mixed) == fewer
    assert scoring(TINY, [3, 3], 2, 4) - scoring(TINY, [3, 1], 2, 4) == fewer


def test_a_phase_takes_the_longer_of_its_two():
    # 10 operations at 5 a second against 3 bytes at 1 a second; then 10 against 1.
    assert Rates(operations=5, bytes=1).seconds([Phase(10, 3), Phase(10, 1)]) == 3 + 2


def test_lengths_that_were_not_kept_are_an_error():
    policy = build_policy("tiny")
    ids, mask = documents(1, 4, 300, seed=0)
    rollout = sample(policy, policy.encode(ids, mask), planned_uniforms([2, 4], 1, 4, 0), Sampling())
    check_lengths(rollout, [2, 4])
    with pytest.raises(RunError, match=r"summaries of \[2, 4\] tokens were written, \[2, 3\] were planned"):
        check_lengths(rollout, [2, 3])


def test_lengths_stay_in_their_limits():
    lengths = draw_lengths(500, 20, seed=1)
    assert min(lengths) >= 2 and max(lengths) == 20
    assert 10 < sum(lengths) / 500 < 12

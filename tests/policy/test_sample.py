"""What is sampled is scored the same, row by row, for every family and any layout of the batch."""

import pytest
import torch
from tiny import FAMILIES, SENTENCES, forced_start_policy, tiny_batch, tiny_policy
from transformers import GenerationConfig

from lastmile.config import Sampling
from lastmile.policy.fold import Rows
from lastmile.policy.sample import greedy, keep, read_summaries, row_uniforms, sample
from lastmile.policy.score import score
from lastmile.policy.step import Step

IDS = "abcdef"
TRUNCATED = Sampling(temperature=0.6, top_k=20, top_p=0.9)


def encode(policy, texts=SENTENCES):
    with torch.no_grad():
        return policy.encode(*tiny_batch(policy, texts))


def draw_rollout(policy, settings=Sampling(), num_samples=8, length=12, ids=IDS):
    texts = [SENTENCES[IDS.index(i)] for i in ids]
    return sample(policy, encode(policy, texts), row_uniforms(1, 0, ids, num_samples, length), settings)


@pytest.fixture(params=[*FAMILIES, "bart with a forced start"])
def policy(request):
    return tiny_policy(request.param) if request.param in FAMILIES else forced_start_policy()


def test_greedy_equals_transformers_generate(policy):
    ids, mask = tiny_batch(policy)
    settings = GenerationConfig(
        max_new_tokens=12 + len(policy.prefix) - 1,
        do_sample=False,
        decoder_start_token_id=policy.prefix[0],
        forced_bos_token_id=policy.prefix[1] if len(policy.prefix) > 1 else None,
        eos_token_id=2,
        pad_token_id=0,
    )
    theirs = policy.model.generate(input_ids=ids, attention_mask=mask.long(), generation_config=settings)
    rollout = greedy(policy, policy.encode(ids, mask), 12)
    assert theirs[:, len(policy.prefix) :].tolist() == rollout.summary_ids[:, 0].tolist()
    assert len({tuple(row) for row in theirs.tolist()}) > 1


@pytest.mark.parametrize("settings", [Sampling(), TRUNCATED], ids=["plain", "truncated"])
def test_a_step_of_fixed_shape_samples_the_same(policy, settings):
    growing = draw_rollout(policy, settings)
    policy.cuda_graphs = True
    fixed = draw_rollout(policy, settings)
    assert torch.equal(growing.summary_ids, fixed.summary_ids)
    assert len(growing.summary_mask.sum(-1).unique()) > 2
    torch.testing.assert_close(growing.log_probs, fixed.log_probs, rtol=1e-4, atol=1e-4)


def test_greedy_log_probs_are_scores(policy):
    rollout = greedy(policy, encode(policy), 12)
    scores = score(policy, encode(policy), rollout.summary_ids, rollout.summary_mask)
    torch.testing.assert_close(rollout.log_probs, scores, rtol=1e-5, atol=1e-5)


def test_row07_the_decoder_start_of_bart_is_no_end_marker():
    policy = tiny_policy("bart")
    assert policy.prefix == (policy.eos_id,)
    rollout = draw_rollout(policy)
    assert rollout.summary_mask.shape[-1] > 1
    assert not rollout.ended.all()


@pytest.mark.parametrize("num_samples", [1, 8])
@pytest.mark.parametrize("settings", [Sampling(), TRUNCATED], ids=["plain", "truncated"])
def test_row03_scores_equal_the_samplers_log_probs(policy, settings, num_samples):
    rollout = draw_rollout(policy, settings, num_samples)
    assert num_samples == 1 or rollout.summary_mask.sum(-1).unique().numel() > 1
    scores = score(
        policy, encode(policy), rollout.summary_ids, rollout.summary_mask, settings.temperature, rollout.kept
    )
    torch.testing.assert_close(scores, rollout.log_probs, rtol=1e-5, atol=1e-5)


def test_row03_any_split_and_padding_gives_the_same_scores(policy):
    rollout = draw_rollout(policy)
    ids, mask = tiny_batch(policy)
    for documents in ([0], [1, 2], [5, 3, 4]):
        # This part's documents get 5 more places of padding than they need, and its summaries 3.
        part = [torch.nn.functional.pad(t[documents], (0, 5)) for t in (ids, mask)]
        summary = [torch.nn.functional.pad(t[documents], (0, 3)) for t in (rollout.summary_ids, rollout.summary_mask)]
        scores = score(policy, policy.encode(*part), *summary)
        torch.testing.assert_close(scores[..., :-3], rollout.log_probs[documents], rtol=1e-5, atol=1e-5)


def test_row04_short_rows_end_with_a_scored_end_marker(policy):
    rollout = draw_rollout(policy)
    lengths = rollout.summary_mask.sum(-1)
    assert rollout.ended.any()
    assert not rollout.ended.all()
    for ids, row_mask, log_probs, ended, length in zip(
        rollout.summary_ids.flatten(0, 1),
        rollout.summary_mask.flatten(0, 1),
        rollout.log_probs.flatten(0, 1),
        rollout.ended.flatten(),
        lengths.flatten(),
        strict=True,
    ):
        assert row_mask.tolist() == [True] * length + [False] * (12 - length)
        assert (log_probs[:length] < 0).all()
        assert not log_probs[length:].any()
        # The end marker stands last in a row that ended, and nowhere in one that was cut.
        assert (ids[:length] == policy.eos_id).nonzero().tolist() == ([[length - 1]] if ended else [])
        assert length == 12 or ended
        assert (ids[length:] == policy.pad_id).all()


def test_row01_kept_sets_are_those_of_the_sampling_distribution(policy):
    rollout = draw_rollout(policy, TRUNCATED, num_samples=3)
    ids, mask = rollout.summary_ids.flatten(0, 1), rollout.summary_mask.flatten(0, 1)
    documents, document_mask = (t.repeat_interleave(3, 0) for t in tiny_batch(policy))
    decoder_ids = torch.cat([torch.tensor(policy.prefix).expand(len(ids), -1), ids[:, :-1]], 1)
    logits = policy.model(
        input_ids=documents, attention_mask=document_mask.long(), decoder_input_ids=decoder_ids
    ).logits[:, len(policy.prefix) - 1 :][mask]
    allowed = keep(logits / 0.6, 20, 0.9)
    assert len(rollout.kept) == mask.sum()
    assert 1 < allowed.sum(-1).max() <= 20
    for tokens, row, drawn in zip(rollout.kept, allowed, ids[mask], strict=True):
        assert tokens[tokens >= 0].tolist() == row.nonzero()[:, 0].tolist()
        assert drawn in tokens
    renormalised = (logits / 0.6).masked_fill(~allowed, -torch.inf).log_softmax(-1).gather(-1, ids[mask][:, None])
    torch.testing.assert_close(rollout.log_probs.flatten(0, 1)[mask], renormalised[:, 0], rtol=1e-5, atol=1e-5)


def test_the_same_summaries_are_drawn_whatever_the_batch(policy):
    whole = draw_rollout(policy)
    for ids, num_samples in (("c", 8), ("fa", 8), ("edb", 3), ("fedcba", 1)):
        part = draw_rollout(policy, num_samples=num_samples, ids=ids)
        order = [IDS.index(i) for i in ids]
        width = part.summary_ids.shape[-1]
        assert torch.equal(part.summary_ids, whole.summary_ids[order, :num_samples, :width])
        assert torch.equal(part.summary_mask, whole.summary_mask[order, :num_samples, :width])
        assert not whole.summary_mask[order, :num_samples, width:].any()
    other_step = sample(policy, encode(policy), row_uniforms(1, 1, IDS, 8, 12), Sampling())
    assert not torch.equal(other_step.summary_ids, whole.summary_ids)


def test_samples_follow_the_models_distribution():
    policy, rows = tiny_policy("t5"), 2000
    encoded = encode(policy, SENTENCES[:1])
    first = sample(policy, encoded, row_uniforms(1, 0, "a", rows, 1), Sampling()).summary_ids.flatten()
    exact = policy.project(policy.decode(torch.tensor([policy.prefix]), encoded, Rows.grid(1, 1)))[0, -1].softmax(-1)
    shares = first.bincount(minlength=300) / rows
    # Five standard errors of a share of 2000 draws.
    assert ((shares - exact).abs() <= 5 * (exact * (1 - exact) / rows).sqrt() + 1 / rows).all()


def test_finished_rows_and_documents_leave(policy, monkeypatch):
    rows, documents, call = [], [], Step.__call__

    def note(self, tokens):
        rows.append(len(tokens))
        documents.append(self.cross[0].shape[1] // self.weights.heads)
        return call(self, tokens)

    monkeypatch.setattr(Step, "__call__", note)
    rollout = draw_rollout(policy, num_samples=4, length=30)
    first = len(policy.prefix) - 1
    # A step is for the token after it.
    assert rows[first:] == rollout.summary_mask.flatten(0, 1).sum(0).tolist()
    assert rows[-1] < rows[0] == 24
    # A document is held as long as one of its samples is being written.
    assert documents[first:] == rollout.summary_mask.any(1).sum(0).tolist()


def test_row05_dropout_is_off_in_evaluation_mode():
    policy = tiny_policy("bart", dropout=0.5, attention_dropout=0.5)
    rollout = draw_rollout(policy, num_samples=2)
    inputs = encode(policy), rollout.summary_ids, rollout.summary_mask
    torch.testing.assert_close(score(policy, *inputs), rollout.log_probs, rtol=1e-5, atol=1e-5)
    policy.train()
    assert (score(policy, *inputs) - rollout.log_probs).abs().max() > 0.1


def test_row06_drawn_ids_are_scored_not_those_of_the_text_read_again(policy):
    rollout = draw_rollout(policy, num_samples=1)
    again = [policy.tokenizer.encode(s[0].text, add_special_tokens=False) for s in read_summaries(policy, rollout)]
    drawn = [[token for token in row if token > 2] for row in rollout.summary_ids[:, 0].tolist()]
    assert sum(one != other for one, other in zip(again, drawn, strict=True)) > 3
    scores = score(policy, encode(policy), rollout.summary_ids, rollout.summary_mask)
    torch.testing.assert_close(scores, rollout.log_probs, rtol=1e-5, atol=1e-5)


def test_row06_a_spelling_that_the_tokenizer_would_merge_keeps_its_own_score():
    policy = tiny_policy("t5")
    merged = policy.tokenizer.encode(" the", add_special_tokens=False)
    letters = policy.tokenizer.convert_tokens_to_ids(list("Ġthe"))
    assert policy.tokenizer.decode(merged) == policy.tokenizer.decode(letters) == " the"
    assert len(merged) < len(letters) == 4
    encoded, ids = encode(policy, SENTENCES[:1]), torch.tensor([[letters]])
    ours = score(policy, encoded, ids, torch.ones_like(ids, dtype=torch.bool))[0, 0]
    document, mask = tiny_batch(policy, SENTENCES[:1])
    logits = policy.model(
        input_ids=document, attention_mask=mask.long(), decoder_input_ids=torch.tensor([[0, *letters[:-1]]])
    ).logits[0]
    torch.testing.assert_close(ours, logits.log_softmax(-1)[range(4), letters], rtol=1e-5, atol=1e-5)


def test_summaries_are_read_without_special_tokens():
    policy = tiny_policy("bart")
    rollout = draw_rollout(policy)
    summaries = read_summaries(policy, rollout)
    assert [[summary.ended for summary in row] for row in summaries] == rollout.ended.tolist()
    assert all("</s>" not in summary.text and "<pad>" not in summary.text for row in summaries for summary in row)
    ids = rollout.summary_ids[3, 5][rollout.summary_mask[3, 5]]
    assert summaries[3][5].text == policy.tokenizer.decode(ids, skip_special_tokens=True).strip()


def test_scores_under_autocast_stay_near_the_samplers(policy):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rollout = draw_rollout(policy)
        scores = score(policy, encode(policy), rollout.summary_ids, rollout.summary_mask)
    assert scores.dtype == torch.float32
    difference = (scores - rollout.log_probs)[rollout.summary_mask]
    # bfloat16 has 8 bits: logits near 8 are off by up to 1/32.
    assert difference.abs().mean() < 0.1
    assert difference.mean().abs() < 0.03

"""Going on from the beginning of a target: what is kept, what is drawn, how sure the model was."""

import math

import pytest
import torch
from tiny import SENTENCES, tiny_policy
from tokenizers.normalizers import Lowercase, Sequence

from lastmile.corpus.text import words
from lastmile.policy.rewrite import NEW_TOKENS, Rewriter
from lastmile.policy.sample import row_uniforms, write_on
from lastmile.policy.score import score

ROWS = [
    ("a", SENTENCES[0], "The council of"),
    ("b", SENTENCES[1], "Ann Lee"),
    ("c", SENTENCES[2] + " " + SENTENCES[3], ""),
    ("d", SENTENCES[4], "A new reading of the letters"),
]


@pytest.fixture(scope="module", params=["bart", "t5"])
def rewriter(request):
    return Rewriter(tiny_policy(request.param), "", 128)


def written(rewriter, rows, seed="1", **settings):
    return [done for _, done in sorted(rewriter.write_on(rows, seed, **settings), key=lambda one: one[0])]


def test_a_beginning_stays_and_has_no_probability(rewriter):
    for (_, _, begun), done in zip(ROWS, written(rewriter, ROWS), strict=True):
        given = len(words(begun))
        assert done.text.startswith(begun)
        assert len(done.sure) == len(words(done.text))
        # The last word given may have been written on: `Lee` becomes `Leeds`.
        assert done.sure[: max(given - 1, 0)] == (None,) * max(given - 1, 0)
        assert all(0 < p <= 1 for p in done.sure[given:])
    assert any(p is not None for done in written(rewriter, ROWS) for p in done.sure)


def test_the_seed_decides_and_neighbours_do_not(rewriter):
    together = written(rewriter, ROWS)
    assert written(rewriter, ROWS, "2") != together
    for row, done in zip(ROWS, together, strict=True):
        for alone in (written(rewriter, [row])[0], written(rewriter, [*ROWS[:1], row], batch_size=1)[-1]):
            assert alone.text == done.text
            assert [p is None for p in alone.sure] == [p is None for p in done.sure]
            assert [p for p in alone.sure if p is not None] == pytest.approx(
                [p for p in done.sure if p is not None], rel=1e-4
            )


def test_log_probabilities_are_those_of_the_model_behind_what_was_given(rewriter):
    policy, temperature = rewriter.policy, 0.7
    read = policy.tokenizer([SENTENCES[0]], return_tensors="pt")
    encoded = policy.encode(read["input_ids"], read["attention_mask"].bool())
    given = policy.tokenizer("The council", add_special_tokens=False)["input_ids"]
    begun = torch.tensor([[*given, -1]])
    uniforms = row_uniforms("1", 0, ["a"], 1, len(given) + 9)[:, 0]
    rollout = write_on(policy, encoded, begun, uniforms, temperature, 8)
    ids, mask = rollout.summary_ids, rollout.summary_mask
    assert ids[0, 0, : len(given)].tolist() == given
    assert mask.sum() <= len(given) + 9
    expected = score(policy, encoded, ids, mask, temperature)[0, 0]
    drawn = slice(len(given), min(int(mask.sum()), len(given) + 8))
    assert rollout.log_probs[0, 0, drawn].tolist() == pytest.approx(expected[drawn].tolist(), abs=1e-4)
    assert rollout.log_probs[0, 0, : len(given)].tolist() == [0.0] * len(given)


def test_a_word_has_the_product_of_its_tokens(rewriter):
    policy = rewriter.policy
    tokens = policy.tokenizer("We saw Norwich today", add_special_tokens=False)["input_ids"]
    log_probs = [-0.1 * (place + 1) for place in range(len(tokens))]
    done = rewriter._spelled([*tokens, policy.eos_id], 1, [*log_probs, -9.0])
    assert done.text == "We saw Norwich today"
    pieces = [len(policy.tokenizer.decode(tokens[: place + 1]).lstrip()) for place in range(len(tokens))]
    start, end = len("We saw "), len("We saw Norwich")
    own = [log_probs[place] for place, stop in enumerate(pieces) if start < stop <= end]
    assert len(own) > 1 and done.sure[2] == pytest.approx(math.exp(sum(own)))


def test_a_row_that_is_cut_loses_its_last_word(rewriter):
    policy = rewriter.policy
    tokens = (policy.tokenizer(" " + SENTENCES[0], add_special_tokens=False)["input_ids"] * 2)[: NEW_TOKENS + 1]
    text = policy.tokenizer.decode(tokens[:-1]).strip()
    done = rewriter._spelled([*tokens[:-1], policy.eos_id], 0, [-0.1] * len(tokens))
    assert len(tokens) == NEW_TOKENS + 1
    assert done.text == text[: words(text)[-1].start].rstrip()
    ended = rewriter._spelled([*tokens[:3], policy.eos_id], 0, [-0.1] * 4)
    assert ended.text == policy.tokenizer.decode(tokens[:3]).strip(), "what ended by itself is whole"


def test_spelling_is_that_of_the_tokenizer(rewriter):
    assert rewriter.spell(SENTENCES[1]) == SENTENCES[1]
    backend = rewriter.policy.tokenizer.backend_tokenizer
    kept = backend.normalizer
    try:
        backend.normalizer = Lowercase()
        assert rewriter.spell(SENTENCES[1]) == SENTENCES[1].lower()
    finally:
        backend.normalizer = kept or Sequence([])

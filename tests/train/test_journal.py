from __future__ import annotations

import json

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lastmile.errors import RunError
from lastmile.records import Example, Summary
from lastmile.train.journal import Journal


class AStage:
    """What a journal looks at of a stage."""

    name = "policy_gradient"
    documents_per_step = 8
    newest = ((("d1"), [Summary("a")], np.array([0.5, np.nan])),)


MEASURES = dict.fromkeys(("rouge1", "rouge2", "rougeL", "flag_rate", "flagged_words", "length_ratio", "held_out"), 0.25)


def rows(path, name="metrics.jsonl"):
    return [json.loads(line) for line in (path / name).read_text().split("\n") if line]


def test_numbers_samples_and_tensorboard(tmp_path, capfd):
    journal = Journal(tmp_path)
    example, odd = Example("d|1", "Doc.", ("A target.",)), "one\u2028line | with\x85breaks"
    with journal.stage("policy_gradient", 5):
        journal.validation(AStage(), 0, MEASURES, [example], [Summary(odd, ended=False)])
        journal.step(AStage(), 1, {"return": 1.5, "kl": float("nan"), "words": float("inf")})
    first, second = rows(tmp_path)
    assert first == {"stage": "policy_gradient", "step": 0, "split": "validation", **MEASURES}
    assert second.pop("documents_per_second") > 0
    assert second == {
        "stage": "policy_gradient", "step": 1, "split": "train", "return": 1.5, "kl": None, "words": None
    }  # fmt: skip
    assert rows(tmp_path, "samples.jsonl") == [
        {
            "stage": "policy_gradient",
            "step": 0,
            "id": "d|1",
            "summary": odd,
            "ended": False,
            "target": "A target.",
        }
    ]
    assert capfd.readouterr().err == (
        "policy gradient step 0: ROUGE-1/2/L 0.25/0.25/0.25, flagged 25.0% of summaries and 25.0% of words, "
        "length 0.25 of the targets', held-out measure 0.25\n"
    )
    board = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert board.Scalars("policy_gradient/train/return")[0].value == 1.5
    assert {"policy_gradient/words", "policy_gradient/sampled_total"} <= set(board.Tags()["histograms"])
    text = board.Tensors("policy_gradient/samples/text_summary")[0].tensor_proto.string_val[0].decode()
    assert "d\\|1" in text


def test_other_devices_write_nothing(tmp_path, capfd):
    journal = Journal(tmp_path, active=False)
    with journal.stage("policy_gradient", 5):
        journal.validation(AStage(), 0, MEASURES, [], [])
        journal.step(AStage(), 1, {"return": 1.5})
        journal.say("hello")
    assert list(tmp_path.iterdir()) == [] and capfd.readouterr().err == ""
    assert journal.last_step == {"policy_gradient": 1}


def test_a_resumed_journal_keeps_what_is_not_computed_again(tmp_path):
    lines = [("likelihood", 0), ("likelihood", 9), *(("policy_gradient", step) for step in (0, 4, 5))]
    written = [{"stage": stage, "step": step, "text": "a\u2028b"} for stage, step in lines]
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in written)
    for name in ("metrics.jsonl", "samples.jsonl"):
        (tmp_path / name).write_text(text + '{"stage": "policy_gra', encoding="utf-8")
    Journal(tmp_path, resume_at={"likelihood": 10**9, "policy_gradient": 4})
    for name in ("metrics.jsonl", "samples.jsonl"):
        assert [(row["stage"], row["step"]) for row in rows(tmp_path, name)] == lines[:4]
        assert all(row["text"] == "a\u2028b" for row in rows(tmp_path, name))


def test_a_stage_that_starts_anew_drops_its_first_validation_too(tmp_path):
    (tmp_path / "metrics.jsonl").write_text('{"stage": "likelihood", "step": 0}\n')
    Journal(tmp_path)
    assert rows(tmp_path) == []


def test_a_journal_that_cannot_write_says_so(tmp_path):
    journal = Journal(tmp_path)
    (tmp_path / "metrics.jsonl").mkdir()
    with pytest.raises(RunError, match=r"metrics\.jsonl: cannot be written: Is a directory"):
        journal.validation(AStage(), 0, MEASURES, [], [])

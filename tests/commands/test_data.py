"""`lastmile data` from outside."""

import json

import pytest


@pytest.fixture
def folder(tmp_path):
    for name, count in (("train", 30), ("dev", 5), ("test", 5)):
        texts = [f"The {name} [b]cat[/b] {n} sat." for n in range(count)]
        rows = [{"id": f"{name}{n}", "text": text, "summary": "A cat."} for n, text in enumerate(texts)]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def test_show_prints_examples_and_figures(run, folder):
    status, out, err = run("data", "show", folder, "--examples", "1")
    assert (status, err) == (0, "")
    assert "[b]cat[/b]" in out and "→ A cat." in out
    cells = next(line for line in out.splitlines() if "examples" in line).split("│")
    assert [cell.strip() for cell in cells[1:-1]] == ["examples", "30", "5", "5"]
    assert "words of a document" in out and "tokens" not in out


def test_show_as_json(run, folder):
    status, out, _ = run("data", "show", folder, "--json", "--examples", "2")
    report = json.loads(out)
    assert status == 0
    assert {split: figures["examples"] for split, figures in report["splits"].items()} == {
        "train": 30,
        "validation": 5,
        "test": 5,
    }
    assert len(report["fingerprint"]) == 64
    assert [example["targets"] for example in report["examples"]] == [["A cat."]] * 2
    assert report["splits"]["test"]["document_tokens"] is None


def test_check_of_a_clean_folder(run, folder):
    status, out, err = run("data", "check", folder)
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        "train: 30 usable examples",
        "validation: 5 usable examples",
        "test: 5 usable examples",
        "Nothing is wrong.",
    ]


def test_check_tells_what_is_wrong_and_leaves_with_2(run, folder):
    with (folder / "train.jsonl").open("a") as file:
        file.write('{"text": "", "summary": "s"}\n{"text": "The test [b]cat[/b] 1 sat.", "summary": "s"}\n')
    status, out, _ = run("data", "check", folder)
    assert status == 2
    assert "train.jsonl line 31: `text` is" in out and "in two splits" in out
    status, out, _ = run("data", "check", folder, "--json")
    assert status == 2
    splits = json.loads(out)["splits"]
    assert splits["train"] == {
        "examples": 31,
        "problems": [{"kind": "empty", "where": "train.jsonl line 31", "text": "`text` is empty"}],
    }
    assert splits["test"]["problems"] == [
        {"kind": "shared", "where": "test.jsonl line 2", "text": "same as train.jsonl line 32"}
    ]


@pytest.mark.parametrize("verb", ["show", "check"])
def test_bad_names_are_one_sentence(run, verb):
    status, out, err = run("data", verb, "gone.jsonl")
    assert (status, out, err) == (2, "", "gone.jsonl: no such file or folder\n")


@pytest.mark.parametrize("verb", ["show", "check"])
def test_columns_can_be_named(run, folder, verb):
    assert run("data", verb, folder, "--document-column", "text", "--summary-column", "id")[0] == 0
    status, _, err = run("data", verb, folder, "--document-column", "txt")
    assert status == 2 and "no column `txt`. Did you mean `text`?" in err


def test_show_counts_tokens_with_the_tokenizer_of_a_model(run, folder, tmp_path_factory):
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.WordLevel({"<unk>": 0, "A": 1, "The": 2}, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    place = tmp_path_factory.mktemp("model")
    PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>").save_pretrained(place)
    # "The test [b]cat[/b] 1 sat." is 5 tokens, 6 with the prefix; "A cat." is 2 and its end marker.
    options = ["--model", place, "--prefix", "tl;dr ", "--max-document-tokens", 5]
    status, out, _ = run("data", "show", folder, *options, "--json")
    figures = json.loads(out)["splits"]["test"]
    assert status == 0
    assert figures["document_tokens"] == {"mean": 6, "median": 6, "p95": 6, "longest": 6, "cut": 1.0}
    assert figures["target_tokens"] == {"mean": 3, "median": 3, "p95": 3, "longest": 3, "cut": 0.0}

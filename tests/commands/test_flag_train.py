"""`lastmile flag train` from outside, and its detector in `flag FILE --out`, `--check` and `--explain`."""

import json
import shutil

import pytest
from small import finished_run, tiny_checkpoint, write_corpus, write_rows

STORM = "A storm hit the coast of Wales on Monday. Twelve boats sank in the harbour, said Ann Smith."
ROWS = [
    {"source": STORM, "summary": "A storm hit the coast.", "label": 1, "spans": []},
    {"source": STORM, "summary": "Twelve boats sank.", "label": 1, "spans": []},
    {"source": STORM, "summary": "A storm hit Norway.", "label": 0, "spans": [[12, 18]]},
]
QUICK = ("--epochs", 1, "--max-tokens", 96, "--held-out", 6)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def detector(corpus, tmp_path_factory):
    """A detector of one epoch, with a threshold in the midst of its scores."""
    from lastmile.compare.learned import train_detector
    from lastmile.config import Data
    from lastmile.policy.detector import load_detector
    from lastmile.train.detector import Lessons

    out = tmp_path_factory.mktemp("detectors") / "detector"
    data = Data(name=str(corpus), shared_documents="drop")
    train_detector(data, out, None, 96, 0.9, 6, Lessons(1, 16, 1e-3, 1, 1))
    scores = load_detector(out).score([(row["source"], row["summary"]) for row in ROWS])
    settings = json.loads((out / "detector.json").read_text("utf-8"))
    settings["threshold"] = sorted(score for row in scores for score in row)[-3]  # three words are marked
    (out / "detector.json").write_text(json.dumps(settings), "utf-8")
    return out, settings["threshold"], scores


def test_train_writes_a_whole_folder_and_says_how_good(run, corpus, tmp_path):
    out = tmp_path / "new" / "detector"
    status, stdout, stderr = run("flag", "train", "--data", corpus, "--out", out, *QUICK)
    assert status == 0, stderr
    assert [path.name for path in out.parent.iterdir()] == ["detector"], "nothing left aside"
    names = {path.name for path in out.iterdir()}
    assert {"detector.json", "model.safetensors", "config.json", "tokenizer.json"} <= names
    assert not [name for name in names if name.endswith((".bin", ".pt", ".ckpt"))]
    assert "epoch 1 of 1" in stderr and "24/24" in stderr and "a second" in stderr
    found = json.loads((out / "detector.json").read_text("utf-8"))
    kinds = found["held_out"]["kinds"]
    assert "splice" in kinds and list(kinds)[-1] == "all"
    assert kinds["all"]["summaries"] == 6 + sum(row["summaries"] for kind, row in kinds.items() if kind != "all")
    assert found["held_out"]["none"]["summaries"] == 6
    assert all(kind in stdout for kind in kinds) and "no person judged them" in stdout
    assert found["training_documents"] == 24


def test_the_seed_decides(run, corpus, tmp_path):
    def trained(name, seed):
        out = tmp_path / name
        assert run("flag", "train", "--data", corpus, "--out", out, "--seed", seed, *QUICK)[0] == 0
        return (out / "model.safetensors").read_bytes()

    assert trained("a", 1) == trained("b", 1) != trained("c", 2)


def test_a_generator_s_own_slips_are_learnt_and_measured(run, corpus, tmp_path):
    def trained(name, *more):
        out = tmp_path / name
        status, stdout, stderr = run("flag", "train", "--data", corpus, "--out", out, *QUICK, *more)
        assert status == 0, stderr
        return json.loads((out / "detector.json").read_text("utf-8")), (out / "model.safetensors").read_bytes(), stdout

    generator = ("--generator", tiny_checkpoint(), "--generated", 10)
    found, weights, stdout = trained("a", *generator)
    told = found["generator"]
    assert (told["name"], told["temperature"]) == (str(tiny_checkpoint()), 0.7)
    assert 0 < told["with_a_wrong_word"] <= told["targets"] <= 10
    assert 0 < found["held_out"]["kinds"]["rewrite"]["summaries"] <= 6 and "rewrite" in stdout
    assert trained("b", *generator)[1] == weights != trained("c")[1]
    assert json.loads((tmp_path / "c" / "detector.json").read_text("utf-8"))["generator"] is None


def test_a_run_lends_its_likelihood_model(run, corpus, tmp_path):
    from lastmile.compare.learned import load_generator

    mine = finished_run()
    rewriter = load_generator(str(mine.path))
    assert rewriter.max_document_tokens == mine.recipe.data.max_document_tokens
    out = tmp_path / "detector"
    status, _, stderr = run(
        "flag", "train", "--data", corpus, "--out", out, *QUICK, "--generator", mine.path, "--generated", 4
    )
    assert status == 0, stderr
    told = json.loads((out / "detector.json").read_text("utf-8"))["generator"]
    assert told["weights"] == mine.manifest["weights"]["baseline"] != mine.manifest["weights"]["best"]


def test_rows_gain_the_learned_flag(run, detector, tmp_path):
    folder, threshold, scores = detector
    file, out = write_rows(tmp_path / "in.jsonl", ROWS), tmp_path / "out.jsonl"
    status, stdout, stderr = run("flag", file, "--out", out, "--detector", folder)
    assert status == 0, stderr
    written = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    marked = 0
    for row, doubts in zip(written, scores, strict=True):
        for flag in (flag for flag in row["flags"] if flag["name"] == "learned"):
            assert row["summary"][flag["start"] : flag["end"]] == flag["text"]
            marked += len(flag["text"].split())
        assert any(flag["name"] == "learned" for flag in row["flags"]) == (max(doubts) >= threshold)
    assert marked == 3
    assert "learned" in stdout
    assert "learned" not in run("flag", file, "--out", out)[1], "not without a detector"


def test_check_holds_it_against_people(run, detector, tmp_path):
    folder, threshold, scores = detector
    file = write_rows(tmp_path / "in.jsonl", ROWS)
    command = ("flag", file, "--check", "--bootstrap-samples", 100, "--detector", folder)
    found = json.loads(run(*command, "--json")[1])
    learned = found["groups"][0]["detectors"]["learned"]
    worst = [max(row) for row in scores]
    # One faulty summary against two: the share of the two whose worst word scores lower.
    assert learned["auc"]["value"] == sum(worst[2] > other for other in worst[:2]) / 2
    assert learned["raised"] == sum(score >= threshold for score in worst)
    # People marked one word, the fourth of the last summary; the detector marks three words of all.
    assert learned["spans"]["recall"]["value"] == float(scores[2][3] >= threshold)
    assert found["signature"]["threshold"]["learned"] == threshold
    assert "learned" in run(*command)[1]


def test_explain_shows_it(run, detector, tmp_path):
    file, page = write_rows(tmp_path / "in.jsonl", ROWS), tmp_path / "page.html"
    assert run("flag", file, "--explain", page, "--detector", detector[0])[0] == 0
    text = page.read_text("utf-8")
    assert 'class="span learned' in text and "learned: score 0." in text


def test_bad_input_is_named(run, corpus, tmp_path):
    out = tmp_path / "detector"
    command = ("flag", "train", "--data", corpus, "--out")
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "thesis.txt").write_text("years of work")
    assert run(*command, taken)[::2] == (2, f"`{taken}` is not an empty folder. Choose another with `--out`\n")
    status, _, stderr = run(*command, out, "--model", tmp_path / "nowhere")
    assert status == 2 and f"`{tmp_path / 'nowhere'}` is neither a folder here nor a model that" in stderr
    wrong = tmp_path / "no-model"
    status, _, stderr = run(*command, out, "--model", tmp_path / "nowhere", "--generator", wrong)
    told = stderr.splitlines()
    assert status == 2 and len(told) == 2, "both at once, and before the data are read"
    assert told[1].startswith(f"`{wrong}` is neither a folder here nor a model that could be fetched")
    mute = shutil.copytree(tiny_checkpoint(), tmp_path / "mute")
    for file in mute.glob("*token*"):
        file.unlink()
    status, _, stderr = run("flag", "train", "--data", tmp_path / "nothing.jsonl", "--out", out, "--generator", mute)
    assert status == 2 and stderr.startswith(f"`{mute}` has no ") and "tokenizer" in stderr
    assert run(*command, out, "--generated", 7)[::2] == (
        2, "`--generated` says how many targets `--generator` goes on with: give both, or neither\n"
    )  # fmt: skip
    status, _, stderr = run("flag", "train", "--data", tmp_path / "nothing.jsonl", "--out", out)
    assert (status, stderr) == (2, f"{tmp_path / 'nothing.jsonl'}: no such file or folder\n")
    bare = write_rows(tmp_path / "bare.jsonl", [{"document": STORM}] * 3)
    status, _, stderr = run("flag", "train", "--data", bare, "--out", out)
    assert status == 2 and "bare.jsonl: " in stderr and "summary" in stderr
    # No word of these can be made wrong, and there is no other sentence to splice in.
    dull = [{"document": f"{STORM} {number}", "summary": "Rain."} for number in range(20)]
    dull = write_rows(tmp_path / "dull.jsonl", dull)
    assert run("flag", "train", "--data", dull, "--out", out)[0] == 2
    assert run("flag", "train", "--data", dull, "--out", out)[2].endswith(
        f"`{dull}`: no validation or no test target could be spoiled. Give more examples\n"
    )
    file = write_rows(tmp_path / "in.jsonl", ROWS)
    assert run("flag", file, "--check", "--detector", tmp_path)[::2] == (
        2, f"`{tmp_path}` is no detector: it has no detector.json. `lastmile flag train` makes one\n"
    )  # fmt: skip
    assert not out.exists()

import json

import pytest
from rouge_score.rouge_scorer import RougeScorer

PREDICTIONS = ["Ships wait outside the harbour.", "", "The storm was passing quickly. Nobody was hurt in Zanzibar."]
TARGETS = ["Ships are waiting.", "The harbour is closed.", "The storm passed quickly; nobody was hurt."]
DOCUMENTS = ["Ships wait outside the harbour.", "The harbour closed.", "The storm passed quickly. Nobody was hurt."]


@pytest.fixture
def files(tmp_path):
    paths = {}
    for name, lines in (("predictions", PREDICTIONS), ("targets", TARGETS), ("documents", DOCUMENTS)):
        paths[name] = tmp_path / f"{name}.txt"
        paths[name].write_text("\n".join(lines) + "\n", encoding="utf-8")
    return paths


def options(files, *names):
    return [part for name in names for part in (f"--{name}", files[name])]


def test_json_has_metrics_with_intervals_and_a_signature(run, files):
    code, out, err = run("evaluate", *options(files, "predictions", "targets"), "--json", "--bootstrap-samples", 100)
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found["documents"] == 3
    scorer = RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=True)
    scores = [scorer.score(target, text) for target, text in zip(TARGETS, PREDICTIONS, strict=True)]
    for name in ("rouge1", "rouge2", "rougeL"):
        mean = 100 * sum(score[name].fmeasure for score in scores) / 3
        assert found["metrics"][name]["value"] == pytest.approx(mean, abs=1e-9)
        assert set(found["metrics"][name]) == {"value", "low", "high"}
    assert not any("flag" in name for name in found["metrics"]), "flags need documents"
    assert found["signature"]["bootstrap_samples"] == 100
    assert set(found["signature"]["sha256"]) == {"predictions", "targets"}


def test_documents_add_flags_and_novelty(run, files):
    code, out, _ = run("evaluate", *options(files, "predictions", "targets", "documents"), "--json")
    found = json.loads(out)["metrics"]
    assert code == 0
    assert found["flag/empty"]["value"] == pytest.approx(1 / 3)
    assert found["flag/unsupported_entity"]["value"] == pytest.approx(1 / 3)
    assert {"coverage", "density", "novel_2grams", "copied_trigrams"} <= set(found)


def test_the_table_is_for_people(run, files):
    code, out, _ = run("evaluate", *options(files, "predictions", "targets"))
    assert code == 0
    assert "3 documents" in out and "ROUGE-Lsum" in out and "rouge_score 0.1.2" in out
    assert max(map(len, out.splitlines())) <= 100


def test_seed_moves_the_interval_and_not_the_value(run, files):
    values = []
    for seed in (1, 1, 2):
        _, out, _ = run("evaluate", *options(files, "predictions", "targets"), "--json", "--seed", seed,
                        "--bootstrap-samples", 101)  # fmt: skip
        values.append(json.loads(out)["metrics"]["rouge1"])
    assert values[0] == values[1]
    assert values[0]["value"] == values[2]["value"]


def test_several_targets(run, files, tmp_path):
    targets = tmp_path / "targets.jsonl"
    rows = [{"targets": [target, text or "x"]} for target, text in zip(TARGETS, PREDICTIONS, strict=True)]
    targets.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = {}
    for several in ("best", "first"):
        command = ["--predictions", files["predictions"], "--targets", targets, "--several", several, "--json"]
        found[several] = json.loads(run("evaluate", *command)[1])["metrics"]["rouge1"]["value"]
    assert found["best"] == pytest.approx(100 * 2 / 3)
    assert found["first"] < found["best"]


def test_row24_unequal_lengths_are_an_error_with_both_numbers(run, files):
    """Checklist 24."""
    files["predictions"].write_text("\n".join(PREDICTIONS[:2]) + "\n")
    code, out, err = run("evaluate", *options(files, "predictions", "targets"))
    assert (code, out) == (2, "")
    assert err == (
        f"{files['predictions']} has 2 lines and {files['targets']} has 3: line n of both must belong together\n"
    )
    files["documents"].write_text("\n".join([*DOCUMENTS, "one more"]))
    files["predictions"].write_text("\n".join(PREDICTIONS))
    code, _, err = run("evaluate", *options(files, "predictions", "targets", "documents"))
    assert code == 2
    assert f"{files['documents']} has 4 lines" in err


def test_no_targets_at_all(run, files):
    files["predictions"].write_text("")
    files["targets"].write_text("")
    code, _, err = run("evaluate", *options(files, "predictions", "targets"))
    assert (code, err) == (2, f"{files['targets']}: no targets in it\n")


def test_a_missing_file_is_told(run, files, tmp_path):
    code, _, err = run("evaluate", "--predictions", tmp_path / "none.txt", "--targets", files["targets"])
    assert (code, err) == (2, f"{tmp_path}/none.txt: no such file\n")

"""`lastmile flag audit`: runs made by hand, whose tricks are known."""

import json

import numpy as np
import pytest
from small import small_recipe, write_rows

import lastmile.compare.audit
from lastmile.compare.audit import audit_run, how_avoided
from lastmile.compare.audit_tables import print_audit
from lastmile.compare.runs import corpus_of, decoded_file
from lastmile.compare.witness import witness_of
from lastmile.config import FLAG_NAMES
from lastmile.corpus.sources import load_corpus
from lastmile.errors import InputError
from lastmile.judge.consistency import Consistency
from lastmile.judge.measure import Statistic
from lastmile.judge.profile import TargetProfile
from lastmile.policy.detector import build_small_encoder
from lastmile.policy.load import weights_hash
from lastmile.train.run import RunFolder

PLACES = ("Genoa", "Hamburg", "Lisbon", "Bergen")
PROFILE = TargetProfile(3, 30, 10, 25, 1.0, True)
COUNT = 12


def story(number):
    return (
        f"The harbour of {PLACES[number % 4]} was busy on Monday. Traders sold {number} boats there, said Ann Smith. "
        "Rain is expected."
    )


def told(number):
    return f"Traders sold {number} boats in {PLACES[number % 4]}."


def false(number):
    """With a name that nobody has heard of."""
    return f"Traders sold {number} boats in {PLACES[number % 4]}, said Bob Miller."


def vague(number):
    return "Boats were sold."


def evasive(number):
    """The same name, so written that the flag does not see it."""
    return f"Traders sold {number} boats in {PLACES[number % 4]}, said bob miller."


@pytest.fixture
def make_run(tmp_path):
    """A run whose even documents were told falsely at first, and as `late` has it at last."""

    def make(late, **sections):
        starts = {"train": 100, "validation": 200, "test": 300}
        ids = {split: range(start, start + COUNT) for split, start in starts.items()}
        for split, numbers in ids.items():
            rows = [{"id": f"d{n}", "document": story(n), "summary": told(n)} for n in numbers]
            write_rows(tmp_path / "data" / f"{split}.jsonl", rows)
        recipe = small_recipe(tmp_path / "data", model=tmp_path / "no-model", **sections)
        run = RunFolder(tmp_path / "run")
        run.begin(recipe)
        run.write_profile(PROFILE)
        corpus = load_corpus(recipe.data)
        run.note(data={"fingerprint": corpus.fingerprint}, weights={"baseline": "first", "best": "second"})
        steps = {0: false, 5: told, 10: late}
        rows = [{"stage": "likelihood", "step": 0, "id": "d200", "summary": "x", "ended": True}]
        rows += [
            {
                "stage": "policy_gradient",
                "step": step,
                "id": f"d{n}",
                "summary": (told if n % 2 else write)(n),
                "ended": True,
            }
            for step, write in steps.items()
            for n in ids["validation"]
        ]
        write_rows(run.path / "samples.jsonl", rows)
        return run

    return make


@pytest.fixture
def known_witness(monkeypatch):
    """A witness that knows Bob Miller by any spelling."""

    def judge(document, summary, *, cased):
        return Consistency(0.2 if "miller" in summary.lower() else 0.9, {}, ())

    monkeypatch.setattr(lastmile.compare.audit, "judge_consistency", judge)


def by_name(rows, key="name"):
    return {row[key]: row for row in rows}


def test_vague_summaries_are_told_from_better_ones(make_run, known_witness):
    found = audit_run(make_run(vague).path, bootstrap_samples=200)
    assert found["witness"]["name"] == "doubt"
    (pair,) = found["pairs"]
    assert (pair["name"], pair["documents"]) == ("step 0 → step 10, validation documents", COUNT)
    entity = by_name(pair["flags"], "flag")["unsupported_entity"]
    assert (entity["early"], entity["late"], entity["gone"], entity["come"]) == (0.5, 0, 6, 0)
    # Outside of the flag `Traders sold 200 boats in Genoa, said` has seven words, and one name and one number.
    assert entity["where_gone"]["words"]["early"] == 7 and entity["where_gone"]["words"]["late"] == 3
    assert entity["where_gone"]["names_and_numbers"]["early"] == 2
    assert entity["where_gone"]["names_and_numbers"]["late"] == 0
    assert entity["how"] == ["shorter", "vaguer"]
    # The witness doubted half of them by 0.8, and all others by 0.1.
    assert entity["witness_moved"]["early"] == pytest.approx(0.45)
    assert entity["witness_moved"]["late"] == pytest.approx(0.1)
    measures = by_name(pair["measures"])
    # Six of nine words and six of six; then six of three.
    assert (measures["words"]["early"], measures["words"]["late"]) == ((9 + 6) / 2, (3 + 6) / 2)
    assert (measures["names"]["early"], measures["names"]["late"]) == ((3 + 1) / 2, (0 + 1) / 2)
    assert measures["words"]["low"] <= measures["words"]["delta"] <= measures["words"]["high"]
    assert measures["words"]["p"] <= measures["words"]["p_holm"]
    assert pair["suspicious"] == [], "the witness is content"


def test_faults_that_are_mended_are_called_so(make_run, known_witness):
    (pair,) = audit_run(make_run(lambda n: f"{told(n)[:-1]}, said Ann.").path, bootstrap_samples=200)["pairs"]
    entity = by_name(pair["flags"], "flag")["unsupported_entity"]
    assert entity["how"] == ["mended"]
    # Where nothing of the kind happened, nothing is said of how.
    assert by_name(pair["flags"], "flag")["unsupported_number"]["how"] == ["not rarer"]


def test_an_evaded_flag_is_found_by_the_witness(make_run, known_witness):
    run = make_run(evasive)
    found = audit_run(run.path, bootstrap_samples=200)
    entity = by_name(found["pairs"][0]["flags"], "flag")["unsupported_entity"]
    assert (entity["early"], entity["late"], entity["witness_moved"]["delta"]) == (0.5, 0, 0)
    assert entity["how"] == ["evaded"]


def test_the_most_suspicious_come_first(make_run, monkeypatch):
    def judge(document, summary, *, cased):
        worse = {"d202": 0.6, "d204": 0.1}
        number = next((id for id in worse if f"sold {id[1:]} boats" in summary and "miller" in summary), "")
        return Consistency(worse.get(number, 0.9), {}, ())

    monkeypatch.setattr(lastmile.compare.audit, "judge_consistency", judge)
    (pair,) = audit_run(make_run(evasive).path, bootstrap_samples=200)["pairs"]
    assert [row["id"] for row in pair["suspicious"]] == ["d204", "d202"]
    worst = pair["suspicious"][0]
    assert worst["early"] == false(204) and worst["late"] == evasive(204) and worst["document"] == story(204)
    assert worst["flags_gone"] == ["unsupported_entity"]
    assert worst["total"][1] > worst["total"][0] and worst["witness"] == pytest.approx([0.1, 0.9])


def test_test_summaries_of_a_comparison_are_taken_too(make_run, known_witness):
    run = make_run(vague)
    said = []
    assert len(audit_run(run.path, 100, say=said.append)["pairs"]) == 1
    assert said[0] == (
        f"{run.path} has no test summaries of both checkpoints: `lastmile compare {run.path}` adds them to the audit"
    )
    for weights, write in (("first", false), ("second", told)):
        file = decoded_file(run, weights, run.recipe.compare.decoding)
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps([[[write(n), True]] for n in range(300, 300 + COUNT)]))
    pairs = audit_run(run.path, 100)["pairs"]
    assert [pair["name"] for pair in pairs][1] == "likelihood → best checkpoint, test documents"
    assert by_name(pairs[1]["flags"], "flag")["unsupported_entity"]["gone"] == COUNT


def test_the_seed_decides(make_run, known_witness):
    run = make_run(vague)
    first, again, other = (audit_run(run.path, 100, seed)["pairs"] for seed in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize(
    ("rate", "there", "witness", "expected"),
    [
        (0.0, {}, -0.1, ["not rarer"]),
        (None, {}, -0.1, ["not rarer"]),
        (-0.1, {}, -0.1, ["too few to tell how"]),
        (-0.1, {}, 0.1, ["evaded"]),
        (-0.1, {"words": (-3, -1)}, -0.1, ["shorter"]),
        (-0.1, {"words": (-3, 1), "copied_trigrams": (-1, 1)}, -0.1, ["mended"]),
        (-0.1, {"words": (-3, 1)}, None, ["no trick seen"]),
        (-0.1, {"copied_trigrams": (1, 2), "names_and_numbers": (-2, -1)}, 0.0, ["copied more", "vaguer", "evaded"]),
        (-0.1, {"copied_trigrams": (-0.2, -0.1), "names_and_numbers": (1, 2)}, -0.1, ["mended"]),
        (-0.1, {"words": (None, None)}, -0.1, ["mended"]),
    ],
)
def test_words_for_how(rate, there, witness, expected):
    moved = {name: {"low": low, "high": high} for name, (low, high) in there.items()}
    assert how_avoided({"high": rate}, moved, None if witness is None else {"high": witness}) == expected


def test_the_witness_is_one_that_was_not_priced(tmp_path):
    recipe = small_recipe(tmp_path, model=tmp_path)
    assert witness_of(recipe, has_facts=True) == "wrong_facts"
    assert witness_of(recipe, has_facts=False) == "doubt"
    priced = recipe.model_copy(update={"penalties": {"consistency": 1.0, "unsupported_word": 0.5}})
    assert witness_of(priced, has_facts=False) == "flag/unsupported_entity"
    # A coefficient of 0 prices nothing.
    free = recipe.model_copy(update={"penalties": {"consistency": 1.0, "unsupported_word": 0.0}})
    assert witness_of(free, has_facts=False) == "flag/unsupported_word"
    every = recipe.model_copy(update={"penalties": dict.fromkeys(("consistency", *FLAG_NAMES), 1.0)})
    assert witness_of(every, has_facts=False) is None


def test_a_detector_bears_witness_unless_training_used_it(make_run, run, tmp_path):
    detector = build_small_encoder([story(n) for n in range(20)], 96, seed=1).eval()
    detector.save(tmp_path / "detector")
    made = make_run(vague)
    found = audit_run(made.path, 100, detector=tmp_path / "detector")
    assert found["witness"]["name"] == "detector"
    moved = next(row for row in found["pairs"][0]["measures"] if row["name"] == "detector")
    numbers = range(200, 200 + COUNT)
    pairs = [(story(n), (told if n % 2 else false)(n)) for n in numbers]
    assert moved["early"] == pytest.approx(np.mean([max(row) for row in detector.score(pairs)]), abs=1e-5)
    heard = {row["flag"]: row["witness"] for row in found["pairs"][0]["flags"]}
    assert heard["unsupported_entity"] == "detector" and heard["repetition"] == "repeated_trigrams"
    made.note(weights={"detector": weights_hash(detector)})
    assert run("flag", "audit", made.path, "--detector", tmp_path / "detector") == (
        2, "", f"`{tmp_path}/detector` is the detector that `{made.path}` was trained against, and no witness. "
        "Give one that was trained apart, with another `--seed`, `--model` or `--data`\n"
    )  # fmt: skip


def test_from_outside(make_run, run, monkeypatch):
    path = make_run(vague).path
    monkeypatch.setenv("COLUMNS", "160")
    status, out, err = run("flag", "audit", path, "--bootstrap-samples", 100)
    assert status == 0, err
    assert max(map(len, out.splitlines())) <= 100
    assert "Witness: doubt (1 − the calibrated probability of consistency" in out
    assert "unsupported" in out and "shorter" in out and "its witness" in out
    assert "step 0 → step 10, validation documents: 12 documents" in err
    status, out, _ = run("flag", "audit", path, "--bootstrap-samples", 100, "--json")
    assert json.loads(out)["priced"]["unsupported_entity"] == 0.5


def test_refusals(make_run, run, tmp_path):
    def refusal(path):
        status, out, err = run("flag", "audit", path)
        assert (status, out) == (2, "")
        return err.rstrip("\n")

    assert refusal(tmp_path) == f"`{tmp_path}` is not a run: it has no recipe.yaml. `lastmile tune` makes one"
    path = make_run(vague).path
    samples = path / "samples.jsonl"
    rows = samples.read_text().splitlines(keepends=True)
    samples.write_text("".join(rows[: 1 + COUNT]))
    assert refusal(path) == (
        f"{samples}: an audit needs summaries of two policy-gradient validations, an early and a late one; got 1"
    )
    samples.write_text("".join(rows) + "{")
    assert refusal(path).startswith(f"{samples} line {len(rows) + 1}: not readable as JSON")
    samples.unlink()
    assert refusal(path) == f"`{path}` has no samples.jsonl: it has not come to its first validation"
    samples.write_text("".join(rows).replace('"d2', '"other-2'))
    assert refusal(path) == f"{samples}: none of its documents is a validation document of `{tmp_path}/data`"
    write_rows(tmp_path / "data" / "test.jsonl", [{"id": "x", "document": story(999), "summary": told(999)}])
    assert "changed since" in refusal(path) and "Bring the old data back" in refusal(path)


def test_nothing_to_audit_is_a_table_too(make_run, capsys):
    """Every summary stayed as it was."""
    found = audit_run(make_run(false).path, 100)
    print_audit(found)
    assert all(row["how"] == ["not rarer"] for row in found["pairs"][0]["flags"])
    assert "return before KL" in capsys.readouterr().out


def test_a_run_of_before_is_recognised_by_its_data(make_run):
    run = make_run(vague)
    run.note(data={"fingerprint": "0" * 64})
    with pytest.raises(InputError, match="changed since"):
        corpus_of(run)


def test_a_summary_that_could_not_be_scored_rises_by_nothing():
    early = Statistic(np.array([1.0, 0.0, 3.0]), np.array([1.0, 0.0, 1.0]))
    late = Statistic(np.array([2.0, 5.0, 0.0]), np.array([1.0, 1.0, 0.0]))
    assert lastmile.compare.audit._rise(early, late).tolist() == [1.0, 0.0, 0.0]

"""`lastmile flag --check`: detectors against labels, in a table and as JSON; rows that cannot be used, by line."""

import gzip
import json

import pytest

from lastmile.judge.consistency import judge_consistency, thresholds

STORM = "A storm hit the coast of Wales on Monday. Twelve boats sank in the harbour, said Ann Smith."
BRIDGE = "The council met on Friday. It approved the new bridge over the river for 20 million pounds."
GOOD = {STORM: "A storm hit the coast of Wales.", BRIDGE: "The council approved the new bridge."}
BAD = {STORM: "A storm hit Norway.", BRIDGE: "The council refused 50 million pounds."}


def rows():
    """Four of each kind; the flags find three of the four faults, and raise nothing else but words."""
    for number in range(2):
        for document in (STORM, BRIDGE):
            bad = BAD[document] if number or document == STORM else "The mayor voted against it."
            where = {"dataset": "news" if document == STORM else "town", "model": f"m{number}", "split": "valid"}
            theirs = {"other": 0.9 - 0.1 * number, "tie": 1}
            yield {**where, "source": document, "summary": GOOD[document], "label": 1, "spans": [], "scores": theirs}
            spans = [[bad.index("Norway"), bad.index("Norway") + 6]] if "Norway" in bad else [{"start": 0, "end": 3}]
            yield {
                **where, "source": document, "summary": bad, "label": 0, "spans": spans,
                "scores": {"other": 0.2 + 0.65 * number, "tie": None if number else 1},
            }  # fmt: skip


def write(path, lines):
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines), "utf-8")
    return path


@pytest.fixture
def labelled(tmp_path):
    return write(tmp_path / "labelled.jsonl", rows())


def test_json_has_every_figure(run, labelled):
    status, out, err = run("flag", labelled, "--check", "--json", "--bootstrap-samples", 100)
    assert status == 0, err
    assert "8 labelled summaries" in err
    found = json.loads(out)
    assert [(g["dataset"], g["model"], g["rows"], g["documents"]) for g in found["groups"]] == [
        ("", "", 8, 2), ("news", "", 4, 1), ("news", "m0", 2, 1), ("news", "m1", 2, 1),
        ("town", "", 4, 1), ("town", "m0", 2, 1), ("town", "m1", 2, 1),
    ]  # fmt: skip
    everything, news = found["groups"][:2]
    assert (everything["consistent"], everything["inconsistent"], everything["undefined"]) == (4, 4, "")
    # A wrong name in both faulty summaries of the storm and in no other: all are told apart.
    entity = news["detectors"]["unsupported_entity"]
    assert entity["auc"]["value"] == 1 and entity["balanced_accuracy"]["value"] == 1 and entity["raised"] == 2
    # People marked `Norway` and the flag marks just that word.
    assert {part: row["value"] for part, row in entity["spans"].items()} == {"precision": 1, "recall": 1, "f1": 1}
    # Half the faults of all: AUC = ½ + ½ · ½, balanced accuracy (½ + 1) / 2.
    entity = everything["detectors"]["unsupported_entity"]
    assert (entity["auc"]["value"], entity["balanced_accuracy"]["value"]) == (0.75, 0.75)
    assert everything["detectors"]["empty"]["auc"] == {"value": 0.5, "low": 0.5, "high": 0.5}
    assert everything["detectors"]["empty"]["spans"]["precision"] is None, "it marks no word"
    # Higher is more consistent. Faulty 0.2 lies below all of 0.9, 0.9, 0.8, 0.8 and 0.85 below two: 12 of 16 pairs.
    assert everything["others"]["other"]["auc"]["value"] == 0.75
    assert (everything["others"]["tie"]["rows"], everything["others"]["tie"]["auc"]["value"]) == (6, 0.5)
    rivals = {row["b"]: row for row in everything["differences"]}
    assert list(rivals) == ["coverage", "density", "novel_2grams", "other", "tie"]
    other = rivals["other"]
    assert other["delta"] == pytest.approx(other["value_a"]["value"] - 0.75)
    assert other["low"] <= other["delta"] <= other["high"] and other["p"] <= other["p_holm"]
    assert rivals["tie"]["rows"] == 6
    # All words of `A storm hit the coast of Wales.` stand in the document in this order.
    assert everything["extractiveness"]["consistent"]["coverage"]["value"] > 0.9
    assert everything["extractiveness"]["inconsistent"]["coverage"]["value"] < 0.9
    assert found["signature"]["consistency_fitted_on"] not in ("", "unknown")
    # Holm over five rivals wants 5 · 200 resamples.
    assert found["signature"]["bootstrap_samples"] == 1000


def test_alarms_at_the_thresholds_for_a_precision(run, tmp_path):
    # One good summary called faulty, and the other way round: neither precision nor recall can be 1.
    strange = [
        {"source": STORM, "summary": GOOD[STORM], "label": 0},
        {"source": BRIDGE, "summary": BAD[STORM], "label": 1},
    ]
    labelled = write(tmp_path / "labelled.jsonl", both := [*rows(), *strange])
    status, out, err = run("flag", labelled, "--check", "--json", "--bootstrap-samples", 100)
    assert status == 0, err
    found = json.loads(out)
    everything = found["groups"][0]
    assert list(everything["alarms"]) == ["consistency", "consistency, precision 0.8", "consistency, precision 0.9"]
    judged = [(row["label"] == 0, judge_consistency(row["source"], row["summary"])) for row in both]
    for (name, alarms), target in zip(everything["alarms"].items(), (None, 0.8, 0.9), strict=True):
        raised = [faulty for faulty, what in judged if what.inconsistent(target)]
        assert 0 < sum(raised) < len(raised) == alarms["raised"]
        assert alarms["precision"]["value"] == sum(raised) / len(raised)
        assert alarms["recall"]["value"] == sum(raised) / 5
        assert found["signature"]["threshold"][name] == thresholds(target)
    assert everything["alarms"]["consistency"]["raised"] == everything["detectors"]["consistency"]["raised"]
    words = [row["words"]["recall"]["value"] for row in everything["alarms"].values()]
    assert words == sorted(words, reverse=True)
    assert "consistency, precision 0.9" not in everything["detectors"], "its AUC is that of `consistency`"


def test_the_seed_decides(run, labelled):
    command = ("flag", labelled, "--check", "--json", "--bootstrap-samples", 100)
    first, again, other = (run(*command, "--seed", seed)[1] for seed in (1, 1, 2))
    assert first == again != other


def test_table_fits_and_says_what_it_means(run, labelled, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    status, out, _ = run("flag", labelled, "--check", "--bootstrap-samples", 100)
    assert status == 0
    assert max(map(len, out.splitlines())) <= 100
    assert "news: 4 summaries of 1 document, 2 consistent, 2 not" in out
    assert "consistency, precision 0.9" in out and "alarms of" in out
    assert "F1 of words" in out and "its AUC" in out and "novel bigrams" in out
    assert "town m0" in " ".join(out.split()), "the names of the groups find room beside all columns"
    assert "Copying alone often does well" in out


def test_split_gzip_csv_labels_and_spans_from_one(run, tmp_path):
    kept = [{**row, "spans": [[s[0] + 1, s[1] + 1] for s in row["spans"] if isinstance(s, list)]} for row in rows()]
    file = tmp_path / "rows.jsonl.gz"
    with gzip.open(file, "wt", encoding="utf-8") as lines:
        lines.writelines(json.dumps(row) + "\n" for row in [*kept, {"split": "test", "label": "unusable"}])
    command = ("flag", file, "--check", "--json", "--bootstrap-samples", 100, "--split", "valid")
    found = json.loads(run(*command, "--spans-from", 1)[1])
    entity = found["groups"][1]["detectors"]["unsupported_entity"]
    assert entity["spans"]["f1"]["value"] == 1
    # The first character, counted from 1, is the word `A`; counted from 0, [1, 2) is the space behind it.
    first = [{"source": BRIDGE, "summary": "A storm.", "label": label, "spans": [[1, 2]]} for label in (0, 1)]
    command = ("flag", write(tmp_path / "first.jsonl", first), "--check", "--json", "--bootstrap-samples", 100)
    recalls = [
        json.loads(run(*command, "--spans-from", start)[1])["groups"][0]["detectors"]["empty"]["spans"]["recall"]
        for start in (0, 1)
    ]
    assert recalls == [None, {"value": 0, "low": 0, "high": 0}]
    assert run("flag", file, "--check", "--split", "vaild")[2] == (
        "rows.jsonl.gz: no row has `split` `vaild`; there are `test`, `valid`. Did you mean `valid`?\n"
    )
    assert run("flag", file, "--check")[0] == 2
    table = tmp_path / "rows.csv"
    table.write_text(f'document,summary,label\n"{STORM}",A storm hit.,1\n"{STORM}",A storm hit Norway.,0\n')
    assert run("flag", table, "--check", "--bootstrap-samples", 100)[0] == 0


def test_votes_of_several_annotators(run, tmp_path):
    spans = [[12, 18], [12, 18], [0, 18]]
    lines = [{"source": STORM, "summary": "A storm hit Norway.", "label": label, "spans": spans} for label in (0, 1)]
    file = write(tmp_path / "rows.jsonl", lines)

    def recall(votes):
        out = run("flag", file, "--check", "--json", "--span-votes", votes, "--bootstrap-samples", 100)[1]
        return json.loads(out)["groups"][0]["detectors"]["unsupported_entity"]["spans"]["recall"]

    # One annotator marked all four words, two others `Norway` alone.
    assert recall(1)["value"] == 1 / 4
    assert recall(2)["value"] == 1
    assert recall(4) is None


def test_votes_are_of_annotators_where_spans_name_them(run, tmp_path):
    summary = "A storm hit Norway."
    # Ann marks `Norway` twice, Ben `storm hit Norway`; worker 7 `A`, and so does somebody without a name.
    spans = [
        {"start": 12, "end": 18, "annotator": "Ann"}, {"start": 12, "end": 19, "annotator": "Ann"},
        {"start": 2, "end": 18, "annotator": "Ben"}, {"start": 0, "end": 1, "worker": 7},
        {"start": 0, "end": 1, "worker": None},
    ]  # fmt: skip
    lines = [{"source": STORM, "summary": summary, "label": label, "spans": spans} for label in (0, 1)]
    file = write(tmp_path / "rows.jsonl", lines)

    def recall(votes):
        out = run("flag", file, "--check", "--json", "--span-votes", votes, "--bootstrap-samples", 100)[1]
        return json.loads(out)["groups"][0]["detectors"]["unsupported_entity"]["spans"]["recall"]

    assert recall(1)["value"] == 1 / 4
    assert recall(2)["value"] == 1 / 2  # `A` and `Norway`
    assert recall(3) is None, "Ann is one person, however often she marks a word"
    lines[0]["spans"] = [{"start": 0, "end": 1, "worker": ["Ann"]}]
    err = run("flag", write(file, lines), "--check")[2]
    assert err.splitlines()[0] == (
        "rows.jsonl line 1: `spans[0]` must name its annotator by text or a number, got list"
    )


@pytest.mark.parametrize("with_text", [True, False])
def test_spans_that_count_from_another_number_are_noticed(run, tmp_path, with_text):
    summary = "A storm hit Norway and Wales"

    def lines(base, odd=()):
        for label, (start, end) in enumerate([(2, 7), (12, 18), (23, 28), (0, 1), (8, 11), *odd] * 2):
            span = {"start": start + base, "end": end + base} | ({"text": summary[start:end]} if with_text else {})
            yield {"source": STORM, "summary": summary, "label": label % 2, "spans": [span]}

    def check(base, *options, odd=()):
        file = write(tmp_path / "x.jsonl", lines(base, odd))
        return run("flag", file, "--check", "--json", "--bootstrap-samples", 100, *options)

    seem = (
        "`spans` seem to count from 1: so read, 10 of 10 hold whole words or their own `text`, and 0 if read from 0. "
        "Give `--spans-from 1`"
    )
    # Read from 0 the spans of `Wales` end behind the summary; without them nothing would show.
    status, out, err = check(1)
    assert (status, out, err.splitlines()[-1]) == (2, "", f"x.jsonl: {seem}")
    status, out, err = check(1, "--skip-bad-spans")
    assert (status, out, err) == (2, "", f"x.jsonl: {seem} (or `--spans-from 0`, if they are meant so)\n")
    status, out, err = check(1, "--skip-bad-spans", "--spans-from", 0)
    assert status == 0 and json.loads(out)["doubt"] == seem and seem in err, "who insists is told"
    status, out, err = check(0, "--skip-bad-spans", "--spans-from", 1)
    assert status == 0 and "`spans` seem to count from 0: so read, 10 of 10" in err
    for base in (0, 1):
        status, out, err = check(base, "--spans-from", base)
        assert status == 0 and json.loads(out)["doubt"] is None and "seem" not in err
    # Parts of words, as some mark endings: not from 1 either.
    status, out, err = check(0, odd=[(14, 16), (9, 11), (3, 6), (24, 26), (24, 27), (13, 17)])
    assert status == 0 and "seem" not in err


def test_a_summary_without_words_is_no_copy_and_no_invention(run, tmp_path):
    lines = [*rows(), {"source": STORM, "summary": " ", "label": 1}, {"source": STORM, "summary": "Storm!", "label": 1}]
    lines = [{name: row[name] for name in ("source", "summary", "label")} for row in lines]
    status, out, err = run("flag", write(tmp_path / "x.jsonl", lines), "--check", "--json", "--bootstrap-samples", 100)
    assert status == 0, err
    (group,) = json.loads(out)["groups"]
    assert group["rows"] == 10 and group["detectors"]["empty"]["rows"] == 10
    assert {name: group["detectors"][name]["rows"] for name in ("coverage", "density", "novel_2grams")} == {
        "coverage": 9, "density": 9, "novel_2grams": 8,
    }  # fmt: skip
    assert {row["b"]: row["rows"] for row in group["differences"]} == {"coverage": 9, "density": 9, "novel_2grams": 8}
    assert group["extractiveness"]["consistent"]["coverage"]["value"] > 0.9, "the mean of those that have one"
    mute = [{**row, "summary": ""} for row in lines]
    status, out, err = run("flag", write(tmp_path / "x.jsonl", mute), "--check", "--json", "--bootstrap-samples", 100)
    assert status == 0, err
    (group,) = json.loads(out)["groups"]
    assert group["differences"] == [] and group["detectors"]["coverage"] == {"rows": 0, "auc": None}
    assert run("flag", tmp_path / "x.jsonl", "--check", "--bootstrap-samples", 100)[0] == 0


@pytest.mark.parametrize("rich", ["0", "1"])
def test_help_names_every_flag_whole(run, monkeypatch, rich):
    import os
    import subprocess
    import sys

    from lastmile.config import FLAG_NAMES

    where = {**os.environ, "TYPER_USE_RICH": rich, "COLUMNS": "80", "TERMINAL_WIDTH": "80", "NO_COLOR": "1"}
    command = [sys.executable, "-m", "lastmile", "flag", "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, env=where, check=True).stdout
    option = shown[shown.index("--flags ") : shown.index("--detector ")].replace("│", " ")
    assert [name for name in FLAG_NAMES if name not in option.replace(",", " ").replace(".", " ").split()] == []
    assert "[default: all]" in " ".join(option.split()).replace("(all)", "all")


def test_a_group_of_one_kind_says_that_it_is_undefined(run, tmp_path):
    lines = [{**row, "dataset": "only bad" if row["label"] == 0 else "both"} for row in rows()]
    lines.append({**lines[-1], "dataset": "both"})
    status, out, _ = run("flag", write(tmp_path / "x.jsonl", lines), "--check", "--bootstrap-samples", 100)
    assert status == 0
    assert "Undefined: AUC and balanced accuracy: every label is 0" in " ".join(out.split())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": None}, "a `label` is wanted: 1 for consistent, 0 for not; got none"),
        ({"label": 2}, "`label` must be 1 (consistent) or 0 (not), got `2`"),
        ({"label": "yes"}, "`label` must be 1 (consistent) or 0 (not), got `yes`"),
        ({"label": [1]}, "`label` must be 1 (consistent) or 0 (not), got `[1]`"),
        ({"spans": "3-5"}, "`spans` must be a list of `{start, end}` or `[start, end]`, got str"),
        ({"spans": [[1, "2"]]}, "`spans[0]` must have a whole number as `start` and as `end`"),
        ({"spans": [{"start": 1}]}, "`spans[0]` must have a whole number as `start` and as `end`"),
        (
            {"spans": [[0, 2], [3, 99]]},
            "`spans[1]` is 3 to 99, but the summary has characters 0 to 19 (end exclusive)",
        ),
        (
            {"spans": [[13, 20]]},
            "`spans[0]` is 13 to 20, but the summary has characters 0 to 19 (end exclusive). Do they count from 1? "
            "`--spans-from 1`",
        ),
        ({"scores": [1]}, "`scores` must map each detector to a number, got list"),
        ({"baseline_metrics": {"x": "high"}}, "`baseline_metrics`: `x` must be a number, or null where there is none, "
         "got `high`"),
    ],
)  # fmt: skip
def test_bad_rows_are_named(run, tmp_path, change, message):
    bad = {"source": STORM, "summary": "A storm hit Norway.", "label": 0} | change
    status, out, err = run("flag", write(tmp_path / "x.jsonl", [*rows(), bad, "", bad]), "--check")
    assert (status, out) == (2, "")
    assert err.splitlines()[:2] == [f"x.jsonl line 9: {message}", f"x.jsonl line 11: {message}"]


def test_all_that_is_wrong_with_a_row_is_said_at_once(run, tmp_path):
    file = write(tmp_path / "x.jsonl", [{"source": " ", "summary": 3, "label": 7, "spans": 1, "scores": {"a": True}}])
    lines = run("flag", file, "--check")[2].splitlines()
    assert [line.removeprefix("x.jsonl line 1: ") for line in lines] == [
        "`source` is empty",
        "`summary` must be text, got int",
        "`label` must be 1 (consistent) or 0 (not), got `7`",
        "`spans` must be a list of `{start, end}` or `[start, end]`, got int",
        "`scores`: `a` must be a number, or null where there is none, got `True`",
    ]


def test_other_bad_input(run, labelled, tmp_path):
    def refusal(*arguments):
        status, out, err = run("flag", *arguments)
        assert (status, out) == (2, "")
        return err

    one = write(tmp_path / "one.jsonl", [row for row in rows() if row["label"] == 1])
    assert refusal(one, "--check") == (
        "one.jsonl: AUC and balanced accuracy are undefined, for every `label` is 1. Add summaries with label 0\n"
    )
    empty = write(tmp_path / "empty.jsonl", [])
    assert refusal(empty, "--check") == "empty.jsonl: at least one row is wanted, got none\n"
    assert refusal(labelled) == (
        "`lastmile flag FILE` needs one of `--out FILE`, `--check` and `--explain FILE`, got none\n"
    )
    assert refusal(labelled, "--check", "--out", tmp_path / "o.jsonl") == (
        "`lastmile flag FILE` needs one of `--out FILE`, `--check` and `--explain FILE`, got `--out` and `--check`\n"
    )
    hint = "not for this; `lastmile flag --help` says for what"
    assert refusal(labelled, "--check", "--flags", "copy") == f"`--flags`: {hint}\n"
    assert refusal(labelled, "--out", tmp_path / "o.jsonl", "--split", "a", "--spans-from", 1).splitlines() == [
        f"`--split`: {hint}",
        f"`--spans-from`: {hint}",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty.jsonl", "labelled.jsonl", "one.jsonl"]


def test_spans_outside_of_their_summary_can_be_left_out(run, tmp_path):
    bad = {"source": STORM, "summary": "A storm hit Norway.", "label": 0, "spans": [[0, 1], [12, 99]]}
    file = write(tmp_path / "x.jsonl", [*rows(), bad])
    status, out, err = run("flag", file, "--check")
    assert (status, out) == (2, "")
    assert err.splitlines()[-1] == "x.jsonl: `--skip-bad-spans` takes such rows (1) for not marked"
    status, out, err = run("flag", file, "--check", "--skip-bad-spans", "--json", "--bootstrap-samples", 100)
    assert status == 0
    assert "x.jsonl: 1 rows whose spans lie outside of the summary have no part in the figures of words" in err
    found = json.loads(out)
    assert found["rows_with_bad_spans"] == 1
    assert (found["groups"][0]["rows"], found["groups"][0]["rows_with_spans"]) == (9, 8)
    assert found["groups"][1]["dataset"] == "news" and found["groups"][-1]["dataset"] == "(no data set)"
    file = write(tmp_path / "y.jsonl", [*rows(), {**bad, "spans": 3}])
    assert run("flag", file, "--check", "--skip-bad-spans")[0] == 2, "what is no list is no matter of places"


def test_what_must_not_end_in_a_traceback(run, tmp_path):
    file = write(tmp_path / "x.jsonl", [*rows(), {**next(rows()), "scores": {"x": 10**400}}])
    status, _, err = run("flag", file, "--check")
    assert status == 2 and "`scores`: `x` must be a number, or null where there is none" in err
    lines = [{**row, "dataset": "half \ud800"} for row in rows()]
    assert run("flag", write(tmp_path / "y.jsonl", lines), "--check", "--json", "--bootstrap-samples", 100)[0] == 0
    table = tmp_path / "rows.csv"
    table.write_text(f'document,summary,label,spans\n"{STORM}",A storm hit.,1,\n"{STORM}",A storm hit Norway.,0,\n')
    assert run("flag", table, "--check", "--bootstrap-samples", 100)[0] == 0


def test_options_of_the_check_are_refused_elsewhere(run, labelled, tmp_path):
    options = ("--seed", 2, "--bootstrap-samples", 100, "--skip-bad-spans")
    status, _, err = run("flag", labelled, "--out", tmp_path / "o.jsonl", *options)
    assert status == 2
    assert [line.split(":")[0] for line in err.splitlines()] == [
        "`--skip-bad-spans`",
        "`--bootstrap-samples`",
        "`--seed`",
    ]

"""Rewards and penalties put together; the user's own reward held to its contract."""

import math
import sys
import types

import numpy as np
import pytest
from rouge_score import rouge_scorer

from lastmile.config import FLAG_NAMES, LengthReward, PythonReward, RougeReward
from lastmile.errors import InputError, RunError, ShapeError
from lastmile.judge.judge import Judge
from lastmile.judge.learned import Learned
from lastmile.judge.measure import measure
from lastmile.judge.profile import TargetProfile
from lastmile.judge.python_reward import load_python_reward
from lastmile.records import Example, Summary

PROFILE = TargetProfile(2, 6, 4, 3, 1.0, True)
STORM = Example("a", "A storm hit the coast. Two boats sank.", ("A storm sank two boats.", "Boats sank in a storm."))
BRIDGE = Example("b", "The bridge will be closed on Monday.", ("The bridge closes.",))
LONELY = Example("c", "Rain fell.", ())
ROUGE = RougeReward(kind="rouge")


@pytest.fixture
def own(monkeypatch):
    """Put functions into a module `own_rewards` and return their recipe entries by name."""

    def install(**functions):
        module = types.ModuleType("own_rewards")
        for name, function in functions.items():
            setattr(module, name, function)
        monkeypatch.setitem(sys.modules, "own_rewards", module)
        return [PythonReward(kind="python", path=f"own_rewards:{name}") for name in functions]

    return install


def texts(*rows):
    return [[Summary(text) for text in row] for row in rows]


def test_total_by_hand():
    judge = Judge([RougeReward(kind="rouge", weight=2.0, types=("rouge1",))], {"unsupported_entity": 0.5}, PROFILE)
    scores = judge([BRIDGE], texts(["The bridge closes.", "In London bridge closes."]))
    # 2 · 1 − 0 and 2 · 2·(2/4)(2/3)/(2/4 + 2/3) − 0.5 · (1 flagged word / 4 typical words)
    assert scores.rewards["rouge"].tolist() == [[1.0, pytest.approx(4 / 7)]]
    assert scores.penalties["unsupported_entity"].tolist() == [[0.0, 0.25]]
    assert scores.total.tolist() == [[2.0, pytest.approx(8 / 7 - 0.125)]]
    assert [[[flag.text for flag in flags] for flags in row] for row in scores.flags] == [[[], ["London"]]]


def test_every_flag_is_measured_and_only_the_priced_ones_cost():
    scores = Judge([ROUGE], {}, PROFILE)([BRIDGE], texts(["The bridge the bridge of London"]))
    assert set(scores.penalties) == set(FLAG_NAMES)
    assert scores.penalties["unsupported_entity"] > 0
    assert scores.total == scores.rewards["rouge"]


class Doubts:
    """Doubts every word that begins with a capital, wherever it stands."""

    threshold = 0.5

    def score(self, pairs):
        return [tuple(float(word[0].isupper()) for word in text.split()) for _, text in pairs]


def test_a_learned_detector_costs_and_is_counted_as_other_flags_are():
    judge = Judge([ROUGE], {"unsupported_entity": 0.5}, PROFILE, Learned(Doubts(), 4, coefficient=2.0))
    scores = judge([BRIDGE, STORM], texts(["The bridge of London.", "the bridge", "the bridge"], ["", "Oslo", "Oslo"]))
    # `The` and `London` are one word over 4 each; the total pays twice that, and half of what `London` costs by rule.
    assert scores.penalties["learned"].tolist() == [[0.5, 0, 0], [0, 0.25, 0.25]]
    rouge = scores.rewards["rouge"]
    assert scores.total[0].tolist() == [pytest.approx(rouge[0, 0] - 2.0 * 0.5 - 0.5 * 0.25), *rouge[0, 1:]]
    assert math.isnan(scores.total[1, 0])
    assert [flag.text for flag in scores.flags[0][0] if flag.name == "learned"] == ["The", "London"]
    free = judge.reference_free([BRIDGE], texts(["The bridge of London."]))
    assert free.tolist() == [[-2.0 * 0.5 - 0.5 * 0.25]]
    measured = measure([BRIDGE, STORM], [Summary("The bridge"), Summary("rain")], PROFILE, learned=judge.learned)
    assert measured.value("flag/learned") == 0.5
    assert [flag.text for flag in measured.flags[0] if flag.name == "learned"] == ["The"]
    assert "flag/learned" not in measure([BRIDGE], [Summary("The bridge")], PROFILE).statistics


def test_rouge_is_the_mean_f1_of_its_types_against_the_best_target():
    summary = "Two boats sank in the storm."
    scorer = rouge_scorer.RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=True)
    expected = np.mean([score.fmeasure for score in scorer.score_multi(STORM.targets, summary).values()])
    scores = Judge([ROUGE], {}, PROFILE)([STORM], texts([summary]))
    assert scores.rewards["rouge"][0, 0] == pytest.approx(expected, abs=1e-12)


def test_what_cannot_be_scored_is_nan_and_never_zero():
    judge = Judge([ROUGE], {"empty": 1.0, "length": 0.5}, PROFILE)
    scores = judge([STORM, LONELY], texts(["A storm.", "", "...", "夏天"], ["Rain.", "Rain fell.", "", "x"]))
    assert np.isnan(scores.total).tolist() == [[False, True, True, True], [True] * 4]
    assert np.array_equal(np.isnan(scores.rewards["rouge"]), np.isnan(scores.total))
    assert scores.penalties["empty"].tolist() == [[0, 1, 1, 0], [0, 0, 1, 0]], "flags are known nevertheless"


def test_a_miss_is_zero_and_not_nan():
    assert Judge([ROUGE], {}, PROFILE)([BRIDGE], texts(["Zebra!"])).total.tolist() == [[0.0]]


def test_an_empty_summary_never_reaches_a_reward_function(own):
    seen = []

    def shortness(examples, summaries):
        seen.extend(summaries)
        return [-len(summary) for summary in summaries]

    scores = Judge(own(shortness=shortness), {}, PROFILE)([BRIDGE], texts(["Hm.", " ", "Closed."]))
    assert seen == ["Hm.", "Closed."]
    assert scores.total[0, 0] == -3
    assert math.isnan(scores.total[0, 1])


def test_each_distinct_summary_of_a_document_is_judged_once(own):
    calls = []

    def count(examples, summaries):
        calls.append([(example.id, summary) for example, summary in zip(examples, summaries, strict=True)])
        return list(range(len(summaries)))

    judge = Judge(own(count=count), {"unfinished": 1.0}, PROFILE)
    rows = [
        [Summary("Closed."), Summary("Open."), Summary("Closed.")],
        [Summary("Closed."), Summary("Closed.", ended=False), Summary("Closed.")],
    ]
    scores = judge([BRIDGE, STORM], rows)
    assert calls == [[("b", "Closed."), ("b", "Open."), ("a", "Closed."), ("a", "Closed.")]]
    assert scores.rewards["count"].tolist() == [[0, 1, 0], [2, 3, 2]]
    assert scores.total.tolist() == [[0, 1, 0], [2, 2, 2]], "cut and finished summaries differ"


def test_length_reward_and_names():
    rewards = [ROUGE, RougeReward(kind="rouge", types=("rougeL",)), LengthReward(kind="length", weight=0.5)]
    judge = Judge(rewards, {}, PROFILE)
    assert judge.names == ("rouge", "rouge_2", "length")
    scores = judge([BRIDGE], texts(["The bridge."]))
    assert scores.rewards["length"].tolist() == [[pytest.approx(-1 / 3)]]
    assert scores.total[0, 0] == pytest.approx(
        scores.rewards["rouge"][0, 0] + scores.rewards["rouge_2"][0, 0] - 0.5 / 3
    )


def test_names_never_collide(own):
    same = own(a_2=lambda e, s: [2.0] * len(s), a=lambda e, s: [1.0] * len(s))
    judge = Judge([same[0], same[1], same[1]], {}, PROFILE)
    assert judge.names == ("a_2", "a", "a_3")
    assert judge([BRIDGE], texts(["Hm."])).total.tolist() == [[4.0]]


def test_reference_free_never_shows_a_target(own):
    shown = []

    def peek(examples, summaries):
        shown.extend(example.targets + tuple(example.facts) for example in examples)
        return [1.0] * len(summaries)

    (entry,) = own(peek=peek)
    free = entry.model_copy(update={"reads_target": False, "weight": 3.0})
    example = Example("b", BRIDGE.document, BRIDGE.targets, {"where": ("bridge",)})
    judge = Judge([ROUGE, entry, free], {"unsupported_entity": 1.0}, PROFILE)
    summaries = texts(["The bridge.", "The bridge of London.", ""])
    assert judge.reference_free([example], summaries)[0, :2].tolist() == [3.0, 2.75]
    assert math.isnan(judge.reference_free([example], summaries)[0, 2])
    assert set(shown) == {()}
    judge([example], summaries)
    assert shown[-2:] == [(), ()], "the same function sees the same in training"
    without_reward = Judge([ROUGE], {"empty": 1.0}, PROFILE)
    assert without_reward.reference_free([example], summaries).tolist() == [[0, 0, -1]]


def test_no_documents_and_no_summaries():
    assert Judge([ROUGE], {}, PROFILE)([], []).total.shape == (0, 0)
    assert Judge([ROUGE], {}, PROFILE)([STORM], [[]]).total.shape == (1, 0)


def test_unequal_lengths_name_both_numbers():
    judge = Judge([ROUGE], {}, PROFILE)
    with pytest.raises(ShapeError, match=r"got 2 documents and 1 lists$"):
        judge([STORM, BRIDGE], texts(["x"]))
    with pytest.raises(ShapeError, match=r"^every document needs the same number of summaries, got 1 and 2$"):
        judge([STORM, BRIDGE], texts(["x"], ["x", "y"]))
    with pytest.raises(InputError, match=r"^`penalties.copying`: no such flag; there are repetition, "):
        Judge([ROUGE], {"copying": 1.0}, PROFILE)


WRONG = {
    "too_few": (lambda e, s: [0.0] * (len(s) - 1), r"must return one number for each summary, got 1 for 2"),
    "no_list": (lambda e, s: 0.5, r"must return one number for each summary, got float"),
    "nothing": (lambda e, s: None, r"must return one number for each summary, got NoneType"),
    "strings": (lambda e, s: ["0.5"] * len(s), r"must return numbers, got '0.5' on document `a`"),
    "holes": (lambda e, s: [0.5, None], r"must return numbers, got None on document `b`"),
    "endless": (lambda e, s: [0.5, math.inf], r"must return finite numbers or NaN, got inf on document `b`"),
    "fails": (lambda e, s: [1 / ("bridge" not in x.document) for x in e], r"raised ZeroDivisionError: .* document `b`"),
    "crowd": (lambda e, s: [0.0] if len(s) == 1 else {}["x"], r"raised KeyError: 'x' on 2 summaries together \(first:"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_reward_stops_the_run_and_is_found_before_it(own, name):
    function, message = WRONG[name]
    judge = Judge(own(**{name: function}), {}, PROFILE)
    with pytest.raises(RunError, match=f"^reward `{name}` {message}"):
        judge([STORM, BRIDGE], texts(["Hm."], ["Hm."]))
    with pytest.raises(InputError, match=rf"^reward `{name}` {message}.*It was tried on 2 documents before training$"):
        judge.check([STORM, BRIDGE])


def test_nan_is_kept_in_training_but_not_all_nan_before_it(own):
    judge = Judge(own(unsure=lambda e, s: [math.nan] * len(s)), {}, PROFILE)
    assert np.isnan(judge([STORM], texts(["Hm.", "Ho."])).total).all()
    with pytest.raises(InputError, match=r"^reward `unsure` returned NaN for all of 2 summaries tried before"):
        judge.check([STORM, BRIDGE])


def test_numbers_of_numpy_and_torch_are_numbers(own):
    import torch

    functions = {
        "array": lambda e, s: np.arange(len(s), dtype=np.float32),
        "tensor": lambda e, s: torch.arange(len(s)),
        "truth": lambda e, s: [True] * len(s),
    }
    judge = Judge(own(**functions), {}, PROFILE)
    judge.check([STORM, BRIDGE])
    assert judge([STORM], texts(["Hm.", "Ho."])).total.tolist() == [[1.0, 3.0]]


def test_check_tries_eight_documents_and_lists_every_function(own):
    seen = []

    def good(examples, summaries):
        seen.extend(zip(examples, summaries, strict=True))
        return [0.0] * len(summaries)

    entries = own(good=good, bad=lambda e, s: [], worse=lambda e, s: 1 / 0)
    with pytest.raises(InputError, match=r"^reward `bad` .* got 0 for 8\..*\nreward `worse` raised ZeroDivisionError"):
        Judge(entries, {}, PROFILE).check([STORM, LONELY] * 10)
    assert seen == [(STORM, STORM.target), (LONELY, "Rain fell.")] * 4


def test_a_reward_of_the_current_directory_is_found(tmp_path, monkeypatch):
    (tmp_path / "my_own.py").write_text("def brevity(examples, summaries):\n    return [-len(s) for s in summaries]\n")
    monkeypatch.chdir(tmp_path)
    before = list(sys.path)
    assert load_python_reward("my_own:brevity")([], ["abc"]) == [-3]
    assert sys.path == before
    del sys.modules["my_own"]


@pytest.mark.parametrize(
    ("source", "path", "message"),
    [
        (None, "no_such_module:f", r"no module `no_such_module` here or among the installed ones\. Start"),
        ("import no_such_library\n", "written:f", r"importing `written` failed: ModuleNotFoundError: .*no_such_lib"),
        ("def f(:\n", "written:f", r"importing `written` failed: SyntaxError"),
        ("x = 1 / 0\n", "written:f", r"importing `written` failed: ZeroDivisionError: division by zero"),
        ("def brevity(e, s): ...\n", "written:brevty", r"`written` has no `brevty`\. Did you mean `brevity`\?"),
        ("f = 3\n", "written:f", r"must be a function, got int"),
    ],
)
def test_a_reward_that_cannot_be_loaded(tmp_path, monkeypatch, source, path, message):
    if source is not None:
        (tmp_path / "written.py").write_text(source)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "written", raising=False)
    with pytest.raises(InputError, match=f"^reward `{path}`: {message}"):
        Judge([PythonReward(kind="python", path=path)], {}, PROFILE)
    sys.modules.pop("written", None)

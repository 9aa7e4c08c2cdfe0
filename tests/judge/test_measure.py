import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from lastmile.config import FLAG_NAMES
from lastmile.corpus.demo import demo_corpus
from lastmile.errors import InputError
from lastmile.judge.measure import Statistic, measure
from lastmile.judge.metrics import FAULTS, METRICS, p_text, shown, shown_difference, verdict_of
from lastmile.judge.profile import TargetProfile
from lastmile.records import Example, Summary

PROFILE = TargetProfile.neutral(cased=True)
DOCUMENT = "The old harbour closed on Monday. Ships will wait outside until the storm has passed."


def of(document, *pairs):
    """Measure (target, summary) pairs of one document."""
    examples = [Example(str(i), document, (target,) if target else ()) for i, (target, _) in enumerate(pairs)]
    return measure(examples, [Summary(text) for _, text in pairs], PROFILE)


def test_rouge_equals_rouge_score_in_points():
    pairs = [
        ("The harbour closed.", "The harbours were closing on Monday."),
        ("Ships wait outside the harbour. A storm is near.", "A storm is near. Ships are waiting."),
        ("Nothing in common", "completely different words"),
    ]
    scorer = RougeScorer(["rouge1", "rouge2", "rougeL", "rougeLsum"], use_stemmer=True)
    found = of(DOCUMENT, *pairs)
    for i, (target, text) in enumerate(pairs):
        wanted = scorer.score(target.replace(". ", ".\n"), text.replace(". ", ".\n"))
        for name, score in wanted.items():
            assert found.statistics[name].numerator[i] == pytest.approx(100 * score.fmeasure, abs=1e-9)


def test_lsum_is_not_l():
    """Checklist 19: sentences in another order keep their Lsum and lose their L."""
    found = of(DOCUMENT, ("Ships wait outside. A storm is near.", "A storm is near. Ships wait outside."))
    assert found.value("rougeLsum") == pytest.approx(100)
    # L keeps the longer sentence alone: 4 of 7 words.
    assert found.value("rougeL") == pytest.approx(100 * 4 / 7)


def test_several_targets_take_the_best():
    examples = [Example("a", DOCUMENT, ("nothing alike", "the old harbour closed"))]
    best = measure(examples, [Summary("the old harbour closed")], PROFILE)
    first = measure(examples, [Summary("the old harbour closed")], PROFILE, several="first")
    assert (best.value("rouge1"), first.value("rouge1")) == (100, 0)


def test_trigrams_by_hand():
    # words: the old harbour closed the old harbour closed -> trigrams: 6, of which "the old harbour" and
    # "old harbour closed" come again: 2 repeated. In the document: toh, ohc, toh, ohc = 4; "harbour closed the" and
    # "closed the old" are not: 4 copied, 2 novel.
    found = of(DOCUMENT, ("x", "the old harbour closed the old harbour closed"))
    assert found.value("repeated_trigrams") == pytest.approx(2 / 6)
    assert found.value("copied_trigrams") == pytest.approx(4 / 6)
    assert found.value("novel_3grams") == pytest.approx(2 / 6)
    # bigrams: 7, of which "closed the" is novel; 4-grams: 5, of which only "the old harbour closed" (twice) is known.
    assert found.value("novel_2grams") == pytest.approx(1 / 7)
    assert found.value("novel_4grams") == pytest.approx(3 / 5)
    assert found.value("novel_1grams") == 0
    assert found.value("coverage") == 1
    # two fragments of 4 words: (16 + 16) / 8
    assert found.value("density") == pytest.approx(4)


def test_absent_words_compares_stems_of_content_words():
    # "the" and "was" are no content words; "ships'" and "closing" have their stems in the document, "tugboat" has not.
    assert of(DOCUMENT, ("x", "The ships' tugboat was closing")).value("absent_words") == pytest.approx(1 / 3)


def test_ratios_are_ratios_of_sums():
    found = of(DOCUMENT, ("one two", "one two three four five six"), ("one two three four", "one two three"))
    assert found.value("length_ratio") == pytest.approx((6 + 3) / (2 + 4))
    # 1 of 4 trigrams is repeated in the first, 0 of 1 in the second: 1/5, not the mean of 1/4 and 0.
    found = of(DOCUMENT, ("x", "a b c a b c"), ("x", "a b c"))
    assert found.value("repeated_trigrams") == pytest.approx(1 / 5)


def test_distinct_bigrams_of_the_whole_corpus():
    # a b, b c | a b, b d: 4 bigrams, 3 different.
    found = of(DOCUMENT, ("x", "a b c"), ("x", "a b d"))
    assert found.value("distinct_2") == pytest.approx(3 / 4)


def test_flag_rate_counts_faults_and_not_matters_of_degree():
    degree = {"copy", "length", "unsupported_word", "unrelated"}
    later = {"contradiction", "wrong_speaker", "garbled", "boilerplate"}
    assert degree | later == set(FLAG_NAMES) - set(FAULTS)
    copied = " ".join(f"word{i}" for i in range(40)) + "."
    found = of(copied, ("x", copied), ("x", ""))
    assert found.value("flag/copy") == 0.5
    assert found.value("flag/empty") == 0.5
    assert found.value("flag_rate") == 0.5
    assert found.statistics["flag_rate"].numerator.tolist() == [0, 1]


def test_flagged_words_by_hand():
    # "Zanzibar" and "1,977" are not in the document: 2 of 7 words. Neither is "tugboats", which is no fault.
    found = of(DOCUMENT, ("x", "The harbour of Zanzibar closed 1,977 tugboats."))
    assert {flag.name for flag in found.flags[0]} == {"unsupported_entity", "unsupported_number", "unsupported_word"}
    assert found.value("flagged_words") == pytest.approx(2 / 7)


def test_unended_summaries_are_counted():
    examples = [Example(name, DOCUMENT, ("x",)) for name in "abcd"]
    summaries = [Summary("The old harbour closed on Monday.", ended=name != "b") for name in "abcd"]
    assert measure(examples, summaries, PROFILE).value("unended") == 0.25


def test_without_documents_what_needs_them_is_left_out():
    found = of("", ("the old harbour", "the old harbour"))
    own = {"repeated_trigrams", "words", "distinct_2", "unended"}
    assert set(found.statistics) == {"rouge1", "rouge2", "rougeL", "rougeLsum", "length_ratio"} | own
    assert found.flags == ((),)


def test_without_targets_rouge_and_length_ratio_are_left_out():
    found = of(DOCUMENT, (None, "The harbour closed."))
    assert "rouge1" not in found.statistics and "length_ratio" not in found.statistics
    assert found.value("words") == 3


def test_a_document_without_target_is_left_out_of_rouge_alone():
    found = of(DOCUMENT, ("the harbour", "the harbour"), (None, "the ships"))
    assert found.value("rouge1") == 100
    assert found.value("words") == 2


def test_facts_are_counted_where_the_corpus_knows_them():
    example = demo_corpus((1, 1, 1)).test[0]
    told = [name for name, forms in example.facts.items() if any(form in example.target for form in forms)]
    assert len(told) > 1
    right, wrong = Summary(example.target), Summary(example.target + " Zarathustra won.")
    found = measure([example] * 3, [right, wrong, Summary("")], PROFILE)
    assert found.statistics["wrong_facts"].numerator.tolist() == [0, 1, 0]
    assert found.statistics["invented_facts"].numerator.tolist() == [0, 1, 0]
    assert found.statistics["misplaced_facts"].numerator.tolist() == [0, 0, 0]
    assert found.statistics["facts_per_summary"].numerator.tolist() == [len(told), len(told), 0]
    assert "absent_fact" in {flag.name for flag in found.flags[1]}
    assert "wrong_facts" not in of(DOCUMENT, ("x", "y")).statistics


def test_row24_unequal_lengths_are_an_error_with_both_numbers():
    """Checklist 24."""
    with pytest.raises(InputError) as error:
        measure([Example("a", "x")], [Summary("x"), Summary("y")], PROFILE)
    assert str(error.value) == "one summary is needed for each document, got 2 for 1 documents"
    with pytest.raises(InputError, match="at least one document is needed, got none"):
        measure([], [], PROFILE)


def test_per_document_contributions_average_to_the_value():
    statistic = Statistic(np.array([1.0, 0.0, 3.0]), np.array([4.0, 1.0, 5.0]))
    assert statistic.value == pytest.approx(0.4)
    # mean denominator 10/3: 0.4 + (1 - 1.6) · 0.3, 0.4 + (0 - 0.4) · 0.3, 0.4 + (3 - 2) · 0.3
    assert statistic.per_document == pytest.approx([0.22, 0.28, 0.7])
    assert statistic.per_document.mean() == pytest.approx(0.4)
    mean = Statistic(np.array([1.0, 2.0, 6.0]), np.ones(3))
    assert mean.per_document == pytest.approx(mean.numerator)


TEXT = st.text(alphabet="ab cd. É1,\n'", max_size=40)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(TEXT, TEXT, TEXT, st.booleans()), min_size=1, max_size=4))
def test_any_text_gives_finite_values_in_range(rows):
    examples = [Example(str(i), document, (target,)) for i, (document, target, _, _) in enumerate(rows)]
    summaries = [Summary(text, ended) for _, _, text, ended in rows]
    for name, statistic in measure(examples, summaries, PROFILE).statistics.items():
        assert np.isfinite(statistic.value), name
        top = {"share": 1, "points": 100, "number": np.inf}[METRICS[name].unit]
        assert -1e-9 <= statistic.value <= top + 1e-9, name


def test_values_are_written_as_people_read_them():
    assert shown("length_ratio", 0.925) == "0.93"
    assert shown_difference("rougeL", 0.9, 0.4, 1.4) == ("+0.90", "+0.40 to +1.40")
    assert p_text(0.5) == "0.500"


def test_better_depends_on_the_metric():
    assert verdict_of("rougeL", 1.0, 0.01) == "better"
    assert verdict_of("rougeL", -1.0, 0.01) == "worse"
    assert verdict_of("flag_rate", 0.1, 0.01) == "worse"
    assert verdict_of("length_ratio", -0.1, 0.01) == "less"
    assert verdict_of("rougeL", 1.0, 0.05) == "same"

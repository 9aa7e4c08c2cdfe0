import pytest

from lastmile.compare.verdict import TERMS, verdict

PG, MLE = "policy gradient", "likelihood"


def row(metric, delta, p_holm, a=PG, b=MLE):
    return {"a": a, "b": b, "metric": metric, "delta": delta, "low": delta - 0.01, "high": delta + 0.01,
            "p": p_holm, "p_holm": p_holm}  # fmt: skip


@pytest.mark.parametrize(
    ("rouge", "flags", "wanted"),
    [
        ((1.0, 0.01), (-0.1, 0.01), "better on ROUGE-L and flag rate ("),
        ((1.0, 0.01), (-0.1, 0.2), "better on ROUGE-L, no detectable difference on flag rate ("),
        ((1.0, 0.2), (-0.1, 0.01), "better on flag rate, no detectable difference on ROUGE-L ("),
        ((1.0, 0.01), (0.1, 0.01), "better on ROUGE-L, but worse on flag rate ("),
        ((-1.0, 0.01), (-0.1, 0.01), "better on flag rate, but worse on ROUGE-L ("),
        ((-1.0, 0.01), (0.1, 0.01), "worse on ROUGE-L and flag rate ("),
        ((-1.0, 0.01), (0.1, 0.9), "worse on ROUGE-L, no detectable difference on flag rate ("),
        ((1.0, 0.05), (-0.1, 0.06), "no detectable difference ("),
        ((0.0, 1.0), (0.0, 1.0), "no detectable difference ("),
    ],
)
def test_every_branch(rouge, flags, wanted):
    text = verdict([row("rougeL", *rouge), row("flag_rate", *flags)])
    assert text.startswith(f"Without post-processing, policy gradient against likelihood: {wanted}")
    assert text.endswith(TERMS)


def test_all_three_questions_are_answered_in_turn():
    text = verdict(
        [
            row("rougeL", 1.0, 0.01),
            row("rougeL", 0.5, 0.3, a=f"{PG} + post", b=f"{MLE} + post"),
            row("rougeL", -0.5, 0.01, b=f"{MLE} + post"),
            row("rougeL", 9.0, 0.01, a="lead-3"),
        ]
    )
    raw, post, cross = (text.index(part) for part in ("Without post", "With the same post", "Raw policy gradient"))
    assert raw < post < cross
    assert "With the same post-processing on both: no detectable difference (ROUGE-L +0.50" in text
    assert "Raw policy gradient against post-processed likelihood: worse on ROUGE-L (ROUGE-L −0.50" in text
    assert "9.00" not in text


def test_figures_stand_with_their_intervals():
    assert "flag rate −5.3 pp [−6.3 to −4.3]" in verdict([row("flag_rate", -0.053, 0.01)])


def test_facts_are_a_headline_where_they_are_known():
    assert "better on wrong facts (wrong facts −10.0 pp" in verdict([row("wrong_facts", -0.1, 0.01)])


def test_more_copying_is_told_beside_a_win():
    rows = [row("rougeL", 1.0, 0.01), row("copied_trigrams", 0.05, 0.01)]
    assert "It copies more of the document (copied trigrams +5.0 pp" in verdict(rows)
    rows = [row("rougeL", 1.0, 0.01), row("copied_trigrams", 0.05, 0.2)]
    assert "copies" not in verdict(rows)
    rows = [row("rougeL", 1.0, 0.01), row("copied_trigrams", -0.05, 0.01)]
    assert "copies" not in verdict(rows)


@pytest.mark.parametrize(
    ("ratio", "wanted"),
    [(0.8, "20 % shorter than the targets"), (1.25, "25 % longer than the targets"), (1.05, None)],
)
def test_a_drift_of_length_is_told(ratio, wanted):
    systems = [{"name": PG, "metrics": {"length_ratio": {"value": ratio}}}, {"name": MLE, "metrics": {}}]
    text = verdict([row("rougeL", 1.0, 0.01)], systems)
    assert wanted in text if wanted else "than the targets" not in text


def test_without_the_pair_there_is_no_winner():
    wanted = "There is no pair of a likelihood and a policy-gradient system here, so this report names no winner."
    assert verdict([row("rougeL", 1.0, 0.01, a="lead-3")]) == wanted
    assert verdict([]) == wanted

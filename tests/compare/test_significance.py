import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastmile.compare import significance
from lastmile.compare.significance import cohens_d, holm, interval, resample, samples_for, two_sided_p
from lastmile.judge.measure import Statistic


def mean_of(values):
    return Statistic(np.asarray(values, dtype=float), np.ones(len(values)))


def test_row25_all_win_gives_the_smallest_p():
    """Checklist 25: a system that wins on every document has won, not tied."""
    rng = np.random.default_rng(0)
    base = rng.normal(30, 10, 200)
    drawn = resample([mean_of(base + rng.uniform(0.5, 1.5, 200)), mean_of(base)], 999, seed=1)
    differences = drawn[:, 0] - drawn[:, 1]
    assert two_sided_p(differences) == pytest.approx(2 / 1000)
    low, high = interval(differences)
    assert 0.9 < low < 1.0 < high < 1.1


def test_row25_all_tie_gives_p_one_and_no_difference():
    """Checklist 25."""
    values = np.random.default_rng(0).normal(30, 10, 200)
    drawn = resample([mean_of(values), mean_of(values.copy())], 999, seed=1)
    differences = drawn[:, 0] - drawn[:, 1]
    assert two_sided_p(differences) == 1
    assert interval(differences) == pytest.approx((0, 0), abs=1e-12)
    assert cohens_d(values, values) == 0


def test_row25_ties_with_one_win_are_no_evidence():
    a = np.zeros(100)
    a[0] = 1
    drawn = resample([mean_of(a), mean_of(np.zeros(100))], 2000, seed=1)
    # The winning document is missing from (1 - 1/100)^100 = 37 % of the resamples, which are ties: 2 * 0.37.
    assert two_sided_p(drawn[:, 0] - drawn[:, 1]) == pytest.approx(0.73, abs=0.05)


def test_row25_interval_of_a_mean_has_the_normal_width():
    """Checklist 25: known width. Values with mean 5 and standard deviation 2: 5 ± 1.96 · 2 / √400."""
    values = np.random.default_rng(3).normal(size=400)
    values = 5 + 2 * (values - values.mean()) / values.std()
    low, high = interval(resample([mean_of(values)], 20_000, seed=2)[:, 0])
    assert low == pytest.approx(5 - 1.96 * 2 / 20, abs=0.01)
    assert high == pytest.approx(5 + 1.96 * 2 / 20, abs=0.01)


def test_pairing_takes_the_documents_difficulty_out():
    hard = np.random.default_rng(0).normal(0, 100, 300)
    drawn = resample([mean_of(hard + 1), mean_of(hard)], 500, seed=1)
    assert drawn[:, 0] - drawn[:, 1] == pytest.approx(1)


def test_no_difference_is_found_about_one_time_in_twenty():
    rng = np.random.default_rng(5)
    p_values = []
    for trial in range(400):
        drawn = resample([mean_of(rng.normal(size=60)), mean_of(rng.normal(size=60))], 400, seed=trial)
        p_values.append(two_sided_p(drawn[:, 0] - drawn[:, 1]))
    share = np.mean(np.array(p_values) < 0.05)
    # 5 % ± 3 standard errors of √(0.05 · 0.95 / 400) = 1.1 %, and the percentile interval is a little narrow.
    assert 0.02 < share < 0.09


def test_ratios_are_added_up_before_they_are_divided():
    statistic = Statistic(np.array([1.0, 0.0]), np.array([10.0, 1.0]))
    drawn = set(resample([statistic], 200, seed=0)[:, 0].round(6))
    # Both documents, the first twice, the second twice.
    assert drawn == {round(1 / 11, 6), 0.1, 0.0}


def test_a_metric_without_documents_in_a_resample_is_set_aside():
    statistic = Statistic(np.array([3.0, 0.0]), np.array([1.0, 0.0]))
    drawn = resample([statistic], 200, seed=0)[:, 0]
    assert np.isnan(drawn).any()
    assert interval(drawn) == (3, 3)
    assert two_sided_p(drawn) < 0.02


def test_resamples_depend_on_the_seed_and_not_on_memory(monkeypatch):
    statistics = [mean_of(np.random.default_rng(0).normal(size=50))]
    whole = resample(statistics, 100, seed=7)
    assert not np.array_equal(whole, resample(statistics, 100, seed=8))
    monkeypatch.setattr(significance, "CHUNK", 300)
    assert resample(statistics, 100, seed=7) == pytest.approx(whole, abs=1e-12)


@given(st.integers(0, 1000), st.floats(-0.5, 0.5))
def test_p_and_interval_agree(seed, shift):
    differences = np.random.default_rng(seed).normal(shift, 0.15, 2000)
    low, high = interval(differences)
    p = two_sided_p(differences)
    assert 0 < p <= 1
    if low > 0.01 or high < -0.01:
        assert p < 0.05
    if low < -0.01 and high > 0.01:
        assert p > 0.045


@given(st.lists(st.floats(0.0001, 1), min_size=1, max_size=20))
def test_holm_never_lowers_a_p_and_keeps_their_order(p_values):
    corrected = holm(p_values)
    assert all(p <= q <= 1 for p, q in zip(p_values, corrected, strict=True))
    assert min(corrected) == pytest.approx(min(1, len(p_values) * min(p_values)))
    order = np.argsort(p_values, kind="stable")
    assert (np.diff(np.array(corrected)[order]) >= 0).all()
    assert max(corrected) >= max(p_values)


def test_holm_of_nothing():
    assert holm([]) == []


def test_enough_resamples_for_the_family():
    for family in (1, 8, 50):
        samples = samples_for(family, 2000)
        assert samples >= 2000
        assert family * 2 / (samples + 1) <= 0.01


def test_effect_size_by_hand():
    # differences 1, 2, 3: mean 2, standard deviation 1
    assert cohens_d(np.array([1.0, 2.0, 3.0]), np.zeros(3)) == pytest.approx(2)
    assert cohens_d(np.ones(5), np.zeros(5)) is None
    assert cohens_d(np.ones(1), np.zeros(1)) is None

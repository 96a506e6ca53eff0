import math

import numpy as np
import pytest
from scipy.stats import sem, ttest_ind

from weft.errors import ScoringError
from weft.stats.credit import BenchmarkCredit
from weft.stats.paired import compare_gains, compare_means, match_examples


def compare(treatment, control, weight=None):
    treatment, control = (np.atleast_2d(np.asarray(one, dtype=float)) for one in (treatment, control))
    weight = np.ones(treatment.shape[1]) if weight is None else np.asarray(weight, dtype=float)
    return compare_means([BenchmarkCredit((treatment, control), weight)], confidence=0.95)


def coin_flips(shape, share, seed):
    return (np.random.default_rng(seed).random(shape) < share).astype(float)


def test_identical_runs_differ_by_nothing_but_are_not_certain():
    credit = coin_flips((1, 50), 0.5, seed=1)
    found = compare(credit, credit)
    assert (found.difference, found.p_value) == (0, 1)
    assert (found.low, found.high) == pytest.approx((-1.96 / 52, 1.96 / 52), rel=1e-3)


def test_identical_groups_of_seeds_differ_by_nothing_but_seed_noise():
    credit = coin_flips((3, 50), 0.5, seed=1)
    found = compare(credit, credit)
    assert found.difference == 0
    assert found.low < 0 < found.high
    assert found.p_value == 1


def test_a_constant_shift_is_significant():
    control = np.tile(np.linspace(0, 0.8, 40), (3, 1))
    found = compare(control + 0.125, control)
    assert found.difference == pytest.approx(0.125)
    assert 0.09 < found.low < found.high < 0.16
    assert found.p_value < 1e-4


def test_the_difference_is_pooled_over_units():
    found = compare([1.0, 0.5], [0.0, 0.5], weight=[2, 6])
    assert found.difference == pytest.approx(2 / 8)


def test_swapping_the_methods_changes_the_sign():
    treatment, control = coin_flips((2, 80), 0.6, seed=1), coin_flips((2, 80), 0.4, seed=2)
    one, other = compare(treatment, control), compare(control, treatment)
    assert one.difference == -other.difference
    assert one.difference > 0


def test_pairing_removes_the_noise_of_the_questions():
    control = coin_flips((1, 100), 0.5, seed=3)
    treatment = control.copy()
    treatment[0, :10] = 1 - treatment[0, :10]
    found = compare(treatment, control)
    assert found.high - found.low < 0.15  # two independent shares of 100 would have 0.28


def test_one_run_each_has_the_interval_of_a_paired_test():
    treatment, control = (coin_flips((1, 200), 0.5, seed=seed) for seed in (5, 6))
    found, error = compare(treatment, control), sem((treatment - control)[0])
    assert found.standard_error == pytest.approx(error)
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * error, rel=1e-4)
    assert found.minimum_detectable == pytest.approx((1.96 + 0.8416) * error, rel=1e-4)


def test_seeds_of_each_method_vary_by_themselves():
    """Without noise of the questions, it is Welch's test of the seeds' accuracies."""
    levels = np.array([[0.3, 0.4, 0.6], [0.1, 0.2, 0.25]])
    treatment, control = np.repeat(levels[:, :, None], 10**5, axis=2)
    found, expected = compare(treatment, control), ttest_ind(*levels, equal_var=False)
    interval = expected.confidence_interval()
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-3)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), rel=1e-3)


def test_bounds_are_possible_differences():
    found = compare([[1.0], [1.0]], [[0.0], [0.0]])
    assert (found.difference, found.high) == (1, 1)
    assert -1 <= found.low < 1
    assert math.isnan(found.minimum_detectable)


def test_one_deviating_seed_widens_the_interval():
    treatment = np.repeat([[0.0], [0.5], [1.0]], 20, axis=1)
    control = np.full((3, 20), 0.5)
    several, mean = compare(treatment, control), compare(treatment.mean(axis=0), control[0])
    assert several.difference == mean.difference == 0
    assert several.high > 10 * mean.high


def test_numbers_of_seeds_may_differ_but_not_numbers_of_examples():
    assert compare(np.ones((3, 5)), np.zeros((2, 5))).difference == 1
    with pytest.raises(ScoringError, match="5 examples"):
        compare(np.ones((3, 5)), np.zeros((3, 4)))


def test_means_over_benchmarks_are_compared_without_weights():
    large = BenchmarkCredit((np.ones((1, 90)), np.zeros((1, 90))), np.ones(90))
    small = BenchmarkCredit((np.zeros((1, 10)), np.zeros((1, 10))), np.ones(10))
    found = compare_means([large, small], confidence=0.95)
    assert found.difference == 0.5


@pytest.mark.parametrize("levels", [(0.6, 0.5, 0.2), (0.275, 0.25, 0.2)], ids=["clear gain", "small gain"])
def test_the_interval_of_a_relative_gain_covers_it_about_as_often_as_it_says(levels):
    """Also for a gain that is hardly larger than its error; data sets without an interval are covered."""
    rng = np.random.default_rng(8)
    truth = (levels[0] - levels[2]) / (levels[1] - levels[2]) - 1
    hits = []
    for _ in range(300):
        difficulty = rng.normal(0, 0.05, 300)
        groups = tuple(
            (rng.random((seeds, 300)) < level + difficulty).astype(float)
            for level, seeds in zip(levels, (3, 3, 1), strict=True)
        )
        interval = compare_gains([BenchmarkCredit(groups, np.ones(300))], confidence=0.95)
        hits.append(interval is None or interval.low <= truth <= interval.high)
    assert 0.91 <= np.mean(hits) <= 0.995


def test_the_interval_of_a_relative_gain_by_hand():
    """Independent answers at 0.9, 0.5 and 0.1: twice the gain, with the variance of t - 2 c + b."""
    groups = tuple(coin_flips((1, 4000), level, seed) for seed, level in enumerate((0.9, 0.5, 0.1)))
    low, high = compare_gains([BenchmarkCredit(groups, np.ones(4000))], confidence=0.95)
    error = ((0.9 * 0.1 + 4 * 0.5 * 0.5 + 0.1 * 0.9) / 4000) ** 0.5 / 0.4
    assert (high - low) / 2 == pytest.approx(1.96 * error, rel=0.1)
    assert (low + high) / 2 == pytest.approx(1, abs=3 * error)


def test_a_gain_that_is_not_clearly_above_zero_has_no_ratio():
    groups = tuple(coin_flips((3, 50), 0.5, seed=seed) for seed in (1, 2, 3))
    assert compare_gains([BenchmarkCredit(groups, np.ones(50))], confidence=0.95) is None


def test_other_examples_are_an_error_that_names_one():
    with pytest.raises(ScoringError, match=r"weft.*sft.*'q3'"):
        match_examples([["q1", "q2"], ["q1", "q2", "q3"]], names=["weft", "sft"])


def test_another_order_is_an_error():
    with pytest.raises(ScoringError, match="'q2'"):
        match_examples([["q1", "q2"], ["q2", "q1"]], names=["weft", "sft"])


def test_the_same_examples_match():
    match_examples([["q1", "q2"], ["q1", "q2"]], names=["weft", "sft"])

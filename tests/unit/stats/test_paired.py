import numpy as np
import pytest

from weft.errors import ScoringError
from weft.stats.paired import compare_means, match_examples
from weft.stats.resampling import BenchmarkCredit


def compare(treatment, control, weight=None, num_resamples=999, **options):
    treatment, control = (np.atleast_2d(np.asarray(one, dtype=float)) for one in (treatment, control))
    weight = np.ones(treatment.shape[1]) if weight is None else np.asarray(weight, dtype=float)
    rng = np.random.default_rng(0)
    benchmark = BenchmarkCredit((treatment, control), weight)
    return compare_means([benchmark], confidence=0.95, num_resamples=num_resamples, rng=rng, **options)


def coin_flips(shape, share, seed):
    return (np.random.default_rng(seed).random(shape) < share).astype(float)


def test_identical_runs_differ_by_nothing():
    credit = coin_flips((1, 50), 0.5, seed=1)
    found = compare(credit, credit)
    assert (found.difference, found.low, found.high, found.p_value) == (0, 0, 0, 1)
    assert not found.beyond_interval


def test_identical_groups_of_seeds_differ_by_nothing_but_seed_noise():
    credit = coin_flips((3, 50), 0.5, seed=1)
    found = compare(credit, credit)
    assert found.difference == 0
    assert found.low < 0 < found.high
    assert found.p_value > 0.9


def test_a_constant_shift_has_the_smallest_p_value():
    control = np.tile(np.linspace(0, 0.8, 40), (3, 1))
    found = compare(control + 0.125, control)
    assert (found.difference, found.low, found.high) == pytest.approx((0.125, 0.125, 0.125))
    assert found.p_value == pytest.approx(2 / 1000)
    assert found.beyond_interval


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


def test_the_paired_interval_of_one_won_question_by_hand():
    """A draw of four questions holds the won one Binomial(4, 1/4) times: 0 at 31.6 %, at most 3 at 99.6 %."""
    found = compare([1, 1, 0, 0], [0, 1, 0, 0], num_resamples=9999)
    assert (found.difference, found.low, found.high) == (0.25, 0.0, 0.75)
    assert found.p_value == pytest.approx(2 * 0.75**4, abs=0.02)


def test_seeds_of_each_method_are_drawn_by_themselves_by_hand():
    """Two seeds each, 0 and 1 against 0 and 0; one is drawn: the difference is 0 or 1, each half the time."""
    found = compare(np.repeat([[0.0], [1.0]], 6, axis=1), np.zeros((2, 6)), num_resamples=9999)
    assert (found.difference, found.low, found.high) == (0.5, 0.0, 1.0)
    assert found.p_value == 1.0


def test_one_deviating_seed_widens_the_interval():
    treatment = np.repeat([[0.0], [0.5], [1.0]], 20, axis=1)
    control = np.full((3, 20), 0.5)
    with_seeds, without = compare(treatment, control), compare(treatment, control, resample_seeds=False)
    assert (with_seeds.low, with_seeds.high) == (-0.5, 0.5)
    assert (without.low, without.high) == (0, 0)


def test_numbers_of_seeds_may_differ_but_not_numbers_of_examples():
    assert compare(np.ones((3, 5)), np.zeros((2, 5))).difference == 1
    with pytest.raises(ScoringError, match="5 examples"):
        compare(np.ones((3, 5)), np.zeros((3, 4)))


def test_the_interval_covers_no_difference_under_seed_noise():
    """Forty pairs of three seeds, each with its own level; intervals of 95 % must miss zero rarely."""
    rng = np.random.default_rng(4)
    misses = 0
    for _ in range(40):
        levels = rng.normal(0.5, 0.1, size=(2, 3, 1))
        treatment, control = (rng.random((2, 3, 60)) < levels).astype(float)
        misses += compare(treatment, control, num_resamples=200).beyond_interval
    assert misses <= 6


def test_means_over_benchmarks_are_compared_without_weights():
    large = BenchmarkCredit((np.ones((1, 90)), np.zeros((1, 90))), np.ones(90))
    small = BenchmarkCredit((np.zeros((1, 10)), np.zeros((1, 10))), np.ones(10))
    rng = np.random.default_rng(0)
    found = compare_means([large, small], confidence=0.95, num_resamples=99, rng=rng)
    assert found.difference == 0.5


def test_other_examples_are_an_error_that_names_one():
    with pytest.raises(ScoringError, match=r"weft.*sft.*'q3'"):
        match_examples([["q1", "q2"], ["q1", "q2", "q3"]], names=["weft", "sft"])


def test_another_order_is_an_error():
    with pytest.raises(ScoringError, match="'q2'"):
        match_examples([["q1", "q2"], ["q2", "q1"]], names=["weft", "sft"])


def test_the_same_examples_match():
    match_examples([["q1", "q2"], ["q1", "q2"]], names=["weft", "sft"])

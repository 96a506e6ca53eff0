import math

import numpy as np
import pytest
import scipy.stats

from tests.support.bootstrap import resample_group_means
from weft.stats.credit import BenchmarkCredit
from weft.stats.variance import Variance, estimate_variance


def rng(seed=0):
    return np.random.default_rng(seed)


def test_one_run_each_has_the_variance_of_the_differences_of_the_questions():
    first, second = rng(1).random((2, 1, 50))
    found = estimate_variance([BenchmarkCredit((first, second), np.ones(50))], [1.0, -1.0])
    assert found.standard_error == pytest.approx(scipy.stats.sem((first - second)[0]))
    assert found.degrees_of_freedom == math.inf


def test_questions_are_weighted_by_their_units():
    """The linearised variance of a ratio, by hand: accuracy 2/8, deviations 0.75 and -0.25."""
    credit = BenchmarkCredit((np.array([[1.0, 0.0]]),), np.array([2.0, 6.0]))
    found = estimate_variance([credit], [1.0])
    assert found.questions == pytest.approx((2 * 0.75 / 4) ** 2)


def test_seeds_without_noise_of_the_questions_have_the_variance_of_their_mean():
    levels = np.array([0.2, 0.4, 0.9])
    credit = BenchmarkCredit((np.repeat(levels[:, None], 10**4, axis=1),), np.ones(10**4))
    found = estimate_variance([credit], [1.0])
    assert found.standard_error == pytest.approx(scipy.stats.sem(levels), rel=1e-4)
    assert found.degrees_of_freedom == pytest.approx(2, rel=1e-3)


def test_a_common_benchmark_of_all_seeds_is_the_mean_of_their_accuracies():
    """A model that is good on one benchmark and bad on the other has an average without seed noise."""
    good, bad = np.ones((1, 400)), np.zeros((1, 400))
    first = BenchmarkCredit((np.concatenate([good, bad]),), np.ones(400))
    second = BenchmarkCredit((np.concatenate([bad, good]),), np.ones(400))
    assert estimate_variance([first, second], [1.0]).seeds == (0.0,)
    assert estimate_variance([first], [1.0]).seeds == (0.25,)


def test_the_interaction_is_subtracted_once():
    """Independent answers of three seeds: the variance is that of 3 x 2,000 answers."""
    flips = (rng(2).random((3, 2000)) < 0.3).astype(float)
    found = estimate_variance([BenchmarkCredit((flips,), np.ones(2000))], [1.0])
    assert found.shared == pytest.approx(found.questions, rel=0.1)
    assert found.standard_error == pytest.approx((0.3 * 0.7 / 6000) ** 0.5, rel=0.1)


def test_equal_answers_are_not_certain():
    ones = BenchmarkCredit((np.ones((4, 98)), np.ones((4, 98))), np.ones(98))
    assert estimate_variance([ones], [1.0, -1.0]).questions == pytest.approx(1 / (4 * 100**2))


def test_one_question_has_the_largest_variance():
    one = BenchmarkCredit((np.ones((1, 1)), np.ones((1, 1))), np.ones(1))
    assert estimate_variance([one], [1.0, -1.0]).standard_error == pytest.approx(0.5**0.5)


def test_questions_without_units_do_not_count():
    credit = rng(3).random((2, 30))
    padded = BenchmarkCredit((np.pad(credit, ((0, 0), (0, 5))),), np.repeat([1.0, 0.0], [30, 5]))
    assert estimate_variance([padded], [1.0]) == estimate_variance(
        [BenchmarkCredit((credit,), np.ones(30))], [1.0]
    )


def test_what_is_detectable_is_detected_with_the_stated_probability():
    """For known variances, the power of the test is computed from the normal distribution."""
    found = Variance(questions=0.0004, seeds=(0.0,), num_seeds=(1,), shared=0.0)
    assert found.standard_error == pytest.approx(0.02)
    difference = found.minimum_detectable(0.95)
    assert difference == pytest.approx((1.96 + 0.8416) * 0.02, rel=1e-3)
    threshold = found.quantile(0.95) * 0.02
    assert scipy.stats.norm.sf((threshold - difference) / 0.02) == pytest.approx(0.8, abs=1e-6)
    assert found.p_value(threshold) == pytest.approx(0.05)


def test_the_degrees_of_freedom_of_two_groups_by_hand():
    equal = Variance(questions=0.0, seeds=(1.0, 1.0), num_seeds=(3, 3), shared=0.0)
    assert equal.degrees_of_freedom == pytest.approx(4)
    one_sided = Variance(questions=0.0, seeds=(1.0, 0.0), num_seeds=(3, 3), shared=0.0)
    assert one_sided.degrees_of_freedom == pytest.approx(2)
    with_questions = Variance(questions=1.0, seeds=(1.0, 0.0), num_seeds=(3, 3), shared=0.0)
    assert with_questions.degrees_of_freedom == pytest.approx(8)


def test_the_bootstrap_of_questions_agrees():
    """The bootstrap over examples only, of the given runs, estimates the part of the questions."""
    credit = BenchmarkCredit(
        ((rng(4).random((1, 300)) < 0.6) * 1.0, (rng(5).random((1, 300)) < 0.4) * 1.0),
        rng(6).integers(1, 9, size=300).astype(float),
    )
    draws = resample_group_means([credit], num_resamples=4000, rng=rng(), resample_seeds=False)
    spread = (draws[0] - draws[1]).std()
    assert estimate_variance([credit], [1.0, -1.0]).standard_error == pytest.approx(spread, rel=0.05)


def test_the_crossed_bootstrap_is_wider_because_it_counts_the_interaction_again():
    flips = (rng(7).random((2, 5, 200)) < 0.5).astype(float)
    credit = BenchmarkCredit((flips[0], flips[1]), np.ones(200))
    draws = resample_group_means([credit], num_resamples=2000, rng=rng())
    error = estimate_variance([credit], [1.0, -1.0]).standard_error
    assert 1.2 * error < (draws[0] - draws[1]).std() < 2.2 * error

import numpy as np
import pytest
from scipy.stats import binomtest, norm, t

from weft.errors import ScoringError
from weft.stats.credit import BenchmarkCredit
from weft.stats.intervals import accuracy_interval, wilson_interval
from weft.stats.variance import LEAST_SHARE

Z = float(norm.ppf(0.975))


def interval(credit, weight=None, confidence=0.95):
    credit = np.atleast_2d(np.asarray(credit, dtype=float))
    weight = np.ones(credit.shape[1]) if weight is None else np.asarray(weight, dtype=float)
    return accuracy_interval([BenchmarkCredit((credit,), weight)], confidence=confidence)


@pytest.mark.parametrize(
    ("num_correct", "n", "low", "high"),
    [
        (8, 10, 0.4901625, 0.9433178),  # as printed by R's prop.test(8, 10, correct = FALSE)
        (0, 10, 0.0, 0.2775328),  # z^2 / (n + z^2)
        (10, 10, 0.7224672, 1.0),
    ],
)
def test_wilson_interval_has_known_values(num_correct, n, low, high):
    assert wilson_interval(num_correct / n, n, quantile=Z) == pytest.approx((low, high), abs=1e-7)


@pytest.mark.parametrize("num_correct", range(0, 38, 4))
def test_wilson_interval_is_that_of_scipy(num_correct):
    expected = binomtest(num_correct, 37).proportion_ci(confidence_level=0.95, method="wilson")
    found = wilson_interval(num_correct / 37, 37, quantile=Z)
    assert found == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize(("share", "n"), [(0.5, 0), (1.5, 2), (-0.5, 2), (float("nan"), 2)])
def test_wilson_interval_needs_answers(share, n):
    with pytest.raises(ScoringError, match=f"{share} of {n}"):
        wilson_interval(share, n, quantile=Z)


def test_right_and_wrong_answers_of_one_run_have_nearly_the_wilson_interval():
    """The variance is estimated with n - 1, so that the number of independent answers is 199."""
    assert interval([1.0] * 60 + [0.0] * 140) == pytest.approx(wilson_interval(0.3, 199, quantile=Z))


def test_whole_puzzles_are_clusters_not_cells():
    """Ten puzzles of eight cells, all right or all wrong: as uncertain as ten trials, not as eighty."""
    clustered = interval([1.0] * 5 + [0.0] * 5, weight=[8] * 10)
    assert clustered == pytest.approx(wilson_interval(0.5, 9, quantile=Z))


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_equal_answers_are_as_uncertain_as_the_questions(level):
    assert interval(np.full((1, 40), level)) == pytest.approx(wilson_interval(level, 40, quantile=Z))
    several = wilson_interval(level, 40, quantile=float(t.ppf(0.975, 2 / LEAST_SHARE**2)))
    assert interval(np.full((3, 40), level)) == pytest.approx(several)


def test_the_average_of_equal_answers_counts_the_questions_of_all_benchmarks():
    """Two benchmarks of 30 and 60 questions: the variance of their average is that of 80 answers."""
    benchmarks = [BenchmarkCredit((np.ones((1, count)),), np.ones(count)) for count in (30, 60)]
    assert accuracy_interval(benchmarks, confidence=0.95) == pytest.approx(
        wilson_interval(1.0, 80, quantile=Z)
    )


def test_one_question_has_an_interval():
    low, high = interval([[0.5]])
    assert low < 0.15
    assert high > 0.85


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(1)
    samples = (rng.random((400, 60)) < 0.3).astype(float)
    assert 0.92 <= np.mean([low <= 0.3 <= high for low, high in map(interval, samples)]) <= 0.98


def test_the_interval_of_several_seeds_covers_seed_noise():
    """Three models with levels around 0.5; without the variance of the seeds most intervals would miss it."""
    rng = np.random.default_rng(2)
    found = []
    for _ in range(300):
        levels = rng.normal(0.5, 0.1, size=(3, 1))
        found.append(interval((rng.random((3, 200)) < levels).astype(float)))
    assert 0.91 <= np.mean([low <= 0.5 <= high for low, high in found]) <= 0.99


def test_a_part_of_all_questions_has_the_finite_population_factor():
    benchmark = BenchmarkCredit((np.array([[1.0] * 60 + [0.0] * 40]),), np.ones(100))
    further, all_of_them = (
        accuracy_interval([benchmark], confidence=0.95, share_answered=share) for share in (0.0, 0.36)
    )
    widths = [high - low for low, high in (further, all_of_them)]
    assert widths[1] / widths[0] == pytest.approx(0.8, abs=0.01), "the root of 1 - 0.36"

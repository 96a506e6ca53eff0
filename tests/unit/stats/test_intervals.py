import numpy as np
import pytest

from weft.errors import ScoringError
from weft.stats.intervals import (
    Interval,
    mean_interval,
    percentile_interval,
    wilson_interval,
)
from weft.stats.resampling import BenchmarkCredit


def bootstrap(credit, weight=None, num_resamples=2000, seed=0):
    credit = np.asarray(credit, dtype=float)
    weight = np.ones(credit.size) if weight is None else np.asarray(weight, dtype=float)
    rng = np.random.default_rng(seed)
    benchmark = BenchmarkCredit((credit[None],), weight)
    return mean_interval([benchmark], confidence=0.95, num_resamples=num_resamples, rng=rng)


@pytest.mark.parametrize(
    ("num_correct", "n", "low", "high"),
    [
        (8, 10, 0.4901625, 0.9433178),  # as printed by R's prop.test(8, 10, correct = FALSE)
        (0, 10, 0.0, 0.2775328),  # z^2 / (n + z^2)
        (10, 10, 0.7224672, 1.0),
    ],
)
def test_wilson_interval_has_known_values(num_correct, n, low, high):
    assert wilson_interval(num_correct, n, confidence=0.95) == pytest.approx((low, high), abs=1e-7)


def test_wilson_interval_widens_with_the_confidence():
    narrow, wide = (wilson_interval(8, 10, confidence=level) for level in (0.8, 0.99))
    assert wide.low < narrow.low < 0.8 < narrow.high < wide.high


@pytest.mark.parametrize(("num_correct", "n"), [(0, 0), (3, 2), (-1, 2)])
def test_wilson_interval_needs_examples(num_correct, n):
    with pytest.raises(ScoringError, match=f"{num_correct} of {n}"):
        wilson_interval(num_correct, n, confidence=0.95)


def test_bootstrap_interval_is_near_wilson_for_right_and_wrong():
    credit = [1.0] * 60 + [0.0] * 140
    assert bootstrap(credit) == pytest.approx(wilson_interval(60, 200, confidence=0.95), abs=0.015)


def test_whole_puzzles_are_resampled_not_cells():
    """Ten puzzles of eight cells, all right or all wrong: as uncertain as ten trials, not as eighty."""
    clustered = bootstrap([1.0] * 5 + [0.0] * 5, weight=[8] * 10)
    independent = bootstrap([1.0] * 40 + [0.0] * 40)
    assert clustered.high - clustered.low > 2.5 * (independent.high - independent.low)


def test_equal_credits_give_an_interval_of_width_zero():
    assert bootstrap([0.5] * 7, weight=[1, 2, 3, 4, 5, 6, 7]) == Interval(0.5, 0.5)


def test_bootstrap_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(1)
    samples = (rng.random((200, 60)) < 0.3).astype(float)
    intervals = [bootstrap(sample, num_resamples=300, seed=index) for index, sample in enumerate(samples)]
    assert 0.88 <= np.mean([low <= 0.3 <= high for low, high in intervals]) <= 0.99


def test_the_same_generator_gives_the_same_interval():
    assert bootstrap([1, 0, 0, 1], seed=5) == bootstrap([1, 0, 0, 1], seed=5)


def test_mean_interval_covers_seed_noise():
    """Every example agrees within a seed, so all width comes from the seeds 0, 0.5 and 1."""
    credit = np.repeat([[0.0], [0.5], [1.0]], 4, axis=1)
    benchmark = BenchmarkCredit((credit,), np.ones(4))
    rng = np.random.default_rng(0)
    assert mean_interval([benchmark], confidence=0.9, num_resamples=500, rng=rng) == Interval(0.0, 1.0)


def test_percentile_interval_holds_the_middle():
    assert percentile_interval(np.arange(101) / 100, confidence=0.9) == pytest.approx((0.05, 0.95))

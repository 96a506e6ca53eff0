import numpy as np
import pytest

from weft.errors import ScoringError
from weft.stats.resampling import BenchmarkCredit, draw_seed_shares, group_means, resample_group_means

ONES = np.ones(4)


def rng():
    return np.random.default_rng(0)


def test_accuracy_is_pooled_over_units():
    credit = BenchmarkCredit((np.array([[1.0, 0.5]]),), np.array([1.0, 3.0]))
    assert credit.pooled_accuracies()[0] == pytest.approx([(1 + 1.5) / 4])


def test_group_means_average_seeds_and_then_benchmarks():
    first = BenchmarkCredit((np.array([[1.0, 1.0], [0.0, 1.0]]),), np.ones(2))  # seeds 1.0 and 0.5
    second = BenchmarkCredit((np.array([[0.0], [0.0]]),), np.ones(1))
    assert group_means([first, second]) == pytest.approx([0.375])


@pytest.mark.parametrize(
    ("credit", "weight", "message"),
    [
        (np.ones((2, 3)), np.ones(4), r"4 examples.*\(2, 3\)"),
        (np.ones(4), np.ones(4), r"4 examples.*\(4,\)"),
        (np.ones((0, 4)), np.ones(4), r"\(0, 4\)"),
        (np.ones((1, 2)), np.zeros(2), r"0\.0, 0\.0"),
        (np.ones((1, 2)), np.array([2.0, -1.0]), r"-1\.0"),
    ],
    ids=["too few examples", "no axis of seeds", "no seeds", "no units", "negative weight"],
)
def test_inconsistent_shapes_are_refused(credit, weight, message):
    with pytest.raises(ScoringError, match=message):
        BenchmarkCredit((credit,), weight)


def test_seed_shares_sum_to_one_and_come_from_one_draw_fewer_than_seeds():
    shares = draw_seed_shares(3, num_resamples=500, rng=rng())
    assert shares.shape == (500, 3)
    assert shares.sum(axis=1) == pytest.approx(np.ones(500))
    assert set(np.unique(shares)) == {0.0, 0.5, 1.0}


def test_a_single_seed_is_always_drawn():
    assert (draw_seed_shares(1, num_resamples=5, rng=rng()) == 1).all()


def test_seed_noise_has_the_variance_of_a_mean_of_seeds():
    accuracies = np.array([0.2, 0.4, 0.9])
    draws = draw_seed_shares(3, num_resamples=100_000, rng=rng()) @ accuracies
    assert draws.var() == pytest.approx(accuracies.var(ddof=1) / 3, rel=0.03)


def test_groups_get_the_same_examples():
    credit = np.array([[1.0, 0.0, 1.0, 0.0]])
    draws = resample_group_means([BenchmarkCredit((credit, credit), ONES)], num_resamples=50, rng=rng())
    assert (draws[0] == draws[1]).all()
    assert draws[0].std() > 0.1


def test_a_group_keeps_its_seeds_across_benchmarks():
    """Seed 1 gets all right on one benchmark, seed 2 on the other: every mean is one half."""
    first = BenchmarkCredit((np.array([[1.0] * 4, [0.0] * 4]),), ONES)
    second = BenchmarkCredit((np.array([[0.0] * 4, [1.0] * 4]),), ONES)
    draws = resample_group_means([first, second], num_resamples=50, rng=rng())
    assert (draws == 0.5).all()


def test_without_resampled_seeds_equal_examples_leave_no_noise():
    credit = BenchmarkCredit((np.array([[1.0] * 4, [0.0] * 4]),), ONES)
    draws = resample_group_means([credit], num_resamples=50, rng=rng(), resample_seeds=False)
    assert (draws == 0.5).all()


def test_examples_without_units_are_not_drawn():
    credit = BenchmarkCredit((np.array([[1.0, 0.0, 0.0]]),), np.array([1.0, 0.0, 0.0]))
    assert (resample_group_means([credit], num_resamples=200, rng=rng()) == 1).all()


def test_results_do_not_depend_on_the_chunk_size(monkeypatch):
    credit = BenchmarkCredit((np.array([[1.0, 0.0, 1.0, 0.0]]),), ONES)
    whole = resample_group_means([credit], num_resamples=50, rng=rng())
    monkeypatch.setattr("weft.stats.resampling.MAX_DRAWS_AT_ONCE", 12)
    assert (resample_group_means([credit], num_resamples=50, rng=rng()) == whole).all()

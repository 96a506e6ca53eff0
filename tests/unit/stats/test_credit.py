import numpy as np
import pytest

from weft.errors import ScoringError
from weft.stats.credit import BenchmarkCredit, group_means


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


def test_examples_without_units_are_not_counted():
    assert BenchmarkCredit((np.zeros((1, 3)),), np.array([1.0, 0.0, 2.0])).num_examples == 2

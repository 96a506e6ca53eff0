"""Rates at which a true null is rejected, in simulations of benchmarks, questions and training seeds.

Answers follow a probit model: the ability of a question, the effects of the seed on all benchmarks and on
one, and noise of their own.
"""

import numpy as np
import pytest
from scipy.stats import norm

from weft.stats import MIN_SEEDS_OF_ONE, compare_means
from weft.stats.credit import BenchmarkCredit

SEED_EFFECTS = {"none": 0.0, "small": 0.03, "medium": 0.08, "strong": 0.2, "very strong": 0.4}
"""Standard deviation of the effect of a training seed, in units of the noise of an answer."""
QUESTION_EFFECT, ANSWER_EFFECT = 1.5, 0.7
NUM_DATA_SETS = 2000
MOST_CELLS = 10
SIZES = {
    "four benchmarks, low": [(192, 1.1, MOST_CELLS), (192, -1.1, 1), (192, -1.3, 1), (192, -1.4, 1)],
    "four benchmarks, at the ceiling": [(250, 1.45, MOST_CELLS), (250, 2.2, 1), (250, 3.0, 1), (250, 3.0, 1)],
}
"""Number of questions, level, and largest number of units of a question, of each benchmark."""


def simulate(rng, num_seeds, size, seed_effect):
    """Return a data set in which both groups have the same distribution.

    ``seed_effect`` is a number, or one for each group.
    """
    scale = np.broadcast_to(seed_effect, (2,))[:, None, None]
    on_all = scale * rng.standard_normal((2, num_seeds, 1))
    benchmarks = []
    for count, level, most_units in size:
        on_one = scale * rng.standard_normal((2, num_seeds, 1))
        noise = rng.normal(0, ANSWER_EFFECT, (2, num_seeds, count))
        spread = (1 + QUESTION_EFFECT**2 + ANSWER_EFFECT**2) ** 0.5
        ability = level * spread + rng.normal(0, QUESTION_EFFECT, count) + (on_all + on_one) / 2**0.5 + noise
        units = rng.integers(4, most_units + 1, count) if most_units > 1 else np.ones(count, dtype=int)
        treatment, control = rng.binomial(units, norm.cdf(ability)) / units
        benchmarks.append(BenchmarkCredit((treatment, control), units.astype(float)))
    return benchmarks


def rejection_rate(make, num_data_sets=NUM_DATA_SETS):
    rng = np.random.default_rng(1)
    p_values = [compare_means(make(rng), confidence=0.95).p_value for _ in range(num_data_sets)]
    return np.mean(np.array(p_values) < 0.05)


@pytest.mark.parametrize("seed_effect", SEED_EFFECTS.values(), ids=SEED_EFFECTS)
@pytest.mark.parametrize("num_seeds", [2, 3, 5])
@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_a_true_null_is_rejected_about_as_often_as_stated(size, num_seeds, seed_effect):
    assert 0.01 <= rejection_rate(lambda rng: simulate(rng, num_seeds, size, seed_effect)) <= 0.08


LOW = SIZES["four benchmarks, low"]


@pytest.mark.parametrize("num_seeds", [3, 5])
def test_a_true_null_is_rejected_as_often_if_only_one_group_varies_with_the_seed(num_seeds):
    assert 0.01 <= rejection_rate(lambda rng: simulate(rng, num_seeds, LOW, (0.2, 0.0))) <= 0.08


@pytest.mark.parametrize("num_seeds", [MIN_SEEDS_OF_ONE, 5])
@pytest.mark.parametrize("seed_effect", [0.0, 0.08, 0.2])
def test_a_true_null_is_rejected_as_often_against_a_single_model(num_seeds, seed_effect):
    """The control is a model of its own; its answers have the noise of one run but no effect of a seed."""

    def make(rng):
        data = simulate(rng, num_seeds, LOW, (seed_effect, 0.0))
        return [BenchmarkCredit((one.credit[0], one.credit[1][:1]), one.weight) for one in data]

    assert 0.01 <= rejection_rate(make) <= 0.08

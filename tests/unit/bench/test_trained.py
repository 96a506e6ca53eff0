from pathlib import Path

import pytest

from weft.bench.trained import bench_trained, describe_change
from weft.benchmarks import Score
from weft.config import find_experiment, load_experiment


def scores(*credits_):
    return {"gsm8k": [Score.from_credit(None, float(credit)) for credit in credits_]}


def test_a_change_of_accuracy_is_told_with_its_interval():
    assert describe_change(scores(1, 0, 1, 0), scores(1, 0, 1, 0)) == "50.0 (+0.0, +0.0 to +0.0)"
    assert describe_change(scores(1, 1, 1, 0), scores(1, 0, 1, 0)).startswith("75.0 (+25.0, +0.0 to ")


@pytest.fixture(scope="module")
def lines():
    experiment = load_experiment(find_experiment("tiny"))
    shipped = Path(experiment.base_model.shipped)
    return list(bench_trained(experiment, shipped, threads=1, device="cpu", num_examples=2))


def test_exact_answers_of_a_trained_network_are_the_plain_loop_s(lines):
    assert "8 of 8 exact answers equal the plain loop's" in lines[0]
    exact = [line for line in lines if line.startswith("  exact")]
    assert len(exact) == 2
    assert all("equal answers 100 %, equal tokens 100.0 %" in line for line in exact)


def test_every_approximate_way_is_compared(lines):
    assert sum("cache" in line or "threshold" in line for line in lines) == 5

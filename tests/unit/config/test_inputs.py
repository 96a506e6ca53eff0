from pathlib import Path

import pytest

from weft.config import load_experiment
from weft.config.inputs import list_models, list_sources

EXPERIMENTS = Path(__file__).resolve().parents[3] / "experiments"


@pytest.mark.parametrize(("name", "num_models"), [("paper", 1), ("published-s1k", 4), ("d1-baselines", 0)])
def test_each_model_that_is_not_trained_here_is_listed(name, num_models):
    experiment = load_experiment(EXPERIMENTS / f"{name}.yaml")
    assert len(list_models(experiment)) == num_models
    assert not any(isinstance(model, str) for model in list_models(experiment))


def test_data_sets_come_before_benchmarks_with_their_names():
    experiment = load_experiment(EXPERIMENTS / "paper.yaml")
    assert [name for name, _ in list_sources(experiment)] == [*experiment.datasets, *experiment.benchmarks]
    assert list_sources(load_experiment(EXPERIMENTS / "d1-baselines.yaml")) == []

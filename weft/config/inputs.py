"""The models, data sets and benchmarks that an experiment names."""

from weft.config.experiment import Evaluation, Experiment, FineTuning, StoredGenerations
from weft.config.sources import BaseModelSource, BenchmarkSource, DataSource


def list_models(experiment: Experiment) -> list[BaseModelSource]:
    """Return the sources of all models of an experiment that are not trained here."""
    if isinstance(experiment, FineTuning):
        return [experiment.base_model]
    if not isinstance(experiment, Evaluation):
        return []
    models = [(model, experiment.base_source(name)) for name, model in experiment.models.items()]
    return [source for pair in models for source in pair if source is not None]


def list_sources(experiment: Experiment) -> list[tuple[str, DataSource | BenchmarkSource]]:
    """Return the names and sources of the data sets and benchmarks of an experiment."""
    if isinstance(experiment, StoredGenerations):
        return []
    datasets = experiment.datasets.items() if isinstance(experiment, FineTuning) else []
    return [*datasets, *experiment.benchmarks.items()]

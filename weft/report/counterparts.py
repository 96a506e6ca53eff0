"""Find the published model, training set and questions to which the parts of an experiment correspond.

A part is recognised by what it is: a model by the name of its repository or folder, a training set by its
repository and size, questions by the hash or the repository of their file, and a method by its settings.
The names in the experiment file play no role, so that a renamed copy of an experiment keeps its published
numbers. The identities are in ``published_sources.csv``.

The Snakefile imports this module, so it must not import heavy libraries.
"""

import csv
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import get_args

from weft.config import BASE_RUN, Evaluation, Experiment, FineTuning, StoredGenerations
from weft.config.methods import Method
from weft.config.sources import (
    BaseModelSource,
    HubData,
    HubFile,
    HubModel,
    LocalModel,
    PublishedBenchmark,
    Task,
)

TABLE_1_LENGTHS = {"sudoku": 512, "countdown": 512, "gsm8k": 256, "math500": 256}
"""Benchmark -> inferred generation length, in tokens, in Table 1 of the paper."""
PUBLISHED_METHODS = ("sft", "weft")
"""Presets of the fine-tuned models whose accuracies are published."""


def published_model(experiment: Experiment, name: str | None = None) -> str | None:
    """Return the name under which results of a model are published, if there are any.

    Args:
        experiment: the experiment.
        name: name of a model of an evaluation; any other experiment has a single base model.

    Returns:
        The name in ``published.csv``; None if nothing is published.
    """
    if isinstance(experiment, StoredGenerations):
        return _find("model", experiment.generations.model)
    if isinstance(experiment, Evaluation):
        model = experiment.models.get(name or "")
        return _model_at(model) if model is not None and model.base is None else None
    return _model_at(experiment.base_model)


def _model_at(source: BaseModelSource) -> str | None:
    """Return the published name of a model by the name of its repository or folder."""
    if isinstance(source, HubModel):
        return _find("model", source.repo.rsplit("/", 1)[-1])
    return (
        _find("model", source.path.rstrip("/").rsplit("/", 1)[-1]) if isinstance(source, LocalModel) else None
    )


def published_method(experiment: FineTuning, method: str) -> str | None:
    """Return the published method with the same settings: ``base``, ``sft``, ``weft`` or None.

    The scope in which the divisor of the loss is counted may differ, because it follows from the size of a
    micro-batch.
    """
    if method == BASE_RUN:
        return BASE_RUN
    settings = experiment.methods[method]
    scope = {"divisor_scope": settings.divisor_scope}
    is_preset = settings == Method.model_validate({"preset": settings.preset} | scope)
    return settings.preset if is_preset and settings.preset in PUBLISHED_METHODS else None


def published_dataset(experiment: FineTuning, dataset: str) -> str | None:
    """Return the name of a training set in ``published.csv``; None for any other data."""
    source = experiment.datasets[dataset]
    if not isinstance(source, HubData):
        return None
    repositories = {file.repo for file in source.files}
    return _find("dataset", repositories.pop(), source.num_examples) if len(repositories) == 1 else None


def published_benchmark(experiment: Experiment, benchmark: str) -> str | None:
    """Return the name of a benchmark in ``published.csv``; None for any other questions."""
    if isinstance(experiment, StoredGenerations):
        return benchmark if benchmark in get_args(Task) else None
    source = experiment.benchmarks.get(benchmark)
    if not isinstance(source, PublishedBenchmark):
        return None
    file = source.file
    return _find("benchmark", file.repo if isinstance(file, HubFile) else file.sha256)


def is_contrast_of_the_paper(experiment: FineTuning) -> bool:
    """Return True if the main contrast is that of the paper, WeFT minus SFT."""
    pair = experiment.main_contrast
    return pair is not None and [published_method(experiment, name) for name in pair] == ["weft", "sft"]


def has_published_numbers(experiment: Experiment) -> bool:
    """Return True if there are published accuracies of a model that is sampled, on one of the benchmarks."""
    names: Sequence[str | None] = experiment.model_names or [None]
    return (
        experiment.is_sampled
        and any(published_model(experiment, name) is not None for name in names)
        and any(published_benchmark(experiment, name) for name in experiment.benchmark_names)
    )


def has_all_benchmarks(experiment: Experiment) -> bool:
    """Return True if the benchmarks are those of the paper, so that the averages can be compared."""
    names = [published_benchmark(experiment, name) for name in experiment.benchmark_names]
    return set(names) == {*TABLE_1_LENGTHS}


def has_paper_lengths(experiment: Experiment) -> bool:
    """Return True if the experiment contains the cells of the paper's Table 1."""
    return (
        has_published_numbers(experiment)
        and has_all_benchmarks(experiment)
        and {*TABLE_1_LENGTHS.values()} <= {*experiment.gen_lengths}
    )


def _find(kind: str, identity: str, num_examples: int | None = None) -> str | None:
    size = "" if num_examples is None else str(num_examples)
    return _sources().get((kind, identity, size))


@cache
def _sources() -> dict[tuple[str, str, str], str]:
    with resources.files("weft.report").joinpath("published_sources.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {(row["kind"], row["identity"], row["num_examples"]): row["name"] for row in rows}

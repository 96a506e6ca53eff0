"""Lines of text that tell how many jobs an experiment runs, what they cost, and which files it needs."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from weft.config import Evaluation, Experiment, FineTuning, Sampled, StoredGenerations
from weft.config.sources import GeneratedData
from weft.costs import Gpu
from weft.data.offline import find_generations
from weft.errors import DataError
from weft.plan.cost_lines import choose_gpus, cost_lines
from weft.plan.material import describe_material
from weft.plan.needs import list_needs


def plan_lines(
    experiment: Experiment,
    *,
    offline: Sequence[str],
    pins: Path | None = None,
    gpus: Mapping[str, Gpu] | None = None,
    num_gpus: int = 1,
    placed: Path | None = None,
) -> Iterator[str]:
    """Describe an experiment, its jobs, its costs, and the files that must be downloaded or are missing.

    Args:
        experiment: the experiment.
        offline: folders that are searched before any download.
        pins: lock file of the experiment (`weft.data.pins`).
        gpus: kinds of GPU by name, from `choose_gpus`; None for an H100 and an A100.
        num_gpus: number of GPUs.
        placed: the base model as an earlier run of the workflow placed it, if it exists.

    Yields:
        Lines of text.
    """
    yield f"{experiment.name}: {experiment.title}"
    yield f"  {experiment.caption}"
    if isinstance(experiment, StoredGenerations):
        yield from _list_generations(experiment, offline)
        return
    if isinstance(experiment, FineTuning):
        yield from _count_trainings(experiment)
    if experiment.benchmarks:
        yield from _count_sampling(experiment)
    described = describe_material(experiment, offline=offline, placed=placed)
    yield from cost_lines(experiment, described, gpus or choose_gpus(None), num_gpus=num_gpus)
    yield from list_needs(experiment, offline=offline, pins=pins)


def _list_generations(experiment: StoredGenerations, offline: Sequence[str]) -> Iterator[str]:
    missing = set()  # without the folder, the same for each benchmark and length
    for benchmark in experiment.benchmarks:
        for length in experiment.gen_lengths:
            try:
                count = len(find_generations(experiment.generations, benchmark, length, offline))
                yield f"  score {benchmark} at {length} tokens: {count} files"
            except DataError as error:
                if str(error) not in missing:
                    yield f"  missing: {error}"
                missing.add(str(error))


def _count_trainings(experiment: FineTuning) -> Iterator[str]:
    training = experiment.training
    methods, datasets = ", ".join(experiment.methods), ", ".join(experiment.datasets)
    yield f"  {len(experiment.trained_runs)} training runs: {methods} x {datasets}"
    yield f"    x seeds {experiment.seeds}; {training.epochs} epochs, {training.batch_size} examples per step"
    for name, source in experiment.datasets.items():
        if isinstance(source, GeneratedData):
            size = sum(source.tasks.values())
            size -= int(size * training.heldout_share)
            steps = training.epochs * math.ceil(size / training.batch_size)
            yield f"  {name}: {size} training examples, {steps} optimiser steps per run"


def _count_sampling(experiment: Sampled) -> Iterator[str]:
    sampling, num_benchmarks = experiment.sampling, len(experiment.benchmarks)
    yield f"  {len(experiment.runs)} sampling jobs, one for each model:"
    yield f"    each answers {num_benchmarks} benchmarks at the lengths {sampling.gen_lengths};"
    tokens = f"per {sampling.tokens_per_step}" if sampling.tokens_per_step else "for one or more"
    yield f"    one forward pass {tokens} tokens"
    if isinstance(experiment, FineTuning) and experiment.learning_curve is not None:
        curve = experiment.learning_curve
        yield (
            f"  {len(experiment.trained_runs)} learning curves of {curve.num_points} points: "
            f"{curve.num_examples} validation questions of {len(experiment.curve_benchmarks)} benchmarks each"
        )
    yield (
        f"  {len(experiment.traced_runs)} pages that show answers step by step: {num_benchmarks} questions "
        f"each, length {min(sampling.gen_lengths)}"
    )
    for treatment, control in experiment.comparisons if isinstance(experiment, Evaluation) else []:
        yield f"  paired test: {treatment} minus {control}"
    if sampling.approximation:
        yield f"  approximate sampling: {sampling.approximation}"

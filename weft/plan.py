"""The plan of an experiment: how many jobs it runs, and which files it needs."""

import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from weft.config import Evaluation, Experiment, FineTuning, Sampled, StoredGenerations
from weft.config.instructions import instruction_file
from weft.config.places import find_path
from weft.config.sources import (
    BaseModelSource,
    CustomBenchmark,
    FileData,
    GeneratedData,
    HubData,
    HubDataset,
    HubFile,
    HubModel,
    LocalModel,
    PublishedBenchmark,
    ScratchModel,
    WebFile,
)
from weft.data.offline import find_generations, find_offline
from weft.data.pins import RepoType, find_pin
from weft.errors import DataError


def plan_lines(experiment: Experiment, *, offline: Sequence[str], pins: Path | None = None) -> Iterator[str]:
    """Describe an experiment, the numbers of its jobs, and the files that must be downloaded or are missing.

    Args:
        experiment: the experiment.
        offline: folders that are searched before any download.
        pins: lock file of the experiment (`weft.data.pins`).

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
    yield from _list_needs(experiment, offline, pins)


def _list_generations(experiment: StoredGenerations, offline: Sequence[str]) -> Iterator[str]:
    for benchmark in experiment.benchmarks:
        for length in experiment.gen_lengths:
            try:
                count = len(find_generations(experiment.generations, benchmark, length, offline))
                yield f"  score {benchmark} at {length} tokens: {count} files"
            except DataError as error:
                yield f"  missing: {error}"


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


def _describe_absence(path: str, kind: str) -> str:
    """Describe what stands at a path where a file or a directory is wanted."""
    if find_path(path).exists():
        return f"  not a {kind}: {path}"
    is_relative = not find_path(path).is_absolute()
    places = ", looked up in the folder of the experiment file and in this one" if is_relative else ""
    return f"  missing: {path}{places}"


def _list_models(experiment: Sampled) -> list[BaseModelSource]:
    """Return the sources of all models that are not trained here."""
    if isinstance(experiment, FineTuning):
        return [experiment.base_model]
    models = [[model, model.base] for model in experiment.models.values()]
    return [
        source for pair in models for source in pair if source is not None and not isinstance(source, str)
    ]


def _list_needs(experiment: Sampled, offline: Sequence[str], pins: Path | None) -> Iterator[str]:
    needs: dict[str, str] = {}  # path below the offline folders -> how the content is pinned
    for model in _list_models(experiment):
        if isinstance(model, HubModel):
            needs[model.repo] = _describe_pin("model", model.repo, model.revision, pins)
        elif isinstance(model, ScratchModel) and model.use == "shipped":
            yield f"  base model: {model.shipped}, shipped"
        elif isinstance(model, LocalModel) and not find_path(model.path).is_dir():
            yield _describe_absence(model.path, "directory")
    datasets = experiment.datasets.values() if isinstance(experiment, FineTuning) else []
    sources = [*datasets, *experiment.benchmarks.values()]
    for source in sources:
        if isinstance(source, HubData):
            needs.update(_describe_file(file, pins) for file in source.files)
        elif isinstance(source, HubDataset):
            needs[source.repo] = _describe_pin("dataset", source.repo, source.revision, pins)
        elif isinstance(source, PublishedBenchmark):
            needs.update([_describe_file(source.file, pins)])
        elif isinstance(source, FileData):
            absent = [path for path in source.path if not find_path(path).exists()]
            yield from (_describe_absence(path, "file") for path in absent)
        elif isinstance(source, CustomBenchmark) and not find_path(source.path).is_file():
            yield _describe_absence(source.path, "file")
    texts = [instruction_file(getattr(source, "instruction", "none")) for source in sources]
    needs.update({file.offline: "pinned by hash" for file in texts if file is not None})
    for name, pinned in needs.items():
        path = find_offline(name, offline)
        yield f"  {f'found: {path}' if path else f'to download: {name}'} ({pinned})"


def _describe_file(file: WebFile | HubFile, pins: Path | None) -> tuple[str, str]:
    """Return the path of a file below the offline folders, and how its content is pinned."""
    if isinstance(file, WebFile):
        return file.offline, "pinned by hash"
    pinned = _describe_pin("dataset", file.repo, file.revision, pins, file=file)
    return f"{file.repo}/{file.file}", pinned


def _describe_pin(
    repo_type: RepoType, repo: str, revision: str, pins: Path | None, *, file: HubFile | None = None
) -> str:
    """Return a description of the pin of a repository, or of a file in it."""
    pin = find_pin(pins, repo_type, repo, revision)
    is_hashed = pin is not None and (file is None or file.file in pin.files)
    is_hashed = is_hashed or (file is not None and file.sha256 is not None)
    hashes = "hash" if file else "hashes"
    if re.fullmatch(r"[0-9a-f]{40}", revision):
        commit = f"commit {revision[:8]}"
    elif pin is not None and pin.commit is not None:
        commit = f"{revision} is commit {pin.commit[:8]} by {pins}"
    elif is_hashed:
        commit = revision
    else:
        return f"{revision}, not pinned: commit and {hashes} are recorded at the first use"
    return f"{commit}, pinned by {hashes}" if is_hashed else f"{commit}, {hashes} recorded at the first use"

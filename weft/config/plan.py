"""What an experiment will do, counted before anything runs."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from weft.config.experiment import FineTuning, StoredGenerations, list_runs
from weft.config.instructions import D1_TEXTS
from weft.config.offline import find_offline
from weft.config.published import find_generations
from weft.config.sources import (
    GeneratedData,
    HubData,
    HubFile,
    HubModel,
    JsonlData,
    OwnBenchmark,
    PublishedBenchmark,
    ScratchModel,
    WebFile,
)
from weft.errors import DataError


def plan_lines(experiment: FineTuning | StoredGenerations, *, offline: Sequence[str]) -> Iterator[str]:
    """Describe an experiment: what is compared, how much there is to do, what is missing.

    Args:
        experiment: the checked experiment.
        offline: folders searched before any download.

    Yields:
        Lines of text.
    """
    yield f"{experiment.name}: {experiment.title}"
    yield f"  {experiment.caption}"
    if isinstance(experiment, StoredGenerations):
        for benchmark in experiment.benchmarks:
            for length in experiment.gen_lengths:
                try:
                    count = len(find_generations(experiment.generations, benchmark, length, offline))
                    yield f"  score {benchmark} at {length} tokens: {count} files"
                except DataError as error:
                    yield f"  missing: {error}"
        return
    yield from _amount(experiment)
    yield from _needs(experiment, offline)


def _amount(experiment: FineTuning) -> Iterator[str]:
    runs = list_runs(experiment)
    training, sampling = experiment.training, experiment.sampling
    methods, datasets = ", ".join(experiment.methods), ", ".join(experiment.datasets)
    yield f"  {len(runs) - 1} training runs: {methods} x {datasets}"
    yield f"    x seeds {experiment.seeds}; {training.epochs} epochs, {training.batch_size} examples per step"
    for name, source in experiment.datasets.items():
        size = sum(source.tasks.values()) if isinstance(source, GeneratedData) else None
        if size is not None:
            kept = size - int(size * training.heldout_share)
            steps = training.epochs * math.ceil(kept / training.batch_size)
            yield f"  {name}: {kept} training examples, {steps} optimiser steps per run"
    cells = len(runs) * len(experiment.benchmarks) * len(sampling.gen_lengths)
    yield f"  {cells} sampling jobs: {len(runs)} models x {len(experiment.benchmarks)} benchmarks x "
    yield f"    lengths {sampling.gen_lengths}; one forward pass per {sampling.tokens_per_step} tokens"


def _needs(experiment: FineTuning, offline: Sequence[str]) -> Iterator[str]:
    wanted: list[str] = []
    base = experiment.base_model
    if isinstance(base, HubModel):
        wanted.append(base.repo)
    elif isinstance(base, ScratchModel) and base.use == "shipped":
        yield f"  base model: {base.shipped}, shipped"
    sources = [*experiment.datasets.values(), *experiment.benchmarks.values()]
    for source in sources:
        if isinstance(source, HubData):
            wanted += map(_offline_name, source.files)
        elif isinstance(source, PublishedBenchmark):
            wanted.append(_offline_name(source.file))
        elif isinstance(source, JsonlData | OwnBenchmark) and not Path(source.path).is_file():
            yield f"  missing: {source.path}"
    instructions = {getattr(source, "instruction", "none") for source in sources}
    wanted += sorted(D1_TEXTS[name].offline for name in instructions & D1_TEXTS.keys())
    for name in wanted:
        found = find_offline(name, offline)
        yield f"  {'found' if found else 'to download'}: {found or name}"


def _offline_name(file: WebFile | HubFile) -> str:
    return file.offline if isinstance(file, WebFile) else f"{file.repo}/{file.file}"

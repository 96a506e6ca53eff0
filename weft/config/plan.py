"""What an experiment will do, counted before anything runs."""

import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from weft.config.experiment import Experiment, FineTuning
from weft.config.instructions import D1_TEXTS
from weft.config.offline import find_offline
from weft.config.pins import RepoType, find_pin
from weft.config.published import find_generations
from weft.config.sources import (
    CustomBenchmark,
    GeneratedData,
    HubData,
    HubFile,
    HubModel,
    JsonlData,
    PublishedBenchmark,
    ScratchModel,
    WebFile,
)
from weft.errors import DataError


def plan_lines(experiment: Experiment, *, offline: Sequence[str], pins: Path | None = None) -> Iterator[str]:
    """Describe an experiment: what is compared, how much there is to do, what is missing.

    Args:
        experiment: the checked experiment.
        offline: folders searched before any download.
        pins: lock file of the experiment, see `weft.config.pins`.

    Yields:
        Lines of text.
    """
    yield f"{experiment.name}: {experiment.title}"
    yield f"  {experiment.caption}"
    if experiment.kind == "generations":
        for benchmark in experiment.benchmarks:
            for length in experiment.gen_lengths:
                try:
                    count = len(find_generations(experiment.generations, benchmark, length, offline))
                    yield f"  score {benchmark} at {length} tokens: {count} files"
                except DataError as error:
                    yield f"  missing: {error}"
        return
    yield from _amount(experiment)
    yield from _needs(experiment, offline, pins)


def _amount(experiment: FineTuning) -> Iterator[str]:
    runs = experiment.runs
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
    passes = (
        f"per {sampling.tokens_per_step} tokens" if sampling.tokens_per_step else "for one or more tokens"
    )
    yield f"    lengths {sampling.gen_lengths}; one forward pass {passes}"
    shown = f"{len(experiment.benchmarks)} questions each, length {min(sampling.gen_lengths)}"
    yield f"  {len(experiment.traced_runs)} pages of answers step by step: {shown}"
    if sampling.approximation:
        yield f"  approximate sampling: {sampling.approximation}"


def _needs(experiment: FineTuning, offline: Sequence[str], pins: Path | None) -> Iterator[str]:
    wanted: dict[str, str] = {}  # name below the offline folders -> how the content is pinned
    base = experiment.base_model
    if isinstance(base, HubModel):
        wanted[base.repo] = _pinned("model", base.repo, base.revision, pins)
    elif isinstance(base, ScratchModel) and base.use == "shipped":
        yield f"  base model: {base.shipped}, shipped"
    sources = [*experiment.datasets.values(), *experiment.benchmarks.values()]
    for source in sources:
        if isinstance(source, HubData):
            wanted.update(_describe_file(file, pins) for file in source.files)
        elif isinstance(source, PublishedBenchmark):
            wanted.update([_describe_file(source.file, pins)])
        elif isinstance(source, JsonlData | CustomBenchmark) and not Path(source.path).is_file():
            yield f"  missing: {source.path}"
    instructions = {getattr(source, "instruction", "none") for source in sources}
    wanted.update(
        (D1_TEXTS[name].offline, "pinned by hash") for name in sorted(instructions & D1_TEXTS.keys())
    )
    for name, pinned in wanted.items():
        found = find_offline(name, offline)
        yield f"  {f'found: {found}' if found else f'to download: {name}'} ({pinned})"


def _describe_file(file: WebFile | HubFile, pins: Path | None) -> tuple[str, str]:
    if isinstance(file, WebFile):
        return file.offline, "pinned by hash"
    own_hash = file.sha256 is not None
    pinned = _pinned("dataset", file.repo, file.revision, pins, file=file.file, own_hash=own_hash)
    return f"{file.repo}/{file.file}", pinned


def _pinned(
    repo_type: RepoType,
    repo: str,
    revision: str,
    pins: Path | None,
    *,
    own_hash: bool = False,
    file: str | None = None,
) -> str:
    """Say by what the content of a file, or of a whole repository, is fixed."""
    pin = find_pin(pins, repo_type, repo, revision)
    hashed = own_hash or (pin is not None and (file is None or file in pin.files))
    what = "hash" if file else "hashes"
    if re.fullmatch(r"[0-9a-f]{40}", revision):
        at = f"commit {revision[:8]}"
    elif pin is not None:
        at = f"{revision} is commit {pin.commit[:8]} by {pins}"
    elif hashed:
        at = revision
    else:
        return f"{revision}, not pinned: commit and {what} are noted at first use"
    return f"{at}, pinned by {what}" if hashed else f"{at}, {what} noted at first use"

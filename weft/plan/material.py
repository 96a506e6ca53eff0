"""What the plan knows of models, training sets and benchmarks before anything is downloaded."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from weft.config import Evaluation, Experiment, FineTuning, StoredGenerations
from weft.config.places import find_path
from weft.config.sources import (
    BaseModelSource,
    BenchmarkSource,
    DataSource,
    FileData,
    GeneratedBenchmark,
    GeneratedData,
    HubData,
    HubDataset,
    HubModel,
    PublishedBenchmark,
    ScratchModel,
    WebFile,
)
from weft.costs.networks import PUBLISHED_NETWORKS, Network, pretrained_network, read_network
from weft.costs.published_files import find_published
from weft.costs.stages import Material
from weft.data.context import find_known_base
from weft.errors import WeftError
from weft.records.files import read_text

ASSUMED_NETWORK = "GSAI-ML/LLaDA-8B-Instruct"
"""Network whose sizes are assumed for a model that is not at hand: the largest that weft loads."""
ASSUMED_ROWS = 1000
"""Assumed number of examples, or of questions, of a source that is not at hand."""


@dataclass(frozen=True)
class DescribedMaterial:
    """What the costs depend on, and what of it is assumed.

    Attributes:
        material: sizes of networks, training sets and benchmarks.
        assumptions: a clause for each number that is assumed.
        base_networks: sizes of each model that is not trained here, once.
    """

    material: Material
    assumptions: tuple[str, ...]
    base_networks: tuple[Network, ...] = ()


def describe_material(
    experiment: Experiment, *, offline: Sequence[str], placed: Path | None = None
) -> DescribedMaterial:
    """Find the sizes of the networks, training sets and benchmarks of an experiment.

    Args:
        experiment: the experiment.
        offline: folders that are searched before any download.
        placed: the base model as an earlier run of the workflow placed it, if it exists.

    Returns:
        The sizes, and which of them are assumed, because nothing is known before the download.
    """
    assumptions: list[str] = []
    if isinstance(experiment, StoredGenerations):
        return DescribedMaterial(Material(networks={}), ())
    networks: dict[str, Network] = {}
    bases: list[tuple[BaseModelSource, Network]] = []
    for run_id, source in _list_models(experiment):
        known = next((network for base, network in bases if base == source), None)
        if known is None:
            known = find_network(source, offline=offline, placed=placed)
            if known is None:
                known = PUBLISHED_NETWORKS[ASSUMED_NETWORK]
                assumptions.append(f"the model of {run_id} has the size of {ASSUMED_NETWORK}")
            bases.append((source, known))
        networks[run_id] = known
    num_examples = {}
    if isinstance(experiment, FineTuning):
        for name, data in experiment.datasets.items():
            rows = count_examples(data)
            if rows is None:
                rows = ASSUMED_ROWS
                assumptions.append(f"{name} has {rows:,} examples")
            num_examples[name] = rows - int(rows * experiment.training.heldout_share)
    num_questions = {}
    for name, benchmark in experiment.benchmarks.items():
        count = count_questions(benchmark)
        if count is None:
            count = ASSUMED_ROWS
            assumptions.append(f"{name} has {count:,} questions")
        num_questions[name] = count
    return DescribedMaterial(
        Material(networks, num_examples, num_questions),
        tuple(assumptions),
        tuple(network for _, network in bases),
    )


def _list_models(experiment: FineTuning | Evaluation) -> Iterator[tuple[str, BaseModelSource]]:
    """Yield the name of each run with the source of its network, that of the base for an adapter."""
    for run in experiment.runs:
        if isinstance(experiment, FineTuning):
            yield run.run_id, experiment.base_model
            continue
        model = experiment.models[run.method]
        base = experiment.models[model.base] if isinstance(model.base, str) else model.base
        yield run.run_id, model if base is None else base


def find_network(
    source: BaseModelSource, *, offline: Sequence[str] = (), placed: Path | None = None
) -> Network | None:
    """Return the sizes of a model; None if it is neither at hand nor a published model that is known.

    Args:
        source: source of the model.
        offline: folders that are searched before any download.
        placed: the model as an earlier run of the workflow placed it, if it exists.

    Returns:
        The sizes.
    """
    if isinstance(source, ScratchModel):
        return pretrained_network(source.recipe)
    folder = find_known_base(source, offline, placed)
    network = None if folder is None else read_network(folder)
    if network is None and isinstance(source, HubModel):
        return PUBLISHED_NETWORKS.get(source.repo)
    return network


def count_examples(source: DataSource) -> int | None:
    """Return the number of examples of a training set, held-out ones included; None if it is not known."""
    if isinstance(source, GeneratedData):
        return sum(source.tasks.values())
    if source.num_examples is not None:
        return source.num_examples
    if isinstance(source, HubData):
        known = [find_published(f"{file.repo}/{file.file}") for file in source.files]
        return sum(file.num_rows for file in known if file) if all(known) else None
    if isinstance(source, HubDataset):
        file = find_published(source.repo)
        return file.num_rows if file is not None and not source.rows.start + source.rows.stop else None
    return _count_lines(source)


def _count_lines(source: FileData) -> int | None:
    """Return the number of lines of JSON Lines files; None for other formats."""
    files = [find_path(path) for path in source.path]
    if any(file.suffix != ".jsonl" or not file.is_file() for file in files):
        return None
    try:
        return sum(bool(line.strip()) for file in files for line in read_text(file).splitlines())
    except WeftError:  # the job that reads it describes what is wrong
        return None


def count_questions(source: BenchmarkSource) -> int | None:
    """Return the number of questions of a benchmark; None if it is not known without running a file."""
    if isinstance(source, GeneratedBenchmark) or source.num_examples is not None:
        return source.num_examples
    if not isinstance(source, PublishedBenchmark):
        return None
    file = source.file
    known = find_published(file.offline if isinstance(file, WebFile) else f"{file.repo}/{file.file}")
    return known.num_rows if known is not None else None

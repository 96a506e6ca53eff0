"""What a model was trained from and with: the facts of its model card.

``weft train`` writes them beside the weights as ``weft_run.json``, so that a model card can be written later
and elsewhere, when the experiment file is changed or missing.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import weft
from weft.config import FineTuning, Run
from weft.errors import WeftError
from weft.layout import provenance_file
from weft.records import JsonObject, Record
from weft.records.files import read_json
from weft.report.labels import benchmark_name, full_caption

FACTS_FILE = "weft_run.json"
COMMIT = re.compile(r"[0-9a-f]{40}")
REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")


class RunFacts(Record):
    """The facts about a trained model; the content of ``weft_run.json``."""

    weft_version: str
    """Version of weft that trained the model."""
    experiment: str
    """Name of the experiment."""
    caption: str
    """Note that the experiment puts below every number."""
    run: str
    """Name of the run."""
    method: str
    """Name of the method in the experiment."""
    dataset: str
    """Name of the training set in the experiment."""
    seed: int
    """Training seed."""
    base_model: JsonObject
    """Source of the base model, as the experiment names it."""
    base_commit: str | None
    """Commit of the base model on the hub, if it is known."""
    data: JsonObject
    """Source of the training set, as the experiment names it."""
    settings: JsonObject
    """Settings of the method."""
    training: JsonObject
    """Settings of the training, the method's own values included."""
    benchmarks: dict[str, str]
    """Name of each benchmark of the experiment -> its name for readers."""

    @property
    def base_repository(self) -> str | None:
        """Repository of the base model on the hub; None if it comes from elsewhere."""
        return str(self.base_model["repo"]) if self.base_model.get("source") == "hub" else None

    @property
    def data_repositories(self) -> list[str]:
        """Repositories of the training data on the hub."""
        is_hub = self.data.get("source") == "hub"
        return list(dict.fromkeys(_list_repositories(self.data))) if is_hub else []


def describe_run(experiment: FineTuning, run: Run, base: Path) -> RunFacts:
    """Collect the facts about a run.

    Paths outside the working directory are shortened to their last part, because the facts are published.

    Args:
        experiment: the experiment that trains the model.
        run: the run.
        base: checkpoint directory of the base model, whose provenance may name its commit.

    Returns:
        The facts.
    """
    method = experiment.methods[run.method]
    training = method.adapt(experiment.training)
    base_model = experiment.base_model.model_dump(mode="json", exclude={"recipe"})
    return RunFacts(
        weft_version=weft.__version__,
        experiment=experiment.name,
        caption=full_caption(experiment),
        run=run.run_id,
        method=run.method,
        dataset=run.dataset or "",
        seed=run.seed or 0,
        base_model=_without_places(base_model),
        base_commit=_find_commit(base, str(base_model.get("revision", ""))),
        data=_without_places(experiment.datasets[run.dataset or ""].model_dump(mode="json")),
        settings=method.model_dump(mode="json"),
        training=training.model_dump(mode="json"),
        benchmarks={name: _name_benchmark(experiment, name) for name in experiment.benchmark_names},
    )


def read_facts(folder: Path) -> RunFacts | None:
    """Return the facts in the folder of a trained model; None if it has none.

    Args:
        folder: folder with the weights.

    Returns:
        The facts.

    Raises:
        DataError: the file is malformed.
    """
    file = folder / FACTS_FILE
    return read_json(file, RunFacts, remedy="delete it") if file.is_file() else None


def _name_benchmark(experiment: FineTuning, benchmark: str) -> str:
    is_generated = experiment.is_generated(benchmark)
    return benchmark_name(experiment, benchmark) + (", generated questions" if is_generated else "")


class _Origin(Record):
    commit_used: str | None = None


def _find_commit(base: Path, revision: str) -> str | None:
    """Return the commit of a base model from its provenance, or the revision if it is a commit."""
    try:
        commit = read_json(provenance_file(base), _Origin).commit_used
    except WeftError:
        commit = None
    return commit or (revision if COMMIT.fullmatch(revision) else None)


def _without_places(source: JsonObject) -> JsonObject:
    return {key: _without_place(value) for key, value in source.items()}


def _without_place(value: object) -> object:
    """Shorten absolute paths to their last part, and those that begin with the home directory."""
    if isinstance(value, dict):
        return {key: _without_place(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_place(item) for item in value]
    if isinstance(value, str) and value.startswith(("/", "~", "..")):
        return Path(value).name
    return value


def _list_repositories(value: object) -> Iterator[str]:
    """Yield the repositories that a source names, without a split or slice in brackets."""
    if isinstance(value, list):
        for item in value:
            yield from _list_repositories(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key in ("repo", "name") and isinstance(item, str):
                name = item.partition("[")[0]
                if REPOSITORY.fullmatch(name):
                    yield name
            else:
                yield from _list_repositories(item)

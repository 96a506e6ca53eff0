"""The files and models that an experiment needs: where they are, or where they are downloaded from."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from weft.config import Sampled
from weft.config.inputs import list_models, list_sources
from weft.config.instructions import instruction_file
from weft.config.places import find_path
from weft.config.sources import (
    BenchmarkSource,
    CustomBenchmark,
    DataSource,
    FileData,
    HubData,
    HubDataset,
    HubFile,
    HubModel,
    LocalModel,
    PublishedBenchmark,
    ScratchModel,
    WebFile,
)
from weft.costs.networks import PUBLISHED_NETWORKS
from weft.costs.published_files import find_published
from weft.data.hub import MODEL_SUFFIXES
from weft.data.offline import find_offline, is_address
from weft.data.pins import RepoType, find_pin

HUB = "https://huggingface.co"
"""Address of the hub, unless HF_ENDPOINT names another one."""


@dataclass(frozen=True)
class Need:
    """A file or a model that is found in an offline folder or downloaded.

    Attributes:
        pinned: how its content is pinned.
        address: where it is downloaded from.
        megabytes: its size in millions of bytes; None if it is not known.
        files: which files of a repository are needed; empty for a single file.
    """

    pinned: str
    address: str
    megabytes: float | None
    files: str = ""


def _describe_absence(path: str, kind: str) -> str:
    """Describe what stands at a path where a file or a directory is wanted."""
    if find_path(path).exists():
        return f"not a {kind}: {path}"
    is_relative = not find_path(path).is_absolute()
    places = ", looked up in the folder of the experiment file and in this one" if is_relative else ""
    return f"missing: {path}{places}"


@dataclass(frozen=True)
class Needs:
    """What an experiment needs beside weft itself.

    Attributes:
        shipped: folders with shipped base models.
        absent: a line for each file or directory of the user that is missing.
        copies: name below the offline folders -> what is needed there, and its copy.
        downloads: name below the offline folders -> what must be downloaded.
    """

    shipped: Sequence[str]
    absent: Sequence[str]
    copies: Mapping[str, tuple[Need, Path]]
    downloads: Mapping[str, Need]

    @property
    def megabytes(self) -> float:
        """Size of the downloads whose size is known, in millions of bytes."""
        return sum((need.megabytes or 0 for need in self.downloads.values()), start=0.0)

    @property
    def num_unknown(self) -> int:
        """Number of downloads of unknown size."""
        return sum(need.megabytes is None for need in self.downloads.values())


def find_needs(experiment: Sampled, *, offline: Sequence[str], pins: Path | None = None) -> Needs:
    """Find the files and models that an experiment needs.

    Args:
        experiment: the experiment.
        offline: folders that are searched before any download.
        pins: lock file of the experiment (`weft.data.pins`).

    Returns:
        What is there, what must be downloaded, and what is missing.
    """
    needs: dict[str, Need] = {}  # path below the offline folders -> what is needed there
    shipped, absent = [], []
    for model in list_models(experiment):
        if isinstance(model, HubModel):
            needs[model.repo] = _describe_model(model, pins)
        elif isinstance(model, ScratchModel) and model.use == "shipped":
            shipped.append(str(model.shipped))
        elif isinstance(model, LocalModel) and not find_path(model.path).is_dir():
            absent.append(_describe_absence(model.path, "directory"))
    sources = [source for _, source in list_sources(experiment)]
    absent += _list_missing(sources)
    for source in sources:
        needs.update(_needs_of(source, pins))
    places = {name: find_offline(name, offline) for name in needs}
    return Needs(
        shipped=shipped,
        absent=absent,
        copies={name: (need, path) for name, need in needs.items() if (path := places[name]) is not None},
        downloads={name: need for name, need in needs.items() if places[name] is None},
    )


def list_needs(experiment: Sampled, *, offline: Sequence[str], pins: Path | None = None) -> Iterator[str]:
    """Describe the files and models that an experiment needs: found, to download, or missing.

    Args:
        experiment: the experiment.
        offline: folders that are searched before any download.
        pins: lock file of the experiment (`weft.data.pins`).

    Yields:
        Lines of text. A download has two: its name, and its size, its address and its place below the first
        of the offline folders. A sum follows.
    """
    needs = find_needs(experiment, offline=offline, pins=pins)
    yield from (f"  base model: {folder}, shipped" for folder in needs.shipped)
    yield from (f"  {line}" for line in needs.absent)
    yield from (f"  found: {path} ({need.pinned})" for need, path in needs.copies.values())
    for name, need in needs.downloads.items():
        yield f"  to download: {name} ({need.pinned})"
        yield f"    {_describe_download(name, need, offline)}"
    if needs.downloads:
        more = "" if needs.num_unknown == 0 else f", and {needs.num_unknown} of unknown size"
        yield f"  {len(needs.downloads)} downloads, {_format_size(needs.megabytes)}{more}"


def _needs_of(source: DataSource | BenchmarkSource, pins: Path | None) -> dict[str, Need]:
    """Return what is downloaded for a data set or a benchmark, by its path below the offline folders."""
    needs: dict[str, Need] = {}
    if isinstance(source, HubData):
        needs |= dict(_describe_file(file, pins) for file in source.files)
    elif isinstance(source, HubDataset):
        needs[source.repo] = _describe_dataset(source, pins)
    elif isinstance(source, PublishedBenchmark):
        needs |= dict([_describe_file(source.file, pins)])
    text = instruction_file(getattr(source, "instruction", "none"))
    if text is not None:
        needs[text.offline] = Need("pinned by hash", text.url, _size_of(text.offline))
    return needs


def _list_missing(sources: Sequence[DataSource | BenchmarkSource]) -> Iterator[str]:
    """Describe the files of the user that are missing."""
    for source in sources:
        paths: Sequence[str] = []
        if isinstance(source, FileData):
            paths = [path for path in source.path if not find_path(path).exists()]
        elif isinstance(source, CustomBenchmark) and not find_path(source.path).is_file():
            paths = [source.path]
        yield from (_describe_absence(path, "file") for path in paths)


def _describe_download(name: str, need: Need, offline: Sequence[str]) -> str:
    """Return size and address of a download, and where a copy of it is found."""
    size = "unknown size" if need.megabytes is None else _format_size(need.megabytes)
    folders = [folder for folder in offline if not is_address(folder)]
    place = f", or as {Path(folders[0]) / name}" if folders else ""
    return f"{size} from {need.address}{need.files}{place}"


def _format_size(megabytes: float) -> str:
    if megabytes >= 1000:
        return f"{megabytes / 1000:.1f} GB"
    return f"{megabytes:.0f} MB" if megabytes >= 10 else f"{megabytes:.1g} MB"


def _hub() -> str:
    """Return the address of the hub; a mirror is named by the variable that the hub client reads."""
    return os.environ.get("HF_ENDPOINT", HUB).rstrip("/")


def _commit(repo_type: RepoType, repo: str, revision: str, pins: Path | None) -> str:
    pin = find_pin(pins, repo_type, repo, revision)
    return revision if pin is None or pin.commit is None else pin.commit


def _size_of(path: str) -> float | None:
    file = find_published(path)
    return None if file is None else file.megabytes


def _describe_model(model: HubModel, pins: Path | None) -> Need:
    network = PUBLISHED_NETWORKS.get(model.repo)
    commit = _commit("model", model.repo, model.revision, pins)
    return Need(
        pinned=_describe_pin("model", model.repo, model.revision, pins),
        address=f"{_hub()}/{model.repo}/tree/{commit}",
        megabytes=None if network is None else 2 * network.num_parameters / 1e6,
        files=f", its files that end in {', '.join(MODEL_SUFFIXES)}",
    )


def _describe_dataset(source: HubDataset, pins: Path | None) -> Need:
    commit = _commit("dataset", source.repo, source.revision, pins)
    return Need(
        pinned=_describe_pin("dataset", source.repo, source.revision, pins),
        address=f"{_hub()}/datasets/{source.repo}/tree/{commit}",
        megabytes=_size_of(source.repo),
        files=", the files of its split",
    )


def _describe_file(file: WebFile | HubFile, pins: Path | None) -> tuple[str, Need]:
    """Return the path of a file below the offline folders, and what is needed there."""
    if isinstance(file, WebFile):
        return file.offline, Need("pinned by hash", file.url, _size_of(file.offline))
    name = f"{file.repo}/{file.file}"
    commit = _commit("dataset", file.repo, file.revision, pins)
    return name, Need(
        pinned=_describe_pin("dataset", file.repo, file.revision, pins, file=file),
        address=f"{_hub()}/datasets/{file.repo}/resolve/{commit}/{file.file}",
        megabytes=_size_of(name),
    )


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

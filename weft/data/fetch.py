"""Bring everything that an experiment needs into one folder, to be carried to a machine without a network.

The folder is laid out as the setting ``offline`` reads it (`weft.data.offline`). In ``experiments/`` lie the
experiment file, the lock file with the pins, and the files of the user that the experiment names by relative
paths: there, they are found beside the experiment file. ``SHA256SUMS`` lists all files.

An interrupted fetch goes on after the last complete file: files that the folder has are checked and kept, and
the others come from the offline folders and the cache of the hub's client before they are downloaded.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from weft.config import Experiment, StoredGenerations
from weft.config.experiment import experiment_files
from weft.config.inputs import list_models, list_sources
from weft.config.instructions import InstructionFile, instruction_file
from weft.config.places import CHECKOUT, as_written, expand_home, find_path
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
    WebFile,
)
from weft.data.carried import holds, is_inside, write_manifest
from weft.data.folders import CARD
from weft.data.hub import (
    cached_commit,
    fetch_hub_file,
    fetch_hub_model,
    model_files,
    pin_hub_file,
    pin_hub_model,
)
from weft.data.instructions import MAX_SOURCE_BYTES, fetch_instruction
from weft.data.offline import find_generations, find_offline
from weft.data.pins import pins_path
from weft.data.row_sets import read_row_set
from weft.data.web import fetch_web_file, read_web_file
from weft.errors import ConfigError, DataError, WeftError
from weft.provenance import digest, sha256_once
from weft.records import Record
from weft.records.files import (
    MAKE_AGAIN,
    atomic_directory,
    atomic_file,
    copy_file,
    link_or_copy,
    lock_output,
    read_json,
    write_bytes,
    write_json,
)

EXPERIMENTS = "experiments"
RECORD_ENDING = ".files.json"


class Fetched(Record):
    """The files that an experiment needs from a folder, once all of them are there."""

    experiment_digest: str
    """Digest of the whole checked experiment."""
    files: dict[str, str]
    """Path in the folder -> SHA-256."""
    not_carried: list[str]
    """Paths of the user that the folder cannot hold, because the experiment names them by absolute paths."""


def find_fetched(experiment: Experiment, out: Path) -> Fetched | None:
    """Return what an earlier fetch brought, if it was for this experiment and all files are unchanged."""
    try:
        fetched = read_json(_record_file(experiment, out), Fetched, remedy=MAKE_AGAIN)
    except WeftError:
        return None
    is_same = fetched.experiment_digest == _digest(experiment)
    return fetched if is_same and holds(out, fetched.files) else None


def fetch_experiment(
    experiment: Experiment,
    file: Path,
    out: Path,
    *,
    offline: Sequence[str],
    report: Callable[[str], None] = lambda _: None,
) -> Fetched:
    """Bring everything that an experiment needs into a folder, and write its manifest.

    Args:
        experiment: the experiment.
        file: its file, beside which the pins are written as in a run.
        out: the folder, which may hold files of other experiments.
        offline: folders that are searched before any download.
        report: called with a line of text for each thing that is in the folder.

    Returns:
        What the folder holds for the experiment.

    Raises:
        ConfigError: the experiment needs two revisions of a repository, or names a place outside the folder.
        DataError: a file is missing, unreachable or damaged.
    """
    _require_single_revisions(experiment)
    with lock_output(out / EXPERIMENTS / experiment.name):
        fetch = _Fetch(out, offline, pins_path(file))
        # Small files first, so that most mistakes are found before the weights are downloaded.
        for name, source in list_sources(experiment):
            fetch.add_source(name, source)
            report(f"{name} -> {out}")
        if isinstance(experiment, StoredGenerations):
            fetch.add_generations(experiment)
            report(f"generations -> {out}")
        for model in list_models(experiment):
            if isinstance(model, HubModel | LocalModel):
                fetch.add_model(model)
                report(f"{model.repo if isinstance(model, HubModel) else model.path} -> {out}")
        for path in (*experiment_files(file), *([fetch.pins] if fetch.pins.is_file() else [])):
            fetch.place(f"{EXPERIMENTS}/{path.name}", path)
        return _record(experiment, out, fetch)


def _record(experiment: Experiment, out: Path, fetch: "_Fetch") -> Fetched:
    fetched = Fetched(
        experiment_digest=_digest(experiment),
        files={name: sha256_once(out / name) for name in sorted(fetch.names)},
        not_carried=sorted(fetch.not_carried),
    )
    write_json(_record_file(experiment, out), fetched)
    write_manifest(out)
    return fetched


def _record_file(experiment: Experiment, out: Path) -> Path:
    return out / EXPERIMENTS / f"{experiment.name}{RECORD_ENDING}"


def _digest(experiment: Experiment) -> str:
    return digest(experiment.model_dump(mode="json"))


def _require_single_revisions(experiment: Experiment) -> None:
    """Check that an offline folder, which has a place for each repository, can hold what is needed."""
    revisions: dict[str, str] = {}
    for repo, revision in _list_repositories(experiment):
        if revisions.setdefault(repo, revision) != revision:
            raise ConfigError(
                f"an offline folder holds one revision of a repository, but {experiment.name} needs {repo} "
                f"at {revisions[repo]} and at {revision}; fetch each with an experiment of its own, into a "
                "folder of its own"
            )


def _list_repositories(experiment: Experiment) -> Iterator[tuple[str, str]]:
    for model in list_models(experiment):
        if isinstance(model, HubModel):
            yield model.repo, model.revision
    for _, source in list_sources(experiment):
        if isinstance(source, HubDataset):
            yield source.repo, source.revision
        files = source.files if isinstance(source, HubData) else []
        if isinstance(source, PublishedBenchmark) and isinstance(source.file, HubFile):
            files = [source.file]
        yield from ((file.repo, file.revision) for file in files)


@dataclass
class _Fetch:
    """Brings files into a folder.

    Attributes:
        out: the folder.
        offline: folders that are searched before any download, without this one.
        pins: lock file of the experiment.
        names: paths of all files that the experiment needs, relative to the folder.
        not_carried: paths of the user that the folder cannot hold.
    """

    out: Path
    offline: Sequence[str]
    pins: Path
    names: set[str] = field(default_factory=set)
    not_carried: set[str] = field(default_factory=set)

    @property
    def places(self) -> list[str]:
        """The folder itself, and the folders that are searched after it."""
        return [str(self.out), *self.offline]

    def place(self, name: str, path: Path) -> None:
        """Put a file into the folder, unless it is there already."""
        self._require_inside(name)
        target = self.out / name
        if not (target.is_file() and sha256_once(target) == sha256_once(path)):
            with atomic_file(target) as temporary:
                _put(path, temporary)
        self.names.add(name)

    def place_folder(self, name: str, files: Mapping[str, Path]) -> None:
        """Put files into a folder of the folder, all at once: a part of them would pass for the whole.

        Files that the folder has already are kept.
        """
        folder = self.out / name
        if not holds(folder, {file: sha256_once(path) for file, path in files.items()}):
            kept = [path for path in folder.rglob("*") if path.is_file()] if folder.is_dir() else []
            content = {path.relative_to(folder).as_posix(): path for path in kept} | dict(files)
            with atomic_directory(folder) as growing:
                for file, path in content.items():
                    (growing / file).parent.mkdir(parents=True, exist_ok=True)
                    (link_or_copy if path in kept else _put)(path, growing / file)
        self.names.update(f"{name}/{file}" for file in files)

    def add_model(self, source: HubModel | LocalModel) -> None:
        """Add a checkpoint or an adapter."""
        if isinstance(source, LocalModel):
            self.add_user_path(source.path, model_files)
            return
        folder = fetch_hub_model(source, offline=self.places, pins=self.pins)
        pin_hub_model(source, folder, pins=self.pins)
        self.place_folder(source.repo, {file.name: file for file in model_files(folder)})

    def add_source(self, name: str, source: DataSource | BenchmarkSource) -> None:
        """Add the files of a data set or a benchmark, and its instruction text."""
        instruction = instruction_file(getattr(source, "instruction", "none"))
        if instruction is not None:
            self.add_instruction(instruction)
        if isinstance(source, HubData):
            self.add_hub_files(source.files)
        elif isinstance(source, HubDataset):
            self.add_hub_dataset(name, source)
        elif isinstance(source, PublishedBenchmark) and isinstance(source.file, HubFile):
            self.add_hub_files([source.file])
        elif isinstance(source, PublishedBenchmark) and isinstance(source.file, WebFile):
            self.add_web_file(source.file)
        elif isinstance(source, CustomBenchmark):
            self.add_user_path(source.path, _all_files)
        elif isinstance(source, FileData):
            for path in source.path:
                self.add_user_path(path, _all_files)

    def add_hub_files(self, files: Iterable[HubFile]) -> None:
        """Add files of a data set on the hub."""
        for file in files:
            path = fetch_hub_file(file, offline=self.places, pins=self.pins)
            pin_hub_file(file, path, pins=self.pins)
            self.place_folder(file.repo, {file.file: path})

    def add_hub_dataset(self, name: str, source: HubDataset) -> None:
        """Add the files of a data set that the examples are read from, and its card.

        The folder itself is not searched: it may hold another split of the data set.
        """
        rows = read_row_set(name, source, offline=self.offline, pins=self.pins)
        for file, path in rows.files:
            pin_hub_file(file, path, pins=self.pins)
        files = {file.file: path for file, path in rows.files}
        card = self._find_card(source, rows.files[0][0].file, rows.files[0][1]) if rows.files else None
        self.place_folder(source.repo, files | ({CARD: card} if card is not None else {}))

    def _find_card(self, source: HubDataset, file: str, path: Path) -> Path | None:
        """Return README.md beside the files of a data set, in an offline folder or in the client's cache."""
        root = find_offline(source.repo, self.offline) or path.parents[len(PurePosixPath(file).parts) - 1]
        return root / CARD if (root / CARD).is_file() else None

    def add_web_file(self, source: WebFile) -> None:
        """Add a file with an address."""
        self._require_inside(source.offline)
        target = self.out / source.offline
        if not (target.is_file() and sha256_once(target) == source.sha256):
            fetch_web_file(source, target, offline=self.offline)
        self.names.add(source.offline)

    def add_instruction(self, source: InstructionFile) -> None:
        """Add the source file from which an instruction text is read."""
        self._require_inside(source.offline)
        target = self.out / source.offline
        if not target.is_file():
            content, _ = read_web_file(
                source.url, source.offline, offline=self.offline, max_bytes=MAX_SOURCE_BYTES
            )
            write_bytes(target, content)
        try:
            fetch_instruction(source, offline=[str(self.out)])
        except DataError:
            target.unlink()
            raise
        self.names.add(source.offline)

    def add_generations(self, experiment: StoredGenerations) -> None:
        """Add the published generations, which lie beside the experiment or in an offline folder."""
        folder = as_written(experiment.generations.folder)
        is_offline = folder is experiment.generations.folder
        for benchmark in experiment.benchmark_names:
            for length in experiment.gen_lengths:
                places = self.offline if find_offline(folder, self.offline) else self.places
                for path in find_generations(experiment.generations, benchmark, length, places):
                    name = f"{folder}/{path.name}"
                    self.place(name if is_offline else f"{EXPERIMENTS}/{name}", path)

    def add_user_path(self, path: str, list_files: Callable[[Path], Iterable[Path]]) -> None:
        """Add a file or a folder of the user beside the experiment, where its relative path is looked up."""
        place = find_path(path)
        if not place.exists():
            raise DataError(f"{path}: expected a file or a folder, got none; correct the experiment")
        written = as_written(path)
        if not is_inside(written):
            self.not_carried.add(written)
            return
        if place == CHECKOUT / expand_home(path):  # every copy of weft has it
            return
        for file in list_files(place) if place.is_dir() else [place]:
            self.place(f"{EXPERIMENTS}/{written}{_below(file, place)}", file)

    def _require_inside(self, name: str) -> None:
        if not is_inside(name):
            raise ConfigError(
                f"a place in an offline folder must be a path below it, got {name!r}; correct the experiment"
            )


def _put(path: Path, target: Path) -> None:
    """Link a file from the cache of the hub's client, and copy any other.

    An edit in the folder must not change a shipped file or one of the user.
    """
    place = link_or_copy if cached_commit(path) is not None else copy_file
    place(path, target)


def _below(file: Path, place: Path) -> str:
    return "" if file == place else f"/{file.relative_to(place).as_posix()}"


def _all_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))

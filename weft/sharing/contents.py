"""What an archive of a finished experiment holds: its results, the workflow, and the files that it used.

The names in the archive are those of the working directory, ``results/<experiment>/...``, so that the paths
in the provenance files hold there as well. Logs and hidden files are left out; so are the weights of models
that are published elsewhere, which the archive refers to by address and SHA-256.
"""

import gzip
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from weft.config import Evaluation, Experiment, FineTuning, StoredGenerations
from weft.config.experiment import experiment_files
from weft.config.places import CHECKOUT, FoundPath, as_written, find_path
from weft.config.sources import BaseModelSource, CustomBenchmark, HubModel, ScratchModel
from weft.data.hub import WEIGHTS_SUFFIX
from weft.data.pins import find_pin, pins_path
from weft.layout import PACKAGE, PROVENANCE_ENDING, RESULTS, SHIPPED_FILES, ResultLayout
from weft.provenance import sha256_once
from weft.records.files import parse_json, read_text
from weft.sharing.zip_file import Member

Weights = Literal["none", "adapters", "all"]
"""Weights that are packed. adapters: also those of base models that have no address, because the workflow
trained them."""
ADAPTER_CONFIG = "adapter_config.json"
"""File beside the weights of an adapter; as in weft.model.adapter_config, which imports torch."""
WORKFLOW_FILES = ("Snakefile", "workflow", "config.yaml", "envs", "profiles", "docs/deviations.md")
"""Files and folders of the checkout with which the results are made again."""
LEGAL_FILES = ("LICENSE", "CITATION.cff")
HUB = "https://huggingface.co"
"""Home of published models, whatever mirror they were downloaded from."""
EXPERIMENTS = "experiments"
OUTSIDE = "outside"
"""Name of the folder that stands for all places outside the archive."""


@dataclass(frozen=True)
class LeftOut:
    """A file of weights that is not packed.

    Attributes:
        name: path that it would have in the archive.
        sha256: SHA-256 of the content.
        size: size in bytes.
        address: address on the hub; None for a model that is not published there.
    """

    name: str
    sha256: str
    size: int
    address: str | None


@dataclass(frozen=True)
class Contents:
    """The files of an archive, except its metadata and README.md.

    Attributes:
        results: files of the results, provenance files included.
        workflow: files of the workflow, the package and the environment.
        inputs: the experiment file, the files that belong to it, and its lock file.
        left_out: weights that are not packed.
    """

    results: tuple[Member, ...]
    workflow: tuple[Member, ...]
    inputs: tuple[Member, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def members(self) -> tuple[Member, ...]:
        """All files."""
        return (*self.results, *self.workflow, *self.inputs)


def list_contents(root: Path, experiment: Experiment, file: Path, *, weights: Weights) -> Contents:
    """List the files of an archive with their hashes.

    Args:
        root: results folder of the experiment.
        experiment: the experiment.
        file: its file.
        weights: weights to pack.

    Returns:
        The files; the paths of this machine in provenance files are replaced.
    """
    home = (RESULTS / experiment.name).as_posix()
    results, left_out = [], []
    for path in _result_files(root):
        name = f"{home}/{path.relative_to(root).as_posix()}"
        if _is_packed(path, root, experiment, weights):
            results.append((name, path))
        else:
            address = _address(path, root, experiment, pins_path(file))
            left_out.append(LeftOut(name, sha256_once(path), path.stat().st_size, address))
    inputs = _experiment_files(experiment, file)
    workflow = _workflow_files({name for name, _ in inputs})
    names = [name for name, _ in (*results, *inputs, *workflow)]
    return Contents(
        results=tuple(_member(name, path, names) for name, path in results),
        workflow=tuple(_member(name, path, names) for name, path in workflow),
        inputs=tuple(_member(name, path, names) for name, path in inputs),
        left_out=tuple(left_out),
    )


def bytes_member(name: str, content: bytes) -> Member:
    """Return the member of an archive with this content."""
    return Member(name, content, hashlib.sha256(content).hexdigest(), len(content))


def _member(name: str, path: Path, names: Sequence[str]) -> Member:
    if name.endswith(PROVENANCE_ENDING):
        value = _without_places(parse_json(read_text(path)), names)
        return bytes_member(name, (json.dumps(value, indent=1) + "\n").encode())
    return Member(name, path, sha256_once(path), path.stat().st_size)


def _without_places(value: object, names: Sequence[str]) -> object:
    """Return a JSON value in which absolute paths are replaced by names in the archive."""
    if isinstance(value, Mapping):
        return {relative_name(str(key), names): _without_places(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_places(item, names) for item in value]
    return relative_name(value, names) if isinstance(value, str) else value


def relative_name(text: str, names: Sequence[str]) -> str:
    """Return the name in the archive for an absolute path; other texts are returned as they are.

    The name is the longest end of the path that is a file or a folder of the archive. A path of which nothing
    is in the archive becomes ``outside/NAME``.
    """
    path = PurePosixPath(text)
    if not path.is_absolute() or "\n" in text or len(path.parts) < 3:
        return text
    known = {*names, *(str(parent) for name in names for parent in PurePosixPath(name).parents)}
    ends = ("/".join(path.parts[start:]) for start in range(1, len(path.parts)))
    return next((end for end in ends if end in known), f"{OUTSIDE}/{path.name}")


def _files_below(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder, sorted, without hidden files and compiled Python."""
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_file() and not any(part.startswith(".") or part == "__pycache__" for part in parts):
            yield path


def _result_files(root: Path) -> Iterator[Path]:
    logs = ResultLayout(root).log("x").parent
    return (path for path in _files_below(root) if not path.is_relative_to(logs))


def _model_sources(experiment: Experiment) -> Mapping[str, BaseModelSource | None]:
    """Return folder below the results -> source of the model in it."""
    layout = ResultLayout(Path())
    if isinstance(experiment, FineTuning):
        base = experiment.base_model
        return {str(layout.base): base, str(layout.pretrained): base}
    if not isinstance(experiment, Evaluation):
        return {}
    models = {str(layout.model(name)): model for name, model in experiment.models.items()}
    bases = {str(layout.model_base(name)): experiment.base_source(name) for name in experiment.models}
    return {**models, **bases}


def _source_of(path: Path, root: Path, experiment: Experiment) -> tuple[str, BaseModelSource | None]:
    """Return the folder of the model to which a file belongs, and its source; ("", None) for other files."""
    name = path.relative_to(root).as_posix()
    sources = _model_sources(experiment)
    folder = next((folder for folder in sources if name.startswith(f"{folder}/")), "")
    return folder, sources.get(folder)


def _is_packed(path: Path, root: Path, experiment: Experiment, weights: Weights) -> bool:
    if weights == "all" or path.suffix != WEIGHTS_SUFFIX:
        return True
    if weights == "none":
        return False
    _, source = _source_of(path, root, experiment)
    return (path.parent / ADAPTER_CONFIG).exists() or isinstance(source, ScratchModel)


def _address(path: Path, root: Path, experiment: Experiment, pins: Path) -> str | None:
    """Return the address of a file of weights on the hub, at the commit that was used if it is known."""
    folder, source = _source_of(path, root, experiment)
    if not isinstance(source, HubModel):
        return None
    pin = find_pin(pins, "model", source.repo, source.revision)
    commit = pin.commit if pin is not None and pin.commit is not None else source.revision
    return f"{HUB}/{source.repo}/resolve/{commit}/{path.relative_to(root / folder).as_posix()}"


def _experiment_files(experiment: Experiment, file: Path) -> list[tuple[str, Path]]:
    """Return the experiment file, the file that it extends, its lock file and its custom benchmarks."""
    files = [(f"{EXPERIMENTS}/{path.name}", path) for path in experiment_files(file)]
    pins = pins_path(file)
    if pins.is_file():
        files.append((f"{EXPERIMENTS}/{pins.name}", pins))
    sources = {} if isinstance(experiment, StoredGenerations) else experiment.benchmarks
    for source in sources.values():
        if isinstance(source, CustomBenchmark):
            files.append((_place_of(source.path), find_path(source.path)))
    return list(dict(files).items())


def _place_of(path: str) -> str:
    """Return the place in the archive at which the packed experiment finds a file that it names."""
    written = PurePosixPath(as_written(path))
    if written.is_absolute() or ".." in written.parts or written.parts[0].startswith("~"):
        return f"{EXPERIMENTS}/{written.name}"
    return f"{EXPERIMENTS}/{written}" if isinstance(path, FoundPath) else str(written)


def _workflow_files(taken: Iterable[str]) -> list[tuple[str, Path]]:
    """Return the files of the workflow, of the package and of the environment, under their usual names."""
    files: dict[str, Path] = {}
    for name in (*WORKFLOW_FILES, *LEGAL_FILES):
        place = CHECKOUT / name
        paths = _files_below(place) if place.is_dir() else [place] if place.is_file() else []
        files.update((path.relative_to(CHECKOUT).as_posix(), path) for path in paths)
    for path in _files_below(PACKAGE):
        if not path.is_relative_to(SHIPPED_FILES):
            files[f"{PACKAGE.name}/{path.relative_to(PACKAGE).as_posix()}"] = path
    return [(name, path) for name, path in files.items() if name not in set(taken)]


def find_machine_texts(members: Iterable[Member], texts: Iterable[str]) -> list[str]:
    """Return the names of the members whose content holds one of the texts, such as a folder of this machine.

    Compressed files are searched in their uncompressed form. Weights hold no text and are not searched.
    """
    pattern = re.compile(b"|".join(re.escape(text.encode()) for text in sorted(set(texts))))
    guilty = []
    for member in members:
        if member.name.endswith(WEIGHTS_SUFFIX):
            continue
        content = member.content if isinstance(member.content, bytes) else member.content.read_bytes()
        if pattern.search(gzip.decompress(content) if member.name.endswith(".gz") else content):
            guilty.append(member.name)
    return guilty


def provenance_names(members: Iterable[Member]) -> dict[str, str]:
    """Return name of a result -> name of its provenance file."""
    names = (member.name for member in members if member.name.endswith(PROVENANCE_ENDING))
    return {name.removesuffix(PROVENANCE_ENDING): name for name in names}

"""What an experiment says that may not be meant: valid, and so no error, but worth a look before a run."""

import filecmp
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from weft.config.experiment import Experiment, load_experiment
from weft.config.places import CHECKOUT, FoundPath, find_path
from weft.config.settings import ENDINGS, EXPERIMENTS
from weft.config.yaml_file import read_yaml
from weft.errors import ConfigError
from weft.records.base import JsonObject

ORIGIN_KEYS = ("source", "path", "repo", "dataset", "split", "file", "files", "folder")
"""Keys of a source that tell where its content comes from; the others say how it is used."""
MATERIAL_KEYS = ("base_model", "datasets", "models", "generations")
"""Keys of an experiment to which a caption refers."""


def list_remarks(experiment: Experiment, file: Path) -> Iterator[str]:
    """Describe what may not be meant in an experiment.

    Args:
        experiment: the experiment.
        file: its file.

    Yields:
        A sentence for each finding, which begins with the file.
    """
    yield from _find_copied_caption(experiment, file)
    for path in _list_found(experiment):
        other = find_path(path.written)
        if other.exists() and not _is_same(Path(path), other):
            yield (
                f"{file}: two places have {path.written}; {path}, in the folder of the experiment file, is "
                f"used, and {other} is not. Rename one of them, or give an absolute path"
            )


def _find_copied_caption(experiment: Experiment, file: Path) -> Iterator[str]:
    """Point out the caption of a shipped experiment below results of other data or of another model."""
    folder = CHECKOUT / EXPERIMENTS
    if file.resolve().parent == folder.resolve():
        return
    for shipped in sorted(path for path in folder.glob("*") if path.suffix in ENDINGS):
        try:
            caption = read_yaml(shipped).get("caption")
            is_copied = bool(caption) and _words(str(caption)) in _words(experiment.caption)
            differing = _list_differences(experiment, load_experiment(shipped)) if is_copied else []
        except ConfigError:  # somebody is editing it
            continue
        if differing:
            verb = "is" if len(differing) == 1 else "are"
            yield (
                f"{file}: the caption is that of the experiment {shipped.stem!r}, {experiment.caption!r}, "
                f"although {' and '.join(differing)} {verb} not the same. It "
                "stands below every table and figure: write one for this experiment"
            )
            return


def _words(caption: str) -> str:
    return " ".join(caption.split())


def _list_differences(experiment: Experiment, shipped: Experiment) -> list[str]:
    """Return the keys whose content comes from elsewhere than in the shipped experiment."""
    content, other = experiment.model_dump(mode="json"), shipped.model_dump(mode="json")
    return [
        key
        for key in MATERIAL_KEYS
        if any(origin not in _list_origins(other.get(key)) for origin in _list_origins(content.get(key)))
    ]


def _list_origins(content: JsonObject | None) -> list[JsonObject]:
    """Return the origin of a source, or of each of several sources."""
    if content is None:
        return []
    is_single = any(not isinstance(value, dict) for value in content.values())
    sources = [content] if is_single else [*content.values()]
    return [{key: source[key] for key in ORIGIN_KEYS if key in source} for source in sources]


def _list_found(section: object) -> Iterator[FoundPath]:
    """Yield the paths in an experiment that are relative to the folder of its file."""
    if isinstance(section, FoundPath):
        yield section
    elif isinstance(section, BaseModel):
        yield from _list_found([getattr(section, name) for name in type(section).model_fields])
    elif isinstance(section, dict | list | tuple):
        for part in section.values() if isinstance(section, dict) else section:
            yield from _list_found(part)


def _is_same(path: Path, other: Path) -> bool:
    """Return True if two paths lead to the same file or folder, or to files of equal content."""
    if path.samefile(other):
        return True
    return path.is_file() and other.is_file() and filecmp.cmp(path, other, shallow=False)

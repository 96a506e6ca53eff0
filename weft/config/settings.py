"""Run settings (config.yaml): which experiment is run, and how. They do not change results."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import yaml
from pydantic import Field, JsonValue

from weft.config.numbers import Size
from weft.config.places import CHECKOUT, expand_home, in_one_spelling
from weft.config.section import Section, validate
from weft.config.yaml_file import read_yaml
from weft.devices.visible import list_visible, require_enough
from weft.errors import ConfigError

EXPERIMENTS = Path("experiments")
CONFIG_FILE = Path("config.yaml")
ENDINGS = (".yaml", ".yml")
"""Endings of experiment files."""
Tracker = Literal["none", "trackio", "tensorboard", "wandb", "mlflow"]


class Settings(Section):
    """Run settings, the keys of config.yaml."""

    experiment: str = Field(min_length=1)
    """Name of a file in experiments/ without .yaml or .yml, or path of an experiment file."""
    offline: list[str]
    """Folders that are searched, in order, for files that would otherwise be downloaded, and addresses of
    mirrors of files that are not on the hub. On the command line also a single folder, or folders with commas
    between them."""
    device: Literal["auto", "cpu", "cuda"]
    """Device of the models; auto uses a GPU if there is one."""
    train_processes: Size
    """DeepSpeed ranks of a training run: GPUs, or CPU processes."""
    sample_shards: Size
    """Number of jobs that share the questions of each model. The merged files have the same bytes as those
    of a single job."""
    threads_per_process: Size
    """CPU threads of a model process."""
    report_to: Tracker = "none"
    """Tracker that shows the progress of training runs, see docs/trackers.md. Results do not depend on it."""

    def gpus(self, processes: int, *, is_remote: bool = False, is_dry: bool = True) -> int:
        """Return the number of GPUs that a job with this many processes occupies; does not import torch.

        Args:
            processes: processes of the job that use a model.
            is_remote: whether an executor sends the job to another machine, such as a node of a cluster.
            is_dry: whether jobs are only planned, perhaps for another machine.

        Returns:
            The number, for the resource ``gpu`` of Snakemake.

        Raises:
            ConfigError: ``device`` is auto, which cannot be decided for another machine, or this machine has
                fewer visible GPUs.
        """
        if self.device == "auto" and is_remote:
            raise ConfigError(
                "device must be cuda or cpu if an executor sends jobs to other machines, because this one "
                "cannot see their GPUs, got auto; add device=cuda to --config for jobs with GPUs, or "
                "device=cpu"
            )
        visible = list_visible() if self.device == "cuda" or any(Path("/dev").glob("nvidia[0-9]*")) else []
        if self.device == "cpu" or (self.device == "auto" and visible == []):
            return 0
        if visible is not None and not is_remote and not is_dry:
            require_enough(visible, processes)
        return processes


def read_settings(path: Path | None = None) -> Settings:
    """Read the run settings from config.yaml.

    Args:
        path: path of config.yaml; None for the one of the checkout, whatever the working directory.

    Returns:
        The settings; ``experiment`` may be a name.

    Raises:
        ConfigError: the file is missing, or a value is not allowed.
    """
    shipped = CHECKOUT / CONFIG_FILE
    file = path or (shipped if shipped.is_file() else CONFIG_FILE)
    content = read_yaml(file, remedy="run the command in the root of the repository")
    return validate(Settings, content, origin=str(file))


def resolve_settings(merged: Mapping[str, object], *, default: Path, overlays: Sequence[Path]) -> Settings:
    """Return the run settings that Snakemake merged from config.yaml, --configfile and --config.

    An experiment file may be given with ``--configfile``. Snakemake merges its keys into config.yaml; they
    are removed here, and the file becomes the experiment, so that the keys of two experiments never mix.

    A workflow that uses weft as a module hands over a ``config`` of its own. Keys that it lacks have the
    values of config.yaml.

    Args:
        merged: Snakemake's ``config``.
        default: config.yaml.
        overlays: files given with ``--configfile``, in order.

    Returns:
        The settings; ``experiment`` is a path.

    Raises:
        ConfigError: a key is unknown, a value is not allowed, or the experiment does not exist.
    """
    content = read_yaml(default) | dict(merged)
    for overlay in overlays:
        keys = read_yaml(overlay)
        if "kind" in keys or "name" in keys:  # an experiment file
            for key in keys.keys() - Settings.model_fields.keys():
                content.pop(key, None)
            content["experiment"] = str(overlay)
    content["experiment"] = _as_name(content.get("experiment"))
    if isinstance(folders := content.get("offline"), str):
        content["offline"] = _split_folders(folders)
    settings = validate(Settings, content, origin=f"run settings ({default.name}, --configfile, --config)")
    return settings.model_copy(update={"experiment": str(find_experiment(settings.experiment))})


def _split_folders(folders: str) -> list[JsonValue]:
    """Return the folders of ``--config offline=a,b``; a comma may also be part of the name of one folder."""
    is_one = "," not in folders or expand_home(folders).exists()
    return [folders] if is_one else [folder for part in folders.split(",") if (folder := part.strip())]


def _as_name(value: object) -> str | None:
    """Return the name of the experiment whose name Snakemake has read as a value that is no text.

    ``--config experiment=2024_01`` arrives as the number 202401. The experiment is taken whose name Snakemake
    reads in the same way.
    """
    if isinstance(value, str) or value is None:
        return value
    here = {file.stem for ending in ENDINGS for file in Path().glob(f"*{ending}")}
    known = sorted(here.union(_list_experiments()))
    names = [name for name in known if (type(value), repr(value)) in _readings(name)]
    if len(names) > 1:
        raise ConfigError(
            f"experiment must be one file, but Snakemake reads the names of {names} alike, as {value!r}; "
            f"give the path of the file, such as {EXPERIMENTS / names[0]}{ENDINGS[0]}"
        )
    return names[0] if names else str(value)


def _readings(name: str) -> set[tuple[type, str]]:
    """Return type and text of the values that Snakemake reads from a name, on the command line or in YAML."""
    readings = set()
    for read in (int, float, yaml.safe_load):
        try:
            value = read(name)
        except (ValueError, yaml.YAMLError):
            continue
        readings.add((type(value), repr(value)))
    return readings


def find_experiment(name: str) -> Path:
    """Find an experiment file.

    Args:
        name: path of the file, with or without its ending, or name of a file in experiments/; the folder
            experiments/ of the working directory comes before that of the checkout.

    Returns:
        Path of the file, relative to the working directory if the file is below it.

    Raises:
        ConfigError: there is no such file; the message lists the files in experiments/.
    """
    for candidate in _candidates(name):
        if candidate.suffix in ENDINGS and candidate.is_file():
            return in_one_spelling(candidate)
    known, given = _list_experiments(), expand_home(name)
    form = f"experiment must be the path of a file or one of {known}, got {name!r}"
    if given.is_dir() and name:
        raise ConfigError(f"{form}, which is a folder; name a file in it")
    if given.is_file():
        raise ConfigError(f"{form}; the name of the file must end in .yaml or .yml")
    near = difflib.get_close_matches(given.stem.lower(), known, n=1)
    raise ConfigError(f"{form}{f'; did you mean {near[0]!r}?' if near else ''} (searched from {Path.cwd()})")


def _candidates(name: str) -> Iterator[Path]:
    """Yield the places of an experiment, in the order in which they are searched."""
    given = expand_home(name)
    yield given
    for folder in (EXPERIMENTS, CHECKOUT / EXPERIMENTS, Path(), CHECKOUT):
        yield folder / given
        for ending in ENDINGS:
            yield folder / given.with_name(given.name + ending) if given.name else folder


def _list_experiments() -> list[str]:
    """Return the names of the files in the folders experiments/ of the working directory and the checkout."""
    folders = (EXPERIMENTS, CHECKOUT / EXPERIMENTS)
    return sorted({file.stem for folder in folders for end in ENDINGS for file in folder.glob(f"*{end}")})

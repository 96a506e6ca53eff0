"""Run settings (config.yaml): which experiment is run, and how. They do not change results."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field, JsonValue

from weft.config.section import Section, read_yaml, validate
from weft.errors import ConfigError

EXPERIMENTS = Path("experiments")


class Settings(Section):
    """Run settings, the keys of config.yaml."""

    experiment: str = Field(min_length=1)
    """Name of a file in experiments/ without .yaml, or path of an experiment file."""
    offline: list[str]
    """Folders that are searched, in order, for files that would otherwise be downloaded."""
    device: Literal["auto", "cpu", "cuda"]
    """Device of the models; auto uses a GPU if there is one."""
    train_processes: int = Field(gt=0)
    """DeepSpeed ranks of a training run: GPUs, or CPU processes."""
    sample_shards: int = Field(gt=0)
    """Number of jobs that share the questions of each model. The merged files have the same bytes as those
    of a single job."""
    threads_per_process: int = Field(gt=0)
    """CPU threads of a model process."""

    def gpus(self, processes: int) -> int:
        """Return the number of GPUs that a job with this many processes occupies; does not import torch."""
        has_gpu = any(Path("/dev").glob("nvidia[0-9]*"))
        return processes if self.device == "cuda" or (self.device == "auto" and has_gpu) else 0


def read_settings(path: Path) -> Settings:
    """Read the run settings from config.yaml.

    Args:
        path: path of config.yaml.

    Returns:
        The settings; ``experiment`` may be a name.

    Raises:
        ConfigError: the file is missing, or a value is not allowed.
    """
    content = read_yaml(path, remedy="run the command in the root of the repository")
    return validate(Settings, content, origin=str(path))


def resolve_settings(merged: Mapping[str, JsonValue], *, default: Path, overlays: Sequence[Path]) -> Settings:
    """Return the run settings that Snakemake merged from config.yaml, --configfile and --config.

    An experiment file may be given with ``--configfile``. Snakemake merges its keys into config.yaml; they
    are removed here, and the file becomes the experiment, so that the keys of two experiments never mix.

    Args:
        merged: Snakemake's ``config``.
        default: config.yaml.
        overlays: files given with ``--configfile``, in order.

    Returns:
        The settings; ``experiment`` is a path.

    Raises:
        ConfigError: a key is unknown, a value is not allowed, or the experiment does not exist.
    """
    content = dict(merged)
    for overlay in overlays:
        keys = read_yaml(overlay)
        if "kind" in keys or "name" in keys:  # an experiment file
            for key in keys.keys() - Settings.model_fields.keys():
                content.pop(key, None)
            content["experiment"] = str(overlay)
    if isinstance(content.get("offline"), str):
        content["offline"] = [content["offline"]]
    settings = validate(Settings, content, origin=f"run settings ({default.name}, --configfile, --config)")
    return settings.model_copy(update={"experiment": str(find_experiment(settings.experiment))})


def find_experiment(name: str) -> Path:
    """Find an experiment file.

    Args:
        name: path of the file, or name of a file in experiments/.

    Returns:
        Path of the file.

    Raises:
        ConfigError: there is no such file; the message lists the files in experiments/.
    """
    for candidate in (Path(name), EXPERIMENTS / f"{name}.yaml"):
        if candidate.suffix == ".yaml" and candidate.is_file():
            return candidate
    known = sorted(file.stem for file in EXPERIMENTS.glob("*.yaml"))
    raise ConfigError(f"experiment must be the path of a file or one of {known}, got {name!r}")

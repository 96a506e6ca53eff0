"""config.yaml: which experiment, and how and where to run it.  Nothing here changes a result."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from weft.config.section import Section, read_yaml, validate
from weft.errors import ConfigError

EXPERIMENTS = Path("experiments")


class Settings(Section):
    """How to run; the keys of config.yaml."""

    experiment: str = Field(min_length=1)
    """Name of a file in experiments/ without .yaml, or the path of an experiment file."""
    offline: list[str]
    """Folders searched, in order, for files that would otherwise be downloaded."""
    device: Literal["auto", "cpu", "cuda"]
    """Where models run; auto takes the GPU where there is one."""
    train_processes: int = Field(gt=0)
    """DeepSpeed ranks per training run: GPUs, or CPU processes."""
    sample_shards: int = Field(gt=0)
    """Jobs that share the answers of one model to one benchmark at one length; merged, these are the same
    bytes as those of one job."""
    threads_per_process: int = Field(gt=0)
    """CPU threads of one model process."""

    def gpus(self, processes: int) -> int:
        """Say how many GPUs a job with this many processes occupies here; light, so without torch."""
        has_gpu = any(Path("/dev").glob("nvidia[0-9]*"))
        return processes if self.device == "cuda" or (self.device == "auto" and has_gpu) else 0


def read_settings(path: Path) -> Settings:
    """Read config.yaml by itself.

    Raises:
        ConfigError: the file is missing or wrong.
    """
    return validate(Settings, read_yaml(path), origin=str(path))


def resolve_settings(merged: Mapping[str, Any], *, default: Path, overlays: Sequence[Path]) -> Settings:
    """Make sense of what Snakemake merged from config.yaml, --configfile and --config.

    An experiment file may be given as ``--configfile``.  Snakemake merges it over config.yaml, deeply;
    here it is taken by itself instead, so that no key of one experiment leaks into another.

    Args:
        merged: Snakemake's ``config``.
        default: config.yaml.
        overlays: files given with ``--configfile``, in order.

    Returns:
        The checked settings; ``experiment`` is a path.

    Raises:
        ConfigError: unknown keys, wrong values or no such experiment.
    """
    content = dict(merged)
    for overlay in overlays:
        keys = read_yaml(overlay)
        if "kind" in keys or "name" in keys:  # an experiment file, not run settings
            content = {
                key: value
                for key, value in content.items()
                if key not in keys or key in Settings.model_fields
            }
            content["experiment"] = str(overlay)
    if isinstance(content.get("offline"), str):
        content["offline"] = [content["offline"]]
    settings = validate(Settings, content, origin=f"run settings ({default.name}, --configfile, --config)")
    return settings.model_copy(update={"experiment": str(find_experiment(settings.experiment))})


def find_experiment(name: str) -> Path:
    """Find an experiment file by name or path.

    Raises:
        ConfigError: there is none; the message lists those that exist.
    """
    for candidate in (Path(name), EXPERIMENTS / f"{name}.yaml"):
        if candidate.suffix == ".yaml" and candidate.is_file():
            return candidate
    known = sorted(file.stem for file in EXPERIMENTS.glob("*.yaml"))
    raise ConfigError(f"experiment must be a file or one of {known}, got {name!r}; see experiments/")

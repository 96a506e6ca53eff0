"""All checks before a long run, in order."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from weft.config import Experiment, StoredGenerations
from weft.config.places import find_path
from weft.config.settings import Settings
from weft.config.sources import CustomBenchmark, FileData
from weft.costs.stages import list_jobs
from weft.data.context import check_before_jobs
from weft.data.pins import pins_path
from weft.doctor.devices import check_devices, check_gpu_memory
from weft.doctor.file_system import check_file_system
from weft.doctor.finding import Finding, problem
from weft.doctor.locks import check_locks, check_snakemake
from weft.doctor.machine import (
    check_clock,
    check_compiler,
    check_memory,
    check_open_files,
    check_python,
    check_shared_memory,
)
from weft.doctor.material import (
    Folders,
    check_disk,
    check_files,
    check_generations,
    check_pins,
    list_downloads,
)
from weft.doctor.software import check_checkout, check_versions
from weft.errors import WeftError
from weft.layout import RESULTS, ResultLayout
from weft.plan import JobResources, describe_material, disk_need
from weft.records.full_disk import existing_folder
from weft.training.environment import extensions_folder


def examine(
    experiment: Experiment | None, file: Path | None, settings: Settings, offline: Sequence[str]
) -> Iterator[Finding]:
    """Look for what would stop or disturb a run in the working directory.

    Args:
        experiment: the experiment; None to look at the machine alone.
        file: its file.
        settings: the run settings.
        offline: folders that are searched before any download.

    Yields:
        Findings, in the order of the checks.
    """
    layout = ResultLayout.of(experiment.name if experiment is not None else "")
    folders = Folders(layout.root.absolute(), _hub_cache(), Path(tempfile.gettempdir()))
    yield from check_python()
    yield from check_versions()
    yield from check_checkout()
    yield from check_open_files()
    yield from check_shared_memory(settings.train_processes)
    yield from check_devices(settings)
    is_on_cpu = settings.gpus(1) == 0
    yield from check_compiler(
        extensions_folder(), is_needed=is_on_cpu and getattr(experiment, "training", None) is not None
    )
    for title, folder in _on_different_disks(folders.by_title()).items():
        yield from check_file_system(title, folder)
    yield from check_snakemake(Path.cwd())
    yield from check_locks(layout.root if experiment is not None else RESULTS)
    if experiment is None or file is None:
        yield from check_clock([RESULTS])
        yield from check_memory(None)
        yield from check_disk(folders, None)
        return
    yield from check_clock([file, *_user_files(experiment), layout.root])
    yield from _examine_material(experiment, file, settings, offline, folders)


def _examine_material(
    experiment: Experiment, file: Path, settings: Settings, offline: Sequence[str], folders: Folders
) -> Iterator[Finding]:
    """Compare what an experiment needs with what is there."""
    placed = ResultLayout.of(experiment.name).base
    if isinstance(experiment, StoredGenerations):
        yield from check_memory(None)
        yield from check_disk(folders, None)
        yield from check_generations(experiment, offline)
        return
    try:
        check_before_jobs(experiment, num_processes=settings.train_processes, offline=offline, placed=placed)
    except WeftError as error:
        yield problem("experiment", str(error), "correct the experiment or its files")
    described = describe_material(experiment, offline=offline, placed=placed)
    jobs = list_jobs(experiment, described.material, num_processes=settings.train_processes)
    yield from check_memory(JobResources(experiment, described.material, settings).largest_memory())
    yield from check_gpu_memory(experiment, described, settings)
    needs = list_downloads(experiment, offline=offline, pins=pins_path(file), placed=placed)
    assert needs is not None, "experiments with stored generations are checked above"
    download_bytes = needs.megabytes * 1e6
    yield from check_disk(folders, disk_need(experiment, described, jobs), download_bytes=download_bytes)
    yield from check_files(needs)
    yield from check_pins(pins_path(file), needs)


def _hub_cache() -> Path:
    from huggingface_hub.constants import HF_HUB_CACHE

    return Path(HF_HUB_CACHE)


def _on_different_disks(folders: dict[str, Path]) -> dict[str, Path]:
    """Return the first folder on each disk."""
    first: dict[int, str] = {}
    for title, folder in folders.items():
        first.setdefault(existing_folder(folder).stat().st_dev, title)
    return {title: folders[title] for title in first.values()}


def _user_files(experiment: Experiment) -> Iterator[Path]:
    """Yield the data files and benchmarks of the user that exist."""
    sources = [*getattr(experiment, "datasets", {}).values(), *getattr(experiment, "benchmarks", {}).values()]
    for source in sources:
        paths = source.path if isinstance(source, FileData) else []
        if isinstance(source, CustomBenchmark):
            paths = [source.path]
        yield from (file for path in paths if (file := find_path(path)).exists())

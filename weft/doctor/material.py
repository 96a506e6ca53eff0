"""Checks of what an experiment needs: space on disks, its files and models, the lock file of the hub."""

import os
import shutil
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from weft.config import Experiment, StoredGenerations
from weft.config.sources import HubModel
from weft.data.context import find_known_base
from weft.data.offline import find_generations
from weft.data.pins import find_pin
from weft.doctor.file_system import folder_size
from weft.doctor.finding import Finding, ok, problem, warning
from weft.errors import DataError, WeftError, name_some
from weft.plan import DiskNeed, Needs, find_needs
from weft.records.full_disk import existing_folder

SPARE_BYTES = 200e6
"""Space for temporary files, logs and records, in bytes, assumed; ``tiny`` writes less in all."""
MAX_NAMED = 3
"""Maximum number of files that a finding names."""
OFFLINE_VARIABLE = "HF_HUB_OFFLINE"
"""Environment variable that forbids the client of the hub to download."""


@dataclass(frozen=True)
class Folders:
    """The folders to which a run writes.

    Attributes:
        results: results of the experiment.
        cache: cache of the hub client, for downloads.
        temporary: temporary files of programs.
    """

    results: Path
    cache: Path
    temporary: Path

    def by_title(self) -> dict[str, Path]:
        """Return the folders by their names in messages."""
        return {"results": self.results, "hub cache": self.cache, "temporary files": self.temporary}


def check_disk(folders: Folders, need: DiskNeed | None, *, download_bytes: float = 0.0) -> Iterator[Finding]:
    """Compare the free space of each disk with what a run writes there.

    Args:
        folders: the folders to which it writes; several may be on one disk.
        need: space of the experiment; None if no experiment is named.
        download_bytes: size of the downloads that are known.

    Yields:
        A finding for each disk.
    """
    writes = {"results": SPARE_BYTES, "hub cache": download_bytes, "temporary files": SPARE_BYTES}
    if need is not None:
        present = folder_size(folders.results) if folders.results.is_dir() else 0
        writes["results"] += max(0.0, float(need.models + need.results) - present) + float(need.states)
    disks: dict[int, list[str]] = defaultdict(list)
    places = {title: existing_folder(folder) for title, folder in folders.by_title().items()}
    for title, place in places.items():
        disks[place.stat().st_dev].append(title)
    for titles in disks.values():
        place = places[titles[0]]
        free, needed = shutil.disk_usage(place).free, sum(writes[title] for title in titles)
        text = (
            f"{place} has {_format_size(free)} free, and {' and '.join(titles)} may take "
            f"{_format_size(needed)} more"
        )
        if free < needed:
            remedy = "free space, or run in a folder on a larger disk (HF_HOME and TMPDIR name the others)"
            yield problem("disk", text, remedy)
        else:
            yield ok("disk", text)


def _format_size(size: float | int) -> str:
    return f"{size / 1e9:.1f} GB"


def check_generations(experiment: StoredGenerations, offline: Sequence[str]) -> Iterator[Finding]:
    """Check that the stored generations of an experiment are there."""
    for benchmark in experiment.benchmarks:
        for length in experiment.gen_lengths:
            try:
                find_generations(experiment.generations, benchmark, length, offline)
            except DataError as error:
                text, _, remedy = str(error).rpartition("; ")
                yield problem("files", text, remedy)
                return
    yield ok("files", "all stored generations are there")


def list_downloads(
    experiment: Experiment, *, offline: Sequence[str], pins: Path | None, placed: Path
) -> Needs | None:
    """Return what an experiment needs, without a base model that an earlier run has placed.

    Args:
        experiment: the experiment.
        offline: folders that are searched before any download.
        pins: lock file of the experiment.
        placed: the base model as an earlier run of the workflow placed it, if it exists.

    Returns:
        What is there, missing and to download; None for an experiment with stored generations.
    """
    if isinstance(experiment, StoredGenerations):
        return None
    needs = find_needs(experiment, offline=offline, pins=pins)
    base = getattr(experiment, "base_model", None)
    is_placed = isinstance(base, HubModel) and find_known_base(base, offline, placed) == placed
    if isinstance(base, HubModel) and is_placed:
        remaining = {name: need for name, need in needs.downloads.items() if name != base.repo}
        return Needs(needs.shipped, needs.absent, needs.copies, remaining)
    return needs


def check_files(needs: Needs, environment: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    """Check that the files of the user are there, and that what is not can be downloaded.

    Args:
        needs: what the experiment needs.
        environment: environment variables.

    Yields:
        Findings.
    """
    for line in needs.absent:
        yield problem("files", line, "correct the path in the experiment file, or copy the file there")
    downloads = needs.downloads
    if downloads:
        size = _format_size(needs.megabytes * 1e6)
        unknown = f", {needs.num_unknown} of unknown size" if needs.num_unknown else ""
        text = f"{len(downloads)} downloads ({size}{unknown}): {name_some(downloads, MAX_NAMED)}"
        remedy = "copy them into an offline folder; weft plan lists their names and addresses"
        if environment.get(OFFLINE_VARIABLE, "0").upper() in {"1", "ON", "YES", "TRUE"}:
            yield problem("downloads", f"{text}, but {OFFLINE_VARIABLE} forbids it", remedy)
        else:
            yield warning("downloads", text, f"on a machine without network, {remedy}")
    if not needs.absent and not downloads:
        yield ok("files", f"{len(needs.copies) + len(needs.shipped)} models and files are at hand")


def check_pins(pins: Path, needs: Needs) -> Iterator[Finding]:
    """Check that the lock file of the experiment can be read, and written if something is not pinned yet.

    Args:
        pins: the lock file.
        needs: what the experiment needs.

    Yields:
        A finding.
    """
    try:
        find_pin(pins, "model", "any", "main")
    except WeftError as error:
        text, _, remedy = str(error).rpartition("; ")
        yield problem("pins", text, remedy)
        return
    unpinned = [
        name
        for name, need in {
            **needs.downloads,
            **{name: need for name, (need, _) in needs.copies.items()},
        }.items()
        if "recorded at the first use" in need.pinned
    ]
    place = pins if pins.exists() else existing_folder(pins.parent)
    if unpinned and not os.access(place, os.W_OK):
        yield problem(
            "pins",
            f"{place} cannot be written, to pin {', '.join(unpinned[:MAX_NAMED])}",
            "make it writable, or give commit and sha256 in the experiment file",
        )
    elif needs.downloads or needs.copies:
        yield ok("pins", f"{len(unpinned)} files or models are pinned at their first use, in {pins}")

"""The files in the results folder of an experiment, their provenance, and their computed digests."""

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

from weft.errors import DataError, WeftError
from weft.layout import PROVENANCE_ENDING, RESULTS, STORED_ENDING, ResultLayout
from weft.provenance import digest, file_sha256, is_content
from weft.records import Provenance
from weft.records.files import read_json

NOT_VERIFIED = frozenset({"logs", "timings", "trackers"})
"""Folders with logs and wall times, which no result depends on."""
_LAYOUT = ResultLayout(Path())
PAGE_FILES = frozenset(map(str, (_LAYOUT.page, _LAYOUT.all_answers, _LAYOUT.verification)))
"""Files that are written together with the page."""
PARTS_OF_KIND = {"data": 2, "report": 2}
"""Folder whose subfolders contain results of different kinds -> number of parts of a kind's name."""


def kind_of(name: str) -> str:
    """Return the kind of a result, given its path in the folder: ``scores``, ``data/questions``, ``base``."""
    if name in PAGE_FILES:
        return "report"
    parts = name.removesuffix(STORED_ENDING).split("/")
    return "/".join(parts[: PARTS_OF_KIND.get(parts[0], 1)])


class ResultTree:
    """A results folder, or a copy of one.

    Args:
        root: the folder.

    Attributes:
        root: the folder.
        files: paths of all files below it, except hidden files, logs, timings and provenance files.
        provenance: path of each result with provenance -> its provenance. A result of which only the
            provenance was stored has the ending ``.stored``.
        unreadable: path of each result whose provenance file is damaged -> what is wrong with it.

    Raises:
        DataError: there is no such folder, or no provenance in it.
    """

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise DataError(
                f"{root}: expected the folder of an experiment's results, got none; check the path"
            )
        self.root = root
        self.files: list[str] = []
        self.provenance: dict[str, Provenance] = {}
        self.unreadable: dict[str, str] = {}
        for name in _list_files(root):
            if not name.endswith(PROVENANCE_ENDING):
                self.files.append(name)
                continue
            result = name.removesuffix(PROVENANCE_ENDING)
            try:
                self.provenance[result] = read_json(root / name, Provenance)
            except WeftError as error:
                self.unreadable[result] = str(error)
        if not self.provenance:
            raise DataError(
                f"{root}: expected results with provenance files, got none; name the folder of an "
                "experiment, such as results/tiny"
            )
        self._digests: dict[str, str] = {}

    @cached_property
    def experiment(self) -> str:
        """Name of the experiment to which most of the results belong."""
        names = Counter(item.experiment for item in self.provenance.values() if item.experiment)
        return names.most_common(1)[0][0] if names else ""

    @cached_property
    def is_stored(self) -> bool:
        """True if only the provenance of some results was stored, so that their inputs need not be there."""
        return any(name.endswith(STORED_ENDING) for name in self.provenance)

    def exists(self, name: str) -> bool:
        """Return True if there is such a file or folder; a pipe or a device is neither."""
        path = self.root / name
        return path.is_file() or path.is_dir()

    def is_folder(self, name: str) -> bool:
        """Return True if there is such a folder."""
        return (self.root / name).is_dir()

    def digest(self, name: str) -> str:
        """Return the SHA-256 of a file or folder, whose files are read; see `weft.provenance.file_sha256`."""
        if name not in self._digests:
            path = self.root / name
            self._digests[name] = digest(self.digests_below(name)) if path.is_dir() else file_sha256(path)
        return self._digests[name]

    def digests_below(self, name: str) -> dict[str, str]:
        """Return the path of each file of a folder -> its SHA-256."""
        folder = self.root / name
        names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
        return {file: self.digest(f"{name}/{file}") for file in names if is_content(Path(file))}

    def owner(self, name: str) -> str | None:
        """Return the result to which a file belongs: itself, or a folder with provenance that contains it."""
        parts = name.split("/")
        for count in range(len(parts), 0, -1):
            path = "/".join(parts[:count])
            for result in (path, f"{path}{STORED_ENDING}"):
                if result in self.provenance or result in self.unreadable:
                    return result
        return None

    def list_used(self, inputs: Iterable[str] | None) -> set[str]:
        """Return the results on which the page depends, directly or not, and the exported models.

        Args:
            inputs: paths from which a page is about to be made; None for the page that is there.

        Returns:
            Paths of the results; all of them if there is no page.
        """
        page = str(_LAYOUT.page)
        if inputs is None and page not in self.provenance:
            return {*self.provenance, *self.unreadable}
        pending = [name for name in self.provenance if kind_of(name) == "exports"]
        pending += [page] if inputs is None else self._owners(inputs)
        used: set[str] = set()
        while pending:
            name = pending.pop()
            if name not in used:
                used.add(name)
                pending += self._owners(self.provenance[name].inputs) if name in self.provenance else []
        return used

    def _owners(self, recorded: Iterable[str]) -> list[str]:
        """Return the results to which inputs belong, as far as they lie in this folder."""
        places = (self.locate(path) for path in recorded)
        owners = (self.owner(place) for place in places if place is not None)
        return [owner for owner in owners if owner is not None]

    def locate(self, recorded: str) -> str | None:
        """Return the path in this folder of an input that was recorded; None for a file from elsewhere.

        Results are recorded as ``results/NAME/...`` relative to the folder in which the workflow ran. The
        folder may have been moved since.
        """
        parts = Path(recorded).parts
        if not _is_path(recorded):
            return None
        for index in range(len(parts) - 2, 0, -1):
            if (parts[index - 1], parts[index]) == (RESULTS.name, self.experiment):
                rest = parts[index + 1 :]
                return None if ".." in rest else "/".join(rest)  # it would lead out of the folder
        path = Path(recorded).resolve()
        if path.is_relative_to(self.root.resolve()):
            return path.relative_to(self.root.resolve()).as_posix()
        return self._locate_by_end(parts)

    def _locate_by_end(self, parts: Sequence[str]) -> str | None:
        """Return the longest end of a path that is a result, in a folder not made by the workflow."""
        ends = ("/".join(parts[index:]) for index in range(len(parts)))
        return next((end for end in ends if end in self.provenance and self.exists(end)), None)


def _is_path(text: str) -> bool:
    """Return True for a text that can be the path of a file."""
    try:
        Path(text).stat()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return True
    except (OSError, ValueError):  # it is too long, or has a character that no path has
        return False
    return True


def _list_files(root: Path) -> list[str]:
    """Return the paths of all files that are not hidden, nor logs or timings, sorted.

    Folders that are symbolic links are listed too, each once: results may lie on another disk.
    """
    names, visited = [], set()
    for folder, folders, files in os.walk(root, followlinks=True):
        place, real = Path(folder).relative_to(root), os.path.realpath(folder)
        if real in visited:
            folders.clear()
            continue
        visited.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if place == Path():
            folders[:] = [name for name in folders if name not in NOT_VERIFIED]
        shown = [name for name in files if not name.startswith(".") and (Path(folder) / name).is_file()]
        names += [(place / name).as_posix() for name in shown]
    return sorted(names)

"""Where the files are that an experiment names, whatever the directory in which weft runs.

A relative path in an experiment file is looked up in the folder of this file first (`UserPath`), and then,
like every other path, in the working directory, where the results are written as well. What the working
directory lacks is looked up in the checkout: the shipped experiments and their base model, config.yaml, the
examples, and the offline folders of config.yaml.
"""

import os
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, PlainSerializer

from weft.errors import ConfigError
from weft.layout import PACKAGE, SHIPPED_FILES

CHECKOUT = SHIPPED_FILES if SHIPPED_FILES.is_dir() else PACKAGE.parent
"""Root of the repository; in an installed package, the folder with copies of the files that weft uses."""

SNAKEMAKE_RECORDS = ".snakemake"
"""Folder in the working directory in which Snakemake keeps its records."""
JOBS_PACKAGE = Path(SNAKEMAKE_RECORDS, "weft")
"""Folder for a link to an installed package, beside Snakemake's own records."""


class FoundPath(str):
    """A path that an experiment file gives relative to its own folder.

    The text is the path from the working directory, so that `find_path` returns it. The settings on which
    the jobs depend, and the provenance, have the path as it is written in the file.
    """

    __slots__ = ("written",)

    written: str
    """The path in the experiment file."""

    def __new__(cls, path: str, written: str) -> "FoundPath":
        """Return the path with the text that is written in the file."""
        text = super().__new__(cls, path)
        text.written = written
        return text

    def __getnewargs__(self) -> tuple[str, str]:  # type: ignore[override]
        """Return the arguments that make a copy."""
        return str(self), self.written


def as_written(path: str) -> str:
    """Return a path as it is written in the experiment file."""
    return path.written if isinstance(path, FoundPath) else path


def _look_beside(path: str, info: Any) -> str:
    """Return the path in the folder of the experiment file, if there is a file or folder of that name.

    ``info`` is pydantic's ValidationInfo, a protocol that the type checks during tests cannot resolve.
    """
    if not path or path.startswith("~") or Path(path).is_absolute():
        return path
    for folder in (info.context or {}).get("folders", ()):
        candidate = Path(folder) / path
        if os.path.exists(candidate):  # noqa: PTH110 - False for a name that no file can have
            return FoundPath(str(in_one_spelling(candidate)), path)
    return path


UserPath = Annotated[str, AfterValidator(_look_beside), PlainSerializer(as_written)]
"""Type of a key of an experiment that is the path of a file or folder."""


def find_path(path: str | Path) -> Path:
    """Find a file or folder that an experiment or a setting names.

    Args:
        path: its path; ``~`` stands for the home directory.

    Returns:
        The path in the working directory, or the one in the checkout if it exists only there.
    """
    given = expand_home(path)
    shipped = CHECKOUT / given
    return shipped if shipped.exists() and not given.exists() else given


def expand_home(path: str | Path) -> Path:
    """Return the path with the home directory in place of a leading ``~``, if there is one."""
    try:
        return Path(path).expanduser()
    except RuntimeError:  # ~name, and there is no such user
        return Path(path)


def in_one_spelling(path: Path) -> Path:
    """Return a path relative to the working directory if it is below it, and an absolute path otherwise.

    Inputs of jobs have this form, so that another spelling runs no job again, also if a symbolic link leads
    to the working directory.
    """
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 - keeps symbolic links, unlike Path.resolve
    here = Path.cwd()
    for folder in (absolute, *absolute.parents):
        if folder == here or (folder.exists() and folder.samefile(here)):
            return absolute.relative_to(folder)
    return absolute


def require_writable_records(folder: Path) -> None:
    """Check that Snakemake can write its records in a working directory, before it fails with a traceback.

    Args:
        folder: the working directory.

    Raises:
        ConfigError: the directory, or a folder of records in it, belongs to another user or is read-only.
    """
    records = folder / SNAKEMAKE_RECORDS
    is_used = os.path.isdir(records)  # noqa: PTH112 - False for a folder that may not be read
    _require_writable(records if is_used else folder)
    for place in records.iterdir() if is_used else ():
        if place.is_dir():
            _require_writable(place)


def _require_writable(place: Path) -> None:
    if not os.access(place, os.R_OK | os.W_OK | os.X_OK):
        raise ConfigError(
            f"{place} must be a folder that you may write, because Snakemake keeps its records there; it "
            f"belongs to {_owner(place)}. Work in a copy of your own, or give another folder: snakemake "
            "--directory FOLDER"
        )


def _owner(path: Path) -> str:
    """Return the name of the owner of a path, or the number of a user without a name."""
    try:
        return f"the user {path.owner()}"
    except KeyError:
        return f"the user with the number {path.stat().st_uid}"
    except OSError:  # a folder above may not be read
        return "another user"


def run_jobs_from_checkout() -> None:
    """Make the jobs of this process import weft from the checkout, whether or not it is installed.

    If this process runs an installed package, its jobs import this package, whatever their environment is.
    """
    folder = _link_package() if CHECKOUT == SHIPPED_FILES else CHECKOUT
    places = [str(folder), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, places))


def _link_package() -> Path:
    """Return a folder below the working directory that contains a link to the installed package alone.

    The packages beside it may not fit the Python of a job, which conda can have installed.
    """
    folder = Path.cwd() / JOBS_PACKAGE
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / PACKAGE.name
    if not link.is_symlink() or link.readlink() != PACKAGE:
        new = folder / f".{os.getpid()}.new"
        new.symlink_to(PACKAGE, target_is_directory=True)
        new.replace(link)  # also if another process has made the link in between
    return folder

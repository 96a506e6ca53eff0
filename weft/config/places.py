"""Where the files are that an experiment names, whatever the directory in which weft runs.

Relative paths refer to the working directory, where the results are written as well. What the working
directory lacks is looked up in the checkout: the shipped experiments and their base model, config.yaml, the
examples, and the offline folders of config.yaml.
"""

import os
from pathlib import Path

from weft.layout import PACKAGE, SHIPPED_FILES

CHECKOUT = SHIPPED_FILES if SHIPPED_FILES.is_dir() else PACKAGE.parent
"""Root of the repository; in an installed package, the folder with copies of the files that weft uses."""

JOBS_PACKAGE = Path(".snakemake/weft")
"""Folder for a link to an installed package, beside Snakemake's own records."""


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

    Jobs get the path of the experiment in this form, so that another spelling runs no job again.
    """
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 - keeps symbolic links, unlike Path.resolve
    here = Path.cwd()
    return absolute.relative_to(here) if absolute.is_relative_to(here) else absolute


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

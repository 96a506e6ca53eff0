"""Where the files are that an experiment names, whatever the directory in which weft runs.

Relative paths refer to the working directory, where the results are written as well. What the working
directory lacks is looked up in the checkout: the shipped experiments and their base model, config.yaml, the
examples, and the offline folders of config.yaml.
"""

import os
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
"""Root of the repository; without the other files of the repository if only the package is installed."""


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
    """Make the jobs of this process import weft from the checkout, whether or not it is installed."""
    places = [str(CHECKOUT), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, places))

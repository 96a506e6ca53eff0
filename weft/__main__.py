"""The command line, ``python -m weft``."""

import gc
import tempfile
from pathlib import Path

from weft.cli import app
from weft.errors import exit_on_error
from weft.records.full_disk import explain_full_disk, reserve_log_space


def main() -> None:
    """Run the command line; print an error as a single message and exit with code 2."""
    gc.set_threshold(50_000)  # imports of large libraries leave no garbage to collect
    reserve_log_space()
    # Results are written below the current folder, and libraries use the other two.
    with exit_on_error(), explain_full_disk(Path.cwd(), Path(tempfile.gettempdir()), Path.home()):
        app()


if __name__ == "__main__":
    main()

"""The command line, ``python -m weft``."""

import gc

from weft.cli import app
from weft.errors import exit_on_error


def main() -> None:
    """Run the command line; print an error as a single message and exit with code 2."""
    gc.set_threshold(50_000)  # imports of large libraries leave no garbage to collect
    with exit_on_error():
        app()


if __name__ == "__main__":
    main()

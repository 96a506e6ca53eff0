"""``python -m weft``: run a subcommand; print what went wrong in one message, exit code 2."""

import sys

from weft.cli import app
from weft.errors import WeftError


def main() -> None:
    """Run the command line."""
    try:
        app()
    except WeftError as error:
        print(f"weft: error: {error}", file=sys.stderr)  # noqa: T201 - this is the command line
        sys.exit(2)


if __name__ == "__main__":
    main()

"""``python -m weft``: run a subcommand; print what went wrong in one message, exit code 2."""

import sys

from weft.cli import app
from weft.errors import WeftError, describe_error


def main() -> None:
    """Run the command line."""
    try:
        app()
    except (WeftError, OSError) as error:  # a full disk, a file that may not be written
        text = str(error) if isinstance(error, WeftError) else describe_error(error)
        print(f"weft: error: {text}", file=sys.stderr)  # noqa: T201 - this is the command line
        sys.exit(2)


if __name__ == "__main__":
    main()

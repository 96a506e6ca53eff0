"""The command line, ``python -m weft``."""

from weft.cli import app
from weft.errors import exit_on_error


def main() -> None:
    """Run the command line; print an error as a single message and exit with code 2."""
    with exit_on_error():
        app()


if __name__ == "__main__":
    main()

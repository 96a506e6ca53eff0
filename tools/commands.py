"""What the commands of the tools have in common."""

from collections.abc import Iterator
from contextlib import contextmanager

from weft.config import FineTuning, find_experiment, load_experiment
from weft.errors import ConfigError, WeftError


@contextmanager
def brief_errors() -> Iterator[None]:
    """Print an expected error as one message, without a traceback, and exit with status 1."""
    try:
        yield
    except WeftError as error:
        raise SystemExit(f"error: {error}") from None


def load_fine_tuning(name: str) -> FineTuning:
    """Load an experiment by its path or name.

    Raises:
        ConfigError: the experiment is not found or wrong, or it does not fine-tune a model.
    """
    experiment = load_experiment(find_experiment(name))
    if not isinstance(experiment, FineTuning):
        raise ConfigError(f"{name}: the experiment must be of kind fine-tuning, got {experiment.kind}")
    return experiment

"""Exceptions for errors whose cause lies outside weft, such as invalid files, settings or models.

A message states what is required, which value was found, and what to do. Each exception also inherits a
built-in exception, so that other code can catch it without importing weft. The command line prints the
message without a traceback and exits with code 2.
"""

import difflib
import functools
import inspect
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
ValueT = TypeVar("ValueT")

SHOWN_CHARACTERS = 120
"""Length to which a wrong value is truncated in a message."""
MESSAGE_CHARACTERS = 600
"""Length to which the description of a single offence in a file is truncated."""


class WeftError(Exception):
    """Base class of all exceptions whose cause lies outside weft."""


class ConfigError(WeftError, ValueError):
    """An experiment file or the run settings are not valid."""


class DataError(WeftError, ValueError):
    """A data file is missing, changed or malformed."""


class MaskingError(WeftError, ValueError):
    """An example has no token that may be masked."""


class CheckpointError(WeftError, ValueError):
    """A model directory cannot be loaded or written."""


class SamplingError(WeftError, ValueError):
    """A sampling setting or a prompt is not valid, or does not fit the model."""


class ScoringError(WeftError, ValueError):
    """A generation file cannot be read or scored."""


class ScoringSetupError(WeftError, RuntimeError):
    """A program that a scorer needs is missing on this machine."""


class DiskFullError(WeftError, RuntimeError):
    """No space is left on a device. It is no OSError, which may be taken for an unreadable input."""


class TrainingError(WeftError, RuntimeError):
    """Training cannot start, or must stop."""


def show(value: object, limit: int = SHOWN_CHARACTERS) -> str:
    """Return the ``repr`` of a value, truncated.

    Only the part that is shown is built: the ``repr`` of a list whose items are the same list many times
    over can be larger than the memory.

    Args:
        value: a value from a file: a text, a number, or a list or an object of such values.
        limit: characters that are shown.

    Returns:
        The text, which ends with dots if it was truncated.
    """
    text = ""
    for part in _pieces(value, limit):
        text += part
        if len(text) > limit:
            return f"{text[:limit]}..."
    return text


def _pieces(value: object, limit: int) -> Iterator[str]:
    """Yield the parts of the ``repr`` of a value, none of which is much longer than the limit."""
    if isinstance(value, dict):
        yield "{"
        for index, (key, item) in enumerate(value.items()):
            yield ", " if index else ""
            yield from _pieces(key, limit)
            yield ": "
            yield from _pieces(item, limit)
        yield "}"
    elif type(value) in (list, tuple):
        assert isinstance(value, list | tuple)
        opening, closing = ("[", "]") if isinstance(value, list) else ("(", ",)" if len(value) == 1 else ")")
        yield opening
        for index, item in enumerate(value):
            yield ", " if index else ""
            yield from _pieces(item, limit)
        yield closing
    elif isinstance(value, str | bytes):
        yield repr(value) if len(value) <= limit else repr(value[: limit + 1])[:-1]
    elif isinstance(value, int) and value.bit_length() > 4 * limit:
        yield "a very large number"  # Python refuses to write an integer of more than 4,300 digits
    else:
        yield repr(value)


def shorten(text: str, limit: int = MESSAGE_CHARACTERS) -> str:
    """Return a text, truncated to a number of characters; dots follow a truncated one."""
    return text if len(text) <= limit else f"{text[:limit]}..."


def name_some(names: Collection[str], limit: int = 1) -> str:
    """Return the first names, separated by commas, and how many more there are."""
    more = len(names) - limit
    return ", ".join([*names][:limit]) + (f" and {more} more" if more > 0 else "")


def describe_error(error: BaseException) -> str:
    """Format an exception as ``Type: message``, or as its type if its ``__str__`` raises."""
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:
        return type(error).__name__


def find_by_name(
    what: str, name: str, choices: Mapping[str, ValueT], *, error: type[WeftError] = ConfigError
) -> ValueT:
    """Find a value by its name.

    Args:
        what: kind of the value, for the message, such as "the benchmark".
        name: name of the value.
        choices: name -> value.
        error: class of the exception.

    Returns:
        The value.

    Raises:
        WeftError: no value has that name; the message lists the names.
    """
    if name not in choices:
        raise error(
            f"{what} must be one of {sorted(choices)}, got {name[:SHOWN_CHARACTERS]!a}; correct its name"
        )
    return choices[name]


def explain_arguments(
    error: type[WeftError], other_names: Mapping[str, str]
) -> Callable[[Callable[Arguments, ValueT]], Callable[Arguments, ValueT]]:
    """Decorate a public function so that unknown and missing arguments are explained.

    Args:
        error: class of the exception, instead of Python's TypeError.
        other_names: name of an argument in other libraries -> its name in the function.

    Returns:
        The decorator.
    """

    def decorate(function: Callable[Arguments, ValueT]) -> Callable[Arguments, ValueT]:
        name = function.__qualname__.removesuffix(".__init__")  # a class is called by its own name
        parameters = {
            key: item for key, item in inspect.signature(function).parameters.items() if key != "self"
        }
        num_bound = len(inspect.signature(function).parameters) - len(parameters)
        positional = [key for key, item in parameters.items() if item.kind is not item.KEYWORD_ONLY]
        required = [key for key, item in parameters.items() if item.default is item.empty]

        @functools.wraps(function)
        def checked(*args: Arguments.args, **kwargs: Arguments.kwargs) -> ValueT:
            num_given = len(args) - num_bound
            by_position = positional[:num_given]
            unknown = [key for key in kwargs if key not in parameters]
            missing = [key for key in required if key not in {*by_position, *kwargs}]
            if unknown:
                meant = [_explain_argument(key, list(parameters), other_names) for key in unknown]
                raise error(f"{name} has no argument {', and no '.join(meant)}")
            if num_given > len(positional):
                raise error(
                    f"{name} must be called with only {' and '.join(positional)} by position, "
                    f"got {num_given} arguments; give the others by name"
                )
            if missing:
                raise error(
                    f"{name} must be called with {', '.join(required)}; missing: {', '.join(missing)}"
                )
            if twice := [key for key in by_position if key in kwargs]:
                raise error(f"{name} must be called with {twice[0]} once, got it by position and by name")
            return function(*args, **kwargs)

        return checked

    return decorate


def _explain_argument(name: str, known: Sequence[str], other_names: Mapping[str, str]) -> str:
    """Return an unknown argument with the name that was probably meant, or with all names."""
    meant = other_names.get(name) or next(iter(difflib.get_close_matches(name, known, n=1)), None)
    return f"{name!r} (here it is {meant})" if meant else f"{name!r} (there are {', '.join(known)})"


EXTRAS = {
    "deepspeed": "deepspeed",
    "snakemake": "workflow",
    "lm_eval": "eval",
    "tensorboard": "trackers",
    "trackio": "trackers",
}
"""Optional module -> extra of the package that installs it."""


def explain_missing_module(error: ModuleNotFoundError) -> str | None:
    """Return a message that says how to install the module that an import lacks; None for one of weft."""
    module = (error.name or "").partition(".")[0]
    if module in {"", "weft"}:
        return None
    extra = f"[{EXTRAS[module]}]" if module in EXTRAS else ""
    return (
        f"this command needs the Python module {module!r}, which is not installed in {sys.prefix}; "
        f"install it with: python -m pip install 'weft-dllm{extra}'"
    )


@contextmanager
def exit_on_error() -> Iterator[None]:
    """Print an error of weft or of the operating system as a single message and exit with code 2.

    A package that is not installed is such an error as well.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        message = explain_missing_module(error)
        if message is None:
            raise
        print(f"weft: error: {message}", file=sys.stderr)  # noqa: T201 - for the command line
        sys.exit(2)
    except (WeftError, OSError) as error:  # OSError: a file that may not be written
        text = str(error) if isinstance(error, WeftError) else describe_error(error)
        print(f"weft: error: {text}", file=sys.stderr)  # noqa: T201 - for the command line
        sys.exit(2)

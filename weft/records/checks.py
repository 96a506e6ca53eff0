"""What was found in a training set before a training."""

import re
from collections.abc import Sequence

from pydantic import Field

from weft.records.base import Count, Record

MAX_PLACES = 10
"""Number of examples that a message names."""


class DataCheck(Record):
    """Comparison of a training set with the test questions; the file ``checks/<data set>.json``."""

    dataset: str
    """Name of the training set."""
    num_examples: Count
    """Number of training examples that were compared, held-out examples included."""
    num_questions: dict[str, int]
    """Number of test questions of each benchmark."""
    longest_prompts: dict[str, int]
    """Tokens of the longest prompt of each benchmark, with the beginning of the answer."""
    num_with_test_question: Count = Field(ge=0)
    """Number of training examples in which a turn of the user is a test question."""
    places: tuple[str, ...] = Field(default=(), strict=False)
    """Places of the first of them, such as "FILE, line N"."""
    first_question: str | None = None
    """A test question that is in the first of them."""
    first_benchmark: str | None = None
    """Benchmark of this question."""


def join_places(places: Sequence[str], *, total: int) -> str:
    """Join places of examples for a message, those in the same file as a list of their lines.

    Args:
        places: the first places, such as "FILE, line N".
        total: number of all places, of which the others are counted only.

    Returns:
        For example "FILE, lines 3, 17, 20 and 5 more".
    """
    groups: dict[str, list[str]] = {}
    for place in places:
        match = re.fullmatch(r"(.*, (?:line|row)) ([0-9]+)", place, flags=re.DOTALL)
        groups.setdefault(match[1] if match else place, []).extend([match[2]] if match else [])
    parts = [
        f"{name}{'s' if len(numbers) > 1 else ''} {', '.join(numbers)}" if numbers else name
        for name, numbers in groups.items()
    ]
    more = total - len(places)
    return f"{'; '.join(parts)}{f' and {more} more' if more else ''}"

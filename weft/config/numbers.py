"""Types of the whole numbers in settings, all of which have a largest value.

A number that is far too large is then an error with the line of its file, and does not fail in a job hours
later, or fill the memory.
"""

from typing import Annotated

from pydantic import Field

from weft.records.base import MAX_COUNT

MAX_SEED = 2**32 - 1
"""Largest seed that NumPy, and with it transformers, accepts."""

Size = Annotated[int, Field(gt=0, le=MAX_COUNT)]
"""Number of things of which there is at least one."""
CountFromZero = Annotated[int, Field(ge=0, le=MAX_COUNT)]
"""Number of things of which there may be none."""
Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]
"""Seed of a random number generator."""

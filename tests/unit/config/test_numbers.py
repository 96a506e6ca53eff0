import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from weft.config.numbers import MAX_SEED, CountFromZero, Seed, Size


def test_the_largest_seed_is_that_of_numpy():
    assert TypeAdapter(Seed).validate_python(MAX_SEED) == MAX_SEED
    np.random.seed(MAX_SEED)
    with pytest.raises(ValueError, match="Seed must be between"):
        np.random.seed(MAX_SEED + 1)


@pytest.mark.parametrize(
    ("kind", "value"), [(Seed, MAX_SEED + 1), (Seed, -1), (Size, 0), (Size, 10**9 + 1), (CountFromZero, -1)]
)
def test_numbers_outside_their_range_are_refused(kind, value):
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(value)

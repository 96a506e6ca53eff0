"""Correction of p-values for the number of tests.

holm([0.01, 0.04, 0.03])   is   [0.03, 0.06, 0.06]
"""

from collections.abc import Sequence

import numpy as np

from weft.errors import ScoringError
from weft.stats.resampling import Floats


def holm(p_values: Sequence[float] | Floats) -> Floats:
    """Correct p-values so that the chance of even one false finding stays below the level.

    The smallest is multiplied by the number of tests, the next by one less, and so on; none may be
    smaller than one before it.  This holds however the tests depend on each other, which here they do:
    many share their control and all of them their questions.

    Args:
        p_values: one per test, 0 to 1, in any order.

    Returns:
        The corrected values in the same order, at most 1.

    Raises:
        ScoringError: a value is not within 0 to 1.

    Source:
        S. Holm, Scand. J. Stat. 6 (1979) 65.
    """
    values = np.asarray(p_values, dtype=np.float64)
    if not ((values >= 0) & (values <= 1)).all():
        raise ScoringError(
            f"p-values must be within 0 to 1, got {values.tolist()}; compare the methods again"
        )
    order = np.argsort(values, kind="stable")
    stepped = values[order] * np.arange(values.size, 0, -1)
    corrected = np.empty_like(values)
    corrected[order] = np.maximum.accumulate(stepped).clip(max=1)
    return corrected

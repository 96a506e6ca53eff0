"""Correction of p-values for multiple testing.

holm([0.01, 0.04, 0.03])  ->  [0.03, 0.06, 0.06]
"""

from collections.abc import Sequence

import numpy as np

from weft.errors import ScoringError
from weft.stats.credit import Floats


def holm(p_values: Sequence[float] | Floats) -> Floats:
    """Correct p-values by Holm's step-down method, which controls the family-wise error rate.

    The smallest of m p-values is multiplied by m, the second smallest by m - 1, and so on; no corrected
    value is smaller than the value before it. The method holds for any dependence between the tests. Here
    many tests share their control, and all of them share their questions.

    Args:
        p_values: p-values of the tests in any order, from 0 to 1.

    Returns:
        The corrected p-values in the same order, at most 1.

    Raises:
        ScoringError: a p-value does not lie between 0 and 1.

    Source:
        S. Holm, Scand. J. Stat. 6 (1979) 65.
    """
    values = np.asarray(p_values, dtype=np.float64)
    if not ((values >= 0) & (values <= 1)).all():
        raise ScoringError(
            f"p-values must lie between 0 and 1, got {values.tolist()}; compare the methods again"
        )
    order = np.argsort(values, kind="stable")
    stepped = values[order] * np.arange(values.size, 0, -1)
    corrected = np.empty_like(values)
    corrected[order] = np.maximum.accumulate(stepped).clip(max=1)
    return corrected

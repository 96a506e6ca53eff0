"""Sentences about differences of averages that depend on a single training seed."""

from collections.abc import Iterator

import pandas as pd

from weft.config import Experiment
from weft.report.labels import percent, summary_benchmark
from weft.report.tables import Tables

FEWEST_SEEDS = 3
LEAST_DISTANCE, LEAST_RATIO = 0.02, 5
"""A seed is apart if its difference lies more than this from that of all others (as a fraction), and if this
distance is more than so many times the range of the others."""


def describe_single_seeds(experiment: Experiment, tables: Tables) -> Iterator[str]:
    """Yield a sentence for each training set and length with a seed far apart from all others.

    Args:
        experiment: the experiment.
        tables: its tables; without the table of seeds, nothing is found.

    Yields:
        Sentences that name the seed, its difference and the range of the others.
    """
    if "seeds" not in tables:
        return
    seeds = tables["seeds"]
    averages = seeds[seeds["benchmark"] == summary_benchmark(experiment)]
    for (dataset, _), rows in averages.groupby(["dataset", "gen_length"], sort=False):
        apart = _find(rows.set_index("seed")["difference"])
        if apart is not None:
            seed, difference, others = apart
            ends = " to ".join(percent(value, is_signed=True) for value in (others.min(), others.max()))
            yield (
                f"The difference trained on {dataset} depends on training seed {seed}: it is "
                f"{percent(difference, is_signed=True)} points with this seed, and {ends} with the others."
            )


def _find(differences: pd.Series) -> tuple[int, float, pd.Series] | None:
    """Return the seed that is apart, its difference and those of the others; None if there is none."""
    if len(differences) < FEWEST_SEEDS:
        return None
    for seed, difference in differences.items():
        others = differences.drop(seed)
        distance = max(others.min() - difference, difference - others.max())
        if distance > LEAST_DISTANCE and distance > LEAST_RATIO * (others.max() - others.min()):
            return int(str(seed)), float(difference), others
    return None

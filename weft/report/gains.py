"""Gains of fine-tuning over the base model, and of a method over the control of the main contrast."""

import pandas as pd

from weft.config import BASE_RUN, FineTuning
from weft.report.labels import summary_benchmark

GAIN_COLUMNS = (
    "method", "dataset", "gen_length", "num_seeds", "base", "mean", "gain", "relative_gain",
    "relative_gain_low", "relative_gain_high",
)  # fmt: skip


def compute_gains(experiment: FineTuning, methods: pd.DataFrame, intervals: pd.DataFrame) -> pd.DataFrame:
    """Compute by how much each method raises the accuracy of the base model, averaged over benchmarks.

    Args:
        experiment: the experiment.
        methods: the accuracies of base model and methods by one scoring, as fractions, with the columns
            method, dataset, benchmark, gen_length, num_seeds and mean.
        intervals: intervals of the relative gains, see `weft.stats.Aggregate.relative_gains`.

    Returns:
        A table with the columns `GAIN_COLUMNS` and a row per method, training set and length. ``base`` and
        ``mean`` are accuracies, ``gain`` is their difference, and ``relative_gain`` is the gain divided by
        that of the control on the same training set, minus one; it is NaN for the control itself and if
        the control gains nothing or is the base model. Its interval is NaN where ``intervals`` has none.

    Source:
        Table 1 of the paper, whose relative improvements of 39, 64 and 83 % follow from its averages by
        this formula.
    """
    averages = methods[methods["benchmark"] == summary_benchmark(experiment)]
    is_base = averages["method"] == BASE_RUN
    base = averages[is_base].set_index("gen_length")["mean"]
    trained = averages[~is_base].reset_index(drop=True)
    trained = trained.assign(base=trained["gen_length"].map(base))
    trained["gain"] = trained["mean"] - trained["base"]
    control = experiment.gain_control
    keys = ["dataset", "gen_length"]
    of_control = trained[trained["method"] == control][[*keys, "gain"]]
    control_gain = trained[keys].merge(of_control, on=keys, how="left")["gain"]
    relative = trained["gain"] / control_gain - 1
    is_defined = (trained["method"] != control) & (control_gain > 0)
    table = trained.assign(relative_gain=relative.where(is_defined))
    return table.merge(intervals, on=["method", *keys], how="left")[list(GAIN_COLUMNS)]

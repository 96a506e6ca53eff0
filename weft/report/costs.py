"""What a training step of every method costs beside the control of the main contrast."""

import pandas as pd

from weft.config import FineTuning

COST_COLUMNS = (
    "method", "dataset", "num_seeds", "seconds_per_step", "control", "ratio", "ratio_low", "ratio_high",
)  # fmt: skip


def compare_costs(experiment: FineTuning, timings: pd.DataFrame) -> pd.DataFrame:
    """Divide the seconds per optimiser step by those of the control.

    Args:
        experiment: the experiment.
        timings: a row per run: method, dataset, seed, seconds_per_step.

    Returns:
        A row per method and data set: num_seeds; seconds_per_step, the median over seeds; control, the
        main contrast's; ratio, that of the medians; ratio_low and ratio_high, the smallest and largest
        ratio of two runs with the same seed.
    """
    control = experiment.contrast[1]
    rows = []
    for dataset in experiment.datasets:
        own = timings[timings["dataset"] == dataset]
        seconds = own.pivot_table(index="seed", columns="method", values="seconds_per_step")
        ratios = seconds.div(seconds[control], axis="index")
        for method in experiment.methods:
            middle, ratio = seconds[method].median(), ratios[method]
            numbers = (middle / seconds[control].median(), ratio.min(), ratio.max())
            rows.append((method, dataset, len(ratio), middle, control, *numbers))
    return pd.DataFrame(rows, columns=list(COST_COLUMNS))

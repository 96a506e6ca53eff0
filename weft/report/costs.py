"""Wall times of training, and the cost of an optimiser step relative to that of the control."""

import pandas as pd

from weft.config import Experiment, FineTuning
from weft.report.results import Results

COST_COLUMNS = (
    "method", "dataset", "num_seeds", "seconds_per_step", "control", "ratio", "ratio_low", "ratio_high",
)  # fmt: skip


def list_timings(experiment: Experiment, results: Results) -> pd.DataFrame:
    """Return the wall times of all trained runs, one row per run.

    Args:
        experiment: the experiment.
        results: its results.

    Returns:
        The columns run, method, dataset, seed, and the fields of `weft.records.Timing`.
    """
    return pd.DataFrame(
        [
            {"run": run.run_id, "method": run.method, "dataset": run.dataset, "seed": run.seed}
            | results.timings[run.run_id].model_dump()
            for run in experiment.trained_runs
        ]
    )


def compare_costs(experiment: FineTuning, timings: pd.DataFrame) -> pd.DataFrame:
    """Divide the seconds per optimiser step of each method by those of the main contrast's control.

    Args:
        experiment: the experiment.
        timings: one row per run with method, dataset, seed and seconds_per_step.

    Returns:
        One row per method and data set. seconds_per_step is the median over seeds, and ratio is the
        ratio of these medians; ratio_low and ratio_high are the smallest and largest ratio of two runs
        with the same seed.
    """
    control = experiment.contrast[1]
    rows = []
    for dataset in experiment.dataset_names:
        chosen = timings[timings["dataset"] == dataset]
        seconds = chosen.pivot_table(index="seed", columns="method", values="seconds_per_step")
        ratios = seconds.div(seconds[control], axis="index")
        for method in experiment.methods:
            median, ratio = seconds[method].median(), ratios[method]
            numbers = (median / seconds[control].median(), ratio.min(), ratio.max())
            rows.append((method, dataset, len(ratio), median, control, *numbers))
    return pd.DataFrame(rows, columns=list(COST_COLUMNS))


def time_ratio(experiment: FineTuning, timings: pd.DataFrame, dataset: str) -> float:
    """Return the ratio of the main contrast's median seconds per step, treatment over control."""
    medians = timings[timings["dataset"] == dataset].groupby("method")["seconds_per_step"].median()
    return float(medians[experiment.contrast[0]] / medians[experiment.contrast[1]])

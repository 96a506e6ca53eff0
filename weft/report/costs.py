"""Wall times of training and sampling, and the cost of an optimiser step relative to that of the control.

The cost of a step is given as it was measured, and as a number of operations (`StepPasses`), which does not
depend on the machine and on what else ran there.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from weft.config import BASE_RUN, Experiment, FineTuning, Method
from weft.config.training import Training
from weft.report.results import Results

COST_COLUMNS = (
    "method", "dataset", "num_runs", "seconds_per_step", "control", "ratio", "ratio_low", "ratio_high",
    "operations_ratio", "probe_share", "train_seconds", "sampling_seconds", "gpu_hours",
)  # fmt: skip
TOTAL = "total"
"""Name of the last row of the table of costs."""
GPU = "cuda"


@dataclass(frozen=True)
class StepPasses:
    """The operations of an optimiser step in units of a forward pass of the model over the batch.

    All passes of a step cover the same padded tokens, about 2 operations per parameter and token in a forward
    pass. The unit therefore contains the size of the model and the number of tokens, and ratios depend on
    neither. The small operations of adapters, of the loss and of the optimiser are left out.

    Attributes:
        training: passes of the training step proper.
        probe: passes of the probe, which has no backward pass.
    """

    training: int
    probe: float

    @property
    def total(self) -> float:
        """All passes of the step."""
        return self.training + self.probe


def count_passes(method: Method, training: Training) -> StepPasses:
    """Count the operations of an optimiser step, in units of a forward pass of the model over the batch.

    A backward pass costs 2 units if all parameters are trained, for the gradients of activations and of
    parameters, and 1 unit if only adapters are. Recomputing activations costs another unit. A frozen probe
    is one pass in all epochs, a refreshed one a pass in every ``refresh_epochs`` epochs.

    Args:
        method: settings of the method.
        training: settings of the training.

    Returns:
        The numbers of passes, on average over the steps of the training.
    """
    backward = 2 if training.lora is None else 1
    per_mask = 1 + backward + int(training.gradient_checkpointing)
    probes = {"live": training.epochs, "frozen": 1, "refreshed": -(-training.epochs // method.refresh_epochs)}
    num_probes = probes[method.probe_model] if method.has_probe else 0
    return StepPasses(method.masks_per_example * per_mask, num_probes / training.epochs)


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


def summarise_costs(experiment: FineTuning, results: Results) -> pd.DataFrame:
    """Summarise the costs of training and sampling.

    Args:
        experiment: the experiment.
        results: its results.

    Returns:
        One row per method and data set, then one of the base model and one with the totals, see
        `compare_costs` and `COST_COLUMNS`. train_seconds, sampling_seconds and gpu_hours are sums over runs;
        gpu_hours counts all processes of training and one device of sampling. A value is missing if it is not
        known for all runs.
    """
    timings = list_timings(experiment, results)
    costs = compare_costs(experiment, timings)
    sampling = pd.Series({run: results.sampling_seconds.get(run) for run in experiment.run_ids}, dtype=float)
    timings = timings.assign(sampling_seconds=timings["run"].map(sampling))
    is_gpu = timings["device"] == GPU
    seconds = timings["train_seconds"] * timings["num_processes"] + timings["sampling_seconds"]
    timings = timings.assign(gpu_hours=(seconds / 3600).where(is_gpu))
    names = ["train_seconds", "sampling_seconds", "gpu_hours"]
    sums = timings.groupby(["method", "dataset"])[names].agg(_sum_if_known)
    costs = costs.join(sums, on=["method", "dataset"])
    base = pd.Series({"train_seconds": 0.0, "sampling_seconds": sampling.get(BASE_RUN, np.nan)})
    base["gpu_hours"] = base["sampling_seconds"] / 3600 if is_gpu.all() else np.nan
    totals = {name: _sum_if_known(pd.Series([*costs[name], base[name]])) for name in names}
    of_base = [{"method": BASE_RUN, "num_runs": 1, **base}] if BASE_RUN in sampling else []
    rows = [*of_base, {"method": TOTAL, "num_runs": len(experiment.runs), **totals}]
    control = experiment.reference_method
    frame = pd.DataFrame([*costs.to_dict("records"), *(row | {"control": control} for row in rows)])
    datasets = pd.Series([*costs["dataset"], *(None for _ in rows)], dtype=object)  # None stays None
    return frame.assign(dataset=datasets)[list(COST_COLUMNS)]


def has_other_methods(costs: pd.DataFrame) -> bool:
    """Return True if the costs of `summarise_costs` are also those of methods that are not the control."""
    return bool({*costs["method"]} - {BASE_RUN, TOTAL, *costs["control"]})


def compare_costs(experiment: FineTuning, timings: pd.DataFrame) -> pd.DataFrame:
    """Divide the cost of an optimiser step of each method by that of the main contrast's control.

    Args:
        experiment: the experiment.
        timings: one row per run with method, dataset, seed and seconds_per_step.

    Returns:
        One row per method and data set. seconds_per_step is the median over seeds, and ratio is the
        ratio of these medians; ratio_low and ratio_high are the smallest and largest ratio of two runs
        with the same seed. A ratio is missing if a time is missing or the control took no time.
        operations_ratio is the ratio by `count_passes`, and probe_share the share of the probe in it.
    """
    control = experiment.reference_method
    passes = {name: count_passes(method, experiment.training) for name, method in experiment.methods.items()}
    rows = []
    for dataset in experiment.dataset_names:
        chosen = timings[timings["dataset"] == dataset]
        seconds = chosen.pivot_table(
            index="seed", columns="method", values="seconds_per_step", dropna=False
        ).reindex(columns=list(experiment.methods))
        seconds = seconds.where(np.isfinite(seconds))
        ratios = seconds.div(seconds[control].where(seconds[control] > 0), axis="index")
        medians = seconds.median()
        for method in experiment.methods:
            ratio = medians[method] / medians[control] if medians[control] > 0 else np.nan
            of_seeds = ratios[method]
            measured = (medians[method], control, ratio, of_seeds.min(), of_seeds.max())
            counted = (
                passes[method].total / passes[control].total,
                passes[method].probe / passes[method].total,
            )
            rows.append((method, dataset, len(of_seeds), *measured, *counted))
    return pd.DataFrame(rows, columns=list(COST_COLUMNS[:-3]))


def _sum_if_known(values: pd.Series) -> float:
    """Sum the values; NaN if one is missing."""
    return float(values.sum(skipna=False))


def time_ratio(experiment: FineTuning, timings: pd.DataFrame, dataset: str) -> float:
    """Return the ratio of the main contrast's median seconds per step; NaN if it is not known.

    The control of the contrast must be a method.
    """
    assert experiment.contrast is not None, "without a contrast there is no ratio"
    costs = compare_costs(experiment, timings)
    is_wanted = (costs["method"] == experiment.contrast[0]) & (costs["dataset"] == dataset)
    return float(costs["ratio"][is_wanted].iloc[0])

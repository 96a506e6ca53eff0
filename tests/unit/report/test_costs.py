import math
from dataclasses import replace

import pandas as pd
import pytest

from weft.records import Timing
from weft.report.costs import (
    COST_COLUMNS,
    StepPasses,
    compare_costs,
    count_passes,
    list_timings,
    summarise_costs,
    time_ratio,
)
from weft.report.presentation import present


def test_seconds_are_divided_by_those_of_the_control_with_the_same_seed(ablations):
    seconds = {
        "sft": [1.0, 2.0, 4.0],
        "weft": [1.5, 2.0, 8.0],
        "cart": [1.0, 2.0, 4.0],
        "weft-permuted": [1.0, 2.0, 4.0],
    }
    rows = [
        (method, "worked", seed, time) for method, times in seconds.items() for seed, time in enumerate(times)
    ]
    rows.append(("weft", "other", 0, 100.0))
    columns = ["method", "dataset", "seed", "seconds_per_step"]
    found = compare_costs(ablations, pd.DataFrame(rows, columns=columns)).set_index("method")
    assert found.index.tolist() == list(ablations.methods)
    weft = found.loc["weft"]
    assert weft[["num_runs", "seconds_per_step", "control"]].tolist() == [3, 2.0, "sft"]
    assert weft[["ratio", "ratio_low", "ratio_high"]].tolist() == pytest.approx([1.0, 1.0, 2.0])


def test_time_ratio_divides_treatment_by_control(experiment, results):
    timings = list_timings(experiment, results)
    assert timings["run"].tolist()[0] == "sft-worked-seed1"
    assert time_ratio(experiment, timings, "worked") == pytest.approx(0.64 / 0.52)


@pytest.mark.parametrize("seconds", [0.0, math.nan, math.inf])
def test_a_control_without_a_time_gives_no_ratio(experiment, results, seconds):
    timings = list_timings(experiment, results)
    timings["seconds_per_step"] = timings["seconds_per_step"].mask(timings["method"] == "sft", seconds)
    costs = compare_costs(experiment, timings)
    assert costs[["ratio", "ratio_low", "ratio_high"]].isna().all(axis=None)
    assert costs["operations_ratio"].notna().all()
    assert math.isnan(time_ratio(experiment, timings, "worked"))


def test_a_missing_time_of_one_run_leaves_the_ratios_of_the_other_seeds(experiment, results):
    timings = list_timings(experiment, results)
    is_lost = (timings["method"] == "weft") & (timings["seed"] == 2)
    timings["seconds_per_step"] = timings["seconds_per_step"].mask(is_lost)
    weft = compare_costs(experiment, timings).set_index("method").loc["weft"]
    assert weft["ratio_low"] == pytest.approx(0.65 / 0.53)
    assert weft["ratio_high"] == pytest.approx(0.63 / 0.51)


def test_operations_count_passes_of_the_model(describe):
    training = describe().training
    method = describe().methods["weft"]
    sft = method.model_copy(update={"rate_source": "none"})
    full = training.model_copy(update={"lora": None})
    saving = training.model_copy(update={"gradient_checkpointing": True})
    assert count_passes(sft, training) == StepPasses(2, 0.0)
    assert count_passes(sft, full) == StepPasses(3, 0.0)
    assert count_passes(sft, saving) == StepPasses(3, 0.0)
    assert count_passes(method, saving) == StepPasses(3, 1.0)
    twice = sft.model_copy(update={"masks_per_example": 2})
    assert count_passes(twice, training) == StepPasses(4, 0.0)
    long = training.model_copy(update={"epochs": 20})
    frozen = method.model_copy(update={"probe_model": "frozen"})
    refreshed = method.model_copy(update={"probe_model": "refreshed", "refresh_epochs": 8})
    assert count_passes(frozen, long) == StepPasses(2, 0.05)
    assert count_passes(refreshed, long) == StepPasses(2, 0.15)


def test_costs_are_summed_over_runs_and_in_total(experiment, results):
    seconds = dict.fromkeys(experiment.run_ids, 10.0)
    found = summarise_costs(experiment, replace(results, sampling_seconds=seconds))
    assert tuple(found.columns) == COST_COLUMNS
    assert found["method"].tolist() == ["sft", "weft", "base", "total"]
    rows = found.set_index("method")
    assert rows["num_runs"].tolist() == [3, 3, 1, 7]
    assert rows.loc["sft", "train_seconds"] == pytest.approx(40 * (0.51 + 0.52 + 0.53))
    assert rows.loc["total", "train_seconds"] == pytest.approx(40 * (1.56 + 1.92))
    assert rows["sampling_seconds"].tolist() == [30, 30, 10, 70]
    assert rows["gpu_hours"].isna().all(), "no GPU was used"
    assert rows.loc["weft", ["operations_ratio", "probe_share"]].tolist() == pytest.approx([1.5, 1 / 3])
    assert rows["dataset"].tolist() == ["worked", "worked", None, None]


def test_gpu_hours_count_all_processes_of_training_and_one_of_sampling(experiment, results):
    timing = Timing(seconds_per_step=1, num_steps=1, train_seconds=900, num_processes=4, device="cuda")
    on_gpu = replace(
        results,
        timings=dict.fromkeys(results.timings, timing),
        sampling_seconds=dict.fromkeys(experiment.run_ids, 1800.0),
    )
    rows = summarise_costs(experiment, on_gpu).set_index("method")
    assert rows["gpu_hours"].tolist() == pytest.approx([4.5, 4.5, 0.5, 9.5])


def test_a_sum_over_runs_of_which_one_is_not_known_is_missing(experiment, results):
    known = dict.fromkeys(experiment.run_ids, 10.0)
    del known["weft-worked-seed2"]
    rows = summarise_costs(experiment, replace(results, sampling_seconds=known)).set_index("method")
    assert rows["sampling_seconds"].isna().tolist() == [False, True, False, True]
    cells = present(experiment, "costs", rows.reset_index()).cells
    assert cells["sampling, s"].tolist() == ["30", "", "10", ""]
    assert not cells.isin(["nan", "inf"]).any(axis=None)

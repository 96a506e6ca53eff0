import math
from dataclasses import replace

import pandas as pd
import pytest

from weft.report.learning_speed import first_step_at, measure_speed
from weft.report.presentation import present
from weft.report.tables import write_table
from weft.stats import AVERAGE

TASKS = {"source": "generated", "tasks": {"sudoku": 8}, "seed": 11}


@pytest.mark.parametrize(
    ("curve", "level", "step"),
    [
        ({0: 0.0, 10: 0.2, 20: 0.4, 30: 0.6}, 0.3, 15),
        ({30: 0.6, 10: 0.2, 0: 0.0, 20: 0.4}, 0.3, 15),
        ({0: 0.2, 10: 0.2, 20: 0.6}, 0.4, 15),
        ({0: 0.1, 10: 0.15, 20: 0.12, 30: 0.2}, (0.1 + 0.2) / 2, 10),  # in floating point, this is above 0.15
        ({0: 0.4, 100: 0.8, 200: 0.8}, 0.6, 50),
        ({0: 0.0, 10: 0.5, 20: 0.1, 30: 0.6}, 0.3, 6),  # the first of three crossings
    ],
)
def test_the_step_is_interpolated_between_two_points(curve, level, step):
    assert first_step_at(curve, level) == pytest.approx(step)


@pytest.mark.parametrize("curve", [{0: 0.4, 10: 0.59, 20: 0.3}, {0: 0.1}])
def test_a_curve_that_does_not_reach_the_level_has_no_step(curve):
    assert math.isnan(first_step_at(curve, 0.6))


def test_each_seed_has_a_number_on_each_benchmark_and_the_average(ablations, ablated):
    """The base model has 0.4 and 0.5, SFT with seed 2, which is the mean, 0.67 and 0.77 at the end."""
    table = measure_speed(ablations, ablated).set_index(["method", "benchmark"])
    row = table.loc[("weft", "sudoku")]
    level = (0.4 + 0.67) / 2
    assert row["seed_1"] == pytest.approx(first_step_at({0: 0.4, 10: 0.61}, level))
    assert row["seed_3"] == pytest.approx(first_step_at({0: 0.4, 10: 0.63}, level))
    assert row["seed_1"] > row["seed_3"]
    assert row["mean"] == pytest.approx((row["seed_1"] + row["seed_2"] + row["seed_3"]) / 3)
    assert row["num_seeds"] == len(ablations.seeds)
    assert table.loc[("weft", AVERAGE), "seed_1"] == pytest.approx(row["seed_1"])
    assert table.loc[("sft", "sudoku"), "seed_1"] == pytest.approx(10 + 10 * (level - 0.46) / 0.1)


def without_rise(results, run_id):
    """Let a run have an accuracy of 0 on Sudoku during the whole training."""
    points = [
        point.model_copy(update={"accuracy": 0.0}) if point.benchmark == "sudoku" else point
        for point in results.curves[run_id]
    ]
    return replace(results, curves=results.curves | {run_id: points})


def test_a_run_that_does_not_reach_the_level_is_a_dash_and_is_not_in_the_mean(ablations, ablated):
    one = measure_speed(ablations, without_rise(ablated, "weft-worked-seed2"))
    row = one.set_index(["method", "benchmark"]).loc[("weft", "sudoku")]
    assert math.isnan(row["seed_2"])
    assert row["mean"] == pytest.approx((row["seed_1"] + row["seed_3"]) / 2)
    assert row["num_seeds"] == 2
    assert present(ablations, "learning_speed", one).cells["Sudoku 4×4 (cells)"][1] == "6 (2 of 3)"


def test_a_method_that_never_reaches_the_level_has_a_dash_for_its_mean(ablations, ablated):
    results = ablated
    for seed in ablations.seeds:
        results = without_rise(results, f"weft-worked-seed{seed}")
    cells = present(ablations, "learning_speed", measure_speed(ablations, results)).cells
    assert cells["Sudoku 4×4 (cells)"].tolist()[1] == "\N{EN DASH}"


def test_without_a_gain_of_the_control_no_method_has_a_step(ablations, ablated):
    results = ablated
    for seed in ablations.seeds:
        results = without_rise(results, f"sft-worked-seed{seed}")
    cells = present(ablations, "learning_speed", measure_speed(ablations, results)).cells
    assert cells["Sudoku 4×4 (cells)"].tolist()[:2] == ["\N{EN DASH}"] * 2


def test_readers_see_the_means_and_each_seed_of_the_average(ablations, ablated):
    frame = measure_speed(ablations, ablated)
    frame.loc[frame["benchmark"] == AVERAGE, ["mean", "seed_1", "seed_2", "seed_3"]] = 12.4, 11.6, math.nan, 9
    table = present(ablations, "learning_speed", frame)
    assert table.cells["method"].tolist() == ["SFT", "WeFT", "CART", "WeFT, permuted"]
    assert list(table.cells.columns)[1:] == [
        "Sudoku 4×4 (cells)",
        "arithmetic (GSM8K rules)",
        "average",
        "average, by seed",
    ]
    assert table.cells.iloc[0].tolist()[-2:] == ["12", "12, \N{EN DASH}, 9"]
    assert "the seeds 1, 2, 3, in this order" in " ".join(table.notes)


def test_methods_with_the_same_training_set_stand_together(describe_ablations, load):
    experiment = describe_ablations(datasets={"worked": TASKS, "large": TASKS}, gradient_study=None)
    cells = present(experiment, "learning_speed", measure_speed(experiment, load(experiment))).cells
    assert cells["method"].tolist()[:2] == ["SFT, worked", "WeFT, worked"]
    assert cells["method"].tolist()[4:6] == ["SFT, large", "WeFT, large"]


def test_the_csv_file_holds_the_steps_of_each_seed(ablations, ablated_tables, tmp_path):
    write_table(ablations, "learning_speed", ablated_tables["learning_speed"], tmp_path)
    columns = ["method", "dataset", "benchmark", "num_seeds", "mean", "seed_1", "seed_2", "seed_3"]
    stored = pd.read_csv(tmp_path / "learning_speed.csv")
    assert list(stored.columns) == columns
    assert len(stored) == 3 * len(ablations.methods)
    assert stored["mean"].tolist() == pytest.approx(ablated_tables["learning_speed"]["mean"].tolist())

import math
from dataclasses import replace

import pandas as pd
import pytest

from weft.records import CurvePoint
from weft.report.learning_speed import half_way_step, measure_speed
from weft.report.presentation import present
from weft.report.tables import write_table
from weft.stats import AVERAGE

TASKS = {"source": "generated", "tasks": {"sudoku": 8}, "seed": 11}


@pytest.mark.parametrize(
    ("curve", "step"),
    [
        ({10: 0.2, 20: 0.4, 30: 0.6}, 15),
        ({30: 0.6, 10: 0.2, 20: 0.4}, 15),
        ({0: 0.2, 10: 0.2, 20: 0.6}, 15),
        ({0: 0.1, 10: 0.15, 20: 0.12, 30: 0.2}, 10),  # in floating point, (0.1 + 0.2) / 2 > 0.15
        ({100: 0.8, 200: 0.8}, 50),  # the start is 0 and is not measured
        ({10: 0.5, 20: 0.1, 30: 0.6}, 6),  # the first of three crossings
    ],
)
def test_the_step_is_interpolated_between_start_and_end(curve, step):
    assert half_way_step(curve) == pytest.approx(step)


@pytest.mark.parametrize("curve", [{0: 0.4, 10: 0.6, 20: 0.3}, {0: 0.3, 10: 0.3}, {10: 0.5, 20: 0.0}])
def test_a_curve_that_does_not_end_above_its_start_has_no_step(curve):
    assert math.isnan(half_way_step(curve))


def test_each_seed_has_a_number_on_each_benchmark_and_the_average(ablations, ablated):
    """The curves begin with 0.61 and 0.66, and end 0.2 higher; half-way lies before the first point."""
    table = measure_speed(ablations, ablated).set_index(["method", "benchmark"])
    row = table.loc[("weft", "sudoku")]
    assert row["seed_1"] == pytest.approx(10 * 0.81 / 2 / 0.61)
    assert row["seed_3"] == pytest.approx(10 * 0.83 / 2 / 0.63)
    assert row["mean"] == pytest.approx((row["seed_1"] + row["seed_2"] + row["seed_3"]) / 3)
    assert row["num_seeds"] == len(ablations.seeds)
    assert table.loc[("weft", AVERAGE), "seed_1"] == pytest.approx(10 * 0.86 / 2 / 0.66)


def without_rise(results, run_id):
    """Add a point of the base model at step 0 whose accuracy on Sudoku the run does not exceed."""
    accuracy = {"sudoku": 1.0, "gsm8k": 0.0}
    start = [
        CurvePoint(benchmark=name, gen_length=48, optimizer_step=0, accuracy=value, num_questions=10)
        for name, value in accuracy.items()
    ]
    return replace(results, curves=results.curves | {run_id: [*start, *results.curves[run_id]]})


def test_a_run_that_does_not_rise_is_a_dash_and_is_not_in_the_mean(ablations, ablated):
    one = measure_speed(ablations, without_rise(ablated, "weft-worked-seed2"))
    row = one.set_index(["method", "benchmark"]).loc[("weft", "sudoku")]
    assert math.isnan(row["seed_2"])
    assert row["mean"] == pytest.approx((row["seed_1"] + row["seed_3"]) / 2)
    assert row["num_seeds"] == 2
    assert present(ablations, "learning_speed", one).cells["Sudoku 4×4 (cells)"][1] == "7 (2 of 3)"


def test_a_method_without_any_rise_has_a_dash_for_its_mean(ablations, ablated):
    results = ablated
    for seed in ablations.seeds:
        results = without_rise(results, f"weft-worked-seed{seed}")
    cells = present(ablations, "learning_speed", measure_speed(ablations, results)).cells
    assert cells["Sudoku 4×4 (cells)"].tolist()[1] == "\N{EN DASH}"


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
    assert stored["mean"].between(6, 8).all()

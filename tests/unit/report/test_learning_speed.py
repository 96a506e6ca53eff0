import math
from dataclasses import replace

import pandas as pd
import pytest

from weft.report.learning_speed import half_way_step, measure_speed
from weft.report.presentation import present
from weft.report.tables import write_table
from weft.stats import AVERAGE

TASKS = {"source": "generated", "tasks": {"sudoku": 8}, "seed": 11}


@pytest.mark.parametrize(
    ("curve", "start", "step"),
    [
        ({10: 0.2, 20: 0.4, 30: 0.6}, 0.0, 15),
        ({30: 0.6, 10: 0.2, 20: 0.4}, 0.0, 15),
        ({10: 0.2, 20: 0.6}, 0.2, 15),
        ({10: 0.15, 20: 0.12, 30: 0.2}, 0.1, 10),  # in floating point, (0.1 + 0.2) / 2 > 0.15
        ({100: 0.8, 200: 0.8}, 0.4, 50),
        ({10: 0.5, 20: 0.1, 30: 0.6}, 0.0, 6),  # the first of three crossings
    ],
)
def test_the_step_is_interpolated_between_base_model_and_end(curve, start, step):
    assert half_way_step(curve, start) == pytest.approx(step)


@pytest.mark.parametrize(("curve", "start"), [({10: 0.6, 20: 0.3}, 0.4), ({10: 0.3}, 0.3), ({10: 0.5}, 0.6)])
def test_a_curve_that_does_not_end_above_its_start_has_no_step(curve, start):
    assert math.isnan(half_way_step(curve, start))


def test_each_seed_has_a_number_on_each_benchmark_and_the_average(ablations, ablated):
    """The curves begin at step 10 with 0.61 and 0.66 for seed 1, and end 0.2 higher at step 30."""
    table = measure_speed(ablations, ablated).set_index(["method", "benchmark"])
    starts = {name: base_accuracy(ablated, name) for name in ("sudoku", "gsm8k")}
    row = table.loc[("weft", "sudoku")]
    assert row["seed_1"] == half_way_step({10: 0.61, 20: 0.71, 30: 0.81}, starts["sudoku"])
    assert row["seed_3"] == half_way_step({10: 0.63, 20: 0.73, 30: 0.83}, starts["sudoku"])
    assert row["mean"] == pytest.approx((row["seed_1"] + row["seed_2"] + row["seed_3"]) / 3)
    assert row["num_seeds"] == len(ablations.seeds)
    assert starts["sudoku"] != starts["gsm8k"]
    average = half_way_step({10: 0.66, 20: 0.76, 30: 0.86}, sum(starts.values()) / 2)
    assert table.loc[("weft", AVERAGE), "seed_1"] == pytest.approx(average)


def base_accuracy(results, benchmark):
    file = next(f for f in results.scored_by("d1") if f.run.run_id == "base" and f.benchmark == benchmark)
    units = sum(score.weight for score in file.scores)
    return sum(score.credit * score.weight for score in file.scores) / units


def without_rise(results, run_id):
    """Let a run end on Sudoku with an accuracy of 0."""
    points = [
        point.model_copy(update={"accuracy": 0.0}) if point.benchmark == "sudoku" else point
        for point in results.curves[run_id]
    ]
    return replace(results, curves=results.curves | {run_id: points})


def test_a_run_that_does_not_rise_is_a_dash_and_is_not_in_the_mean(ablations, ablated):
    one = measure_speed(ablations, without_rise(ablated, "weft-worked-seed2"))
    row = one.set_index(["method", "benchmark"]).loc[("weft", "sudoku")]
    assert math.isnan(row["seed_2"])
    assert row["mean"] == pytest.approx((row["seed_1"] + row["seed_3"]) / 2)
    assert row["num_seeds"] == 2
    assert present(ablations, "learning_speed", one).cells["Sudoku 4×4 (cells)"][1] == "8 (2 of 3)"


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
    assert stored["mean"].tolist() == pytest.approx(ablated_tables["learning_speed"]["mean"].tolist())

import pytest

from weft.report.learning_curves import list_points, summarise_curves
from weft.report.presentation import present
from weft.stats import AVERAGE


def test_the_average_of_a_run_is_the_mean_over_benchmarks(ablations, ablated):
    points = list_points(ablations, ablated)
    chosen = points[(points["run"] == "weft-worked-seed1") & (points["optimizer_step"] == 10)]
    accuracy = dict(zip(chosen["benchmark"], chosen["accuracy"], strict=True))
    assert accuracy == pytest.approx({"sudoku": 0.61, "gsm8k": 0.71, AVERAGE: 0.66})


def test_the_curve_of_each_run_begins_with_the_base_model(ablations, ablated):
    points = list_points(ablations, ablated)
    first = points[points["optimizer_step"] == 0]
    assert set(first["run"]) == {run.run_id for run in ablations.trained_runs}
    assert first.groupby("benchmark")["accuracy"].unique().str[0].to_dict() == pytest.approx(
        {"sudoku": 0.4, "gsm8k": 0.5, AVERAGE: 0.45}
    )


def test_the_summary_is_over_seeds(ablations, ablated):
    table = summarise_curves(ablations, ablated).set_index(["method", "benchmark", "optimizer_step"])
    last = table.loc[("sft", AVERAGE, 30)]
    assert last["num_seeds"] == len(ablations.seeds)
    assert last["minimum"] == pytest.approx(0.45 + 0.2 + 0.05 + 0.01)
    assert last["maximum"] == pytest.approx(0.45 + 0.2 + 0.05 + len(ablations.seeds) / 100)
    assert last["minimum"] < last["mean"] < last["maximum"]
    assert last["sd"] > 0


def test_the_table_has_a_row_for_each_method_and_step(ablations, ablated):
    cells = present(ablations, "learning_curves", summarise_curves(ablations, ablated)).cells
    assert len(cells) == 4 * len(ablations.methods)
    assert list(cells["steps"][:4]) == ["0", "10", "20", "30"]
    assert list(cells["range of the average"][:2]) == ["45.0 to 45.0", "51.0 to 53.0"]

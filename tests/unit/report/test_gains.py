import math

import pandas as pd
import pytest

from weft.report.gains import compute_gains
from weft.report.presentation import present
from weft.stats import AVERAGE

PAPER = {"base": 0.326, "sft": 0.349, "weft": 0.358}
"""Averages of the paper's Table 1 for s1K."""


NO_INTERVALS = pd.DataFrame(
    columns=["method", "dataset", "gen_length", "relative_gain_low", "relative_gain_high"]
)


def methods(means, benchmark=AVERAGE):
    rows = [
        {"method": method, "dataset": None if method == "base" else "worked", "benchmark": name}
        | {"gen_length": 48, "num_seeds": 3, "mean": mean if name == benchmark else 0.99}
        for method, mean in means.items()
        for name in dict.fromkeys(("sudoku", benchmark))
    ]
    return pd.DataFrame(rows)


def test_the_relative_gain_is_that_of_the_paper(experiment):
    table = compute_gains(experiment, methods(PAPER), NO_INTERVALS).set_index("method")
    assert table["gain"].to_dict() == pytest.approx({"sft": 0.023, "weft": 0.032})
    assert table["relative_gain"]["weft"] == pytest.approx(0.39, abs=0.005)
    assert math.isnan(table["relative_gain"]["sft"]), "the control has no gain relative to itself"


def test_a_relative_gain_requires_that_the_control_gains(experiment):
    table = compute_gains(experiment, methods({"base": 0.4, "sft": 0.4, "weft": 0.5}), NO_INTERVALS)
    table = table.set_index("method")
    assert table["relative_gain"].isna().all()
    cells = present(experiment, "gains", table.reset_index()).cells
    assert cells["gain, points"].tolist() == ["0.0", "+10.0"]
    assert cells["relative gain, %"].tolist() == ["", ""]


def test_each_training_set_has_its_own_control(describe, experiment):
    other = methods({"base": 0.326, "sft": 0.337, "weft": 0.344})
    other["dataset"] = other["dataset"].replace("worked", "longer")
    table = compute_gains(
        experiment, pd.concat([methods(PAPER), other[other["method"] != "base"]]), NO_INTERVALS
    )
    assert table[table["method"] == "weft"]["relative_gain"].round(2).tolist() == [0.39, 0.64]


def test_a_single_benchmark_is_its_own_average(describe):
    generated = {"source": "generated", "num_examples": 24, "seed": 1}
    table = compute_gains(describe(benchmarks={"sudoku": generated}), methods(PAPER, "sudoku"), NO_INTERVALS)
    assert table["mean"].tolist() == [0.349, 0.358]


def test_a_relative_gain_has_its_interval(experiment):
    intervals = pd.DataFrame([("weft", "worked", 48, -0.1, 0.9)], columns=NO_INTERVALS.columns)
    table = compute_gains(experiment, methods(PAPER), intervals)
    cells = present(experiment, "gains", table).cells
    assert cells["relative gain, %"].tolist() == ["", "+39.1"]
    assert cells["95 % interval"].tolist() == ["", "−10.0 to +90.0"]

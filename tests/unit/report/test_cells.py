import math

import pandas as pd

from weft.report.cells import format_intervals, format_known, group_labels, place_cells, short_labels

ROWS = pd.DataFrame(
    {
        "method": ["base", "weft"],
        "dataset": [None, "worked"],
        "benchmark": ["sudoku", "gsm8k"],
        "gen_length": [48, 48],
        "rules": ["d1", "strict"],
        "ci_low": [0.1, math.nan],
        "ci_high": [0.25, math.nan],
    }
).astype({"dataset": object})


def test_training_sets_stand_behind_the_methods_where_there_are_several():
    assert group_labels(ROWS.assign(dataset=["a", "b"])) == ["base model, a", "WeFT, b"]
    assert short_labels(ROWS.assign(dataset=["a", "b"])) == ["base model, a", "WeFT, b"]
    assert short_labels(ROWS.assign(dataset="a")) == ["base model", "WeFT"]


def test_the_scoring_is_a_column_only_if_there_are_several(describe, experiment):
    assert "scoring" not in place_cells(experiment, ROWS)
    both = place_cells(describe(scoring=["d1", "strict"]), ROWS)
    assert list(both["scoring"]) == ["d1", "strict"]
    assert both["benchmark"] == ["Sudoku 4×4 (cells)", "arithmetic (GSM8K rules)"]


def test_missing_numbers_are_empty():
    assert format_intervals(ROWS) == ["10.0 to 25.0", ""]
    assert format_known([1.0, None, math.nan], "{:.0f}".format) == ["1", "", ""]

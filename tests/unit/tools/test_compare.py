import json

import pytest
import torch
from safetensors.torch import save_file

from tools.compare import compare_csv, compare_json_lines, compare_tensors, numbers_in

TABLE = (
    "method,seed,accuracy,interval,note\nsft,1,0.25,84.9 ± 0.8,as before\nweft,1,0.5,1.5 to 2.5,as before\n"
)


@pytest.mark.parametrize(
    ("cell", "numbers"),
    [
        ("0.5", [0.5]),
        ("84.9 ± 0.8", [84.9, 0.8]),
        ("+0.2 (−1.5 to +1.9)", [0.2, -1.5, 1.9]),
        ("1e-05", [1e-05]),
        ("False", [0.0]),
        ("sft-2x", None),
        ("", None),
    ],
)
def test_cells_of_numbers_are_parsed(cell, numbers):
    assert numbers_in(cell) == numbers


def test_equal_tables_are_counted():
    comparison = compare_csv("t", TABLE, TABLE)
    assert (comparison.num_compared, comparison.differences) == (8, [])
    assert comparison.line().startswith("same ")


@pytest.mark.parametrize(
    ("old", "new", "difference"),
    [
        ("0.25", "0.26", "row sft as before, column 'accuracy': '0.25' -> '0.26'"),
        ("84.9 ± 0.8", "84.9 ± 0.9", "'84.9 ± 0.8' -> '84.9 ± 0.9'"),
        ("0.25", "", "'0.25' -> ''"),
        ("weft,1,0.5,1.5 to 2.5,as before\n", "", "2 rows -> 1 rows"),
        ("accuracy", "precision", "column 'accuracy' is missing"),
    ],
)
def test_a_number_that_differs_is_found(old, new, difference):
    differences = compare_csv("t", TABLE, TABLE.replace(old, new)).differences
    assert any(difference in line for line in differences), differences


def test_wording_times_and_the_order_of_named_rows_do_not_matter():
    header, first, second = TABLE.splitlines(keepends=True)
    assert not compare_csv("t", TABLE, header + second + first).differences
    assert not compare_csv("t", TABLE, TABLE.replace("as before", "otherwise")).differences
    assert not compare_csv("t", "a,seconds_per_step\nx,1\n", "a,seconds_per_step\nx,2\n").differences


def test_numbers_and_results_in_json_lines_are_compared():
    base = {
        "example_id": "a",
        "verdict": "wrong",
        "reason": "why",
        "details": {"n": [1, 2]},
        "train_seconds": 3,
    }
    for change in ({"reason": "because"}, {"train_seconds": 4}):
        assert not compare_json_lines("s", json.dumps(base), json.dumps(base | change)).differences
    for change in ({"verdict": "correct"}, {"details": {"n": [1, 3]}}, {"details": {}}, {"credit": 1.0}):
        assert compare_json_lines("s", json.dumps(base), json.dumps(base | change)).differences, change
    assert not compare_json_lines(
        "s", json.dumps(base), json.dumps({"verdict": "wrong"}), only=["verdict"]
    ).differences
    assert compare_json_lines("s", json.dumps(base), "").differences == ["1 lines -> 0 lines"]


def test_nan_equals_nan_only():
    assert not compare_json_lines("s", '{"loss": NaN}', '{"loss": NaN}').differences
    assert compare_json_lines("s", '{"loss": NaN}', '{"loss": 1.0}').differences


def test_tensors_are_compared_bit_by_bit(tmp_path):
    base, current = tmp_path / "base", tmp_path / "current"
    save_file({"a": torch.zeros(2), "b": torch.ones(2)}, base)
    save_file({"a": torch.zeros(2), "b": torch.ones(2)}, current, metadata={"format": "pt"})
    assert not compare_tensors("t", base, current).differences
    save_file({"a": -torch.zeros(2), "c": torch.ones(2)}, current)
    expected = ["tensor 'b' is missing", "tensor 'c' is new", "tensor 'a' differs"]
    assert compare_tensors("t", base, current).differences == expected

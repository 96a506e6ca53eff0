import json

import pandas as pd
import pytest

from weft.report.answers import ANSWER_COLUMNS, count_answers
from weft.report.load import load_table
from weft.report.outputs import score_file


def rows_of(table):
    return table.set_index(["method", "benchmark"])


def test_the_runs_of_a_method_are_counted_together(experiment, root):
    table = rows_of(count_answers(experiment, root))
    assert table["n"].to_dict() == {
        ("base", "sudoku"): 24, ("base", "gsm8k"): 24, ("sft", "sudoku"): 72, ("sft", "gsm8k"): 72,
        ("weft", "sudoku"): 72, ("weft", "gsm8k"): 72,
    }  # fmt: skip
    row = table.loc["sft", "sudoku"]
    assert (row["mean_length"], row["median_length"]) == (21.5, 21.5)
    assert (row["num_no_end"], row["num_unclosed"], row["num_copies"]) == (3, 6, 3)
    assert (row["num_with_zeros"], row["num_solved"]) == (3, 3)
    assert row["zero_share"] == pytest.approx(1 / 24)
    assert row["right_share"] == pytest.approx(1 / 16)
    assert table.loc["sft", "gsm8k"][["num_copies", "zero_share", "num_solved"]].isna().all()


def test_what_nobody_noted_is_missing(describe, write, tmp_path):
    experiment = describe(seeds=[1])
    root = write(experiment, tmp_path)
    path = root / score_file("d1", "sft-worked-seed1", "gsm8k", 48)
    records = [json.loads(line) for line in path.read_text().splitlines()]
    for record, details in zip(
        records, [{}, {"is_closed": False, "effective_length": None}, None], strict=False
    ):
        record["details"] = details
    records = records[:3]
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    row = rows_of(count_answers(experiment, root)).loc["sft", "gsm8k"]
    assert (row["n"], row["num_unclosed"]) == (3, 1)
    assert row[["mean_length", "median_length", "num_no_end", "num_copies"]].isna().all()


def test_the_table_is_written_and_read_back(tables):
    table = load_table(tables, "answers")
    assert tuple(table.columns) == ANSWER_COLUMNS
    assert pd.isna(rows_of(table).loc[("base", "gsm8k"), "num_copies"])
    assert rows_of(table).loc[("weft", "sudoku"), "num_copies"] == 3

from dataclasses import replace

import pytest

from weft.report.answers import ANSWER_COLUMNS, count_answers


def rows_of(table):
    return table.set_index(["method", "benchmark"])


def test_the_runs_of_a_method_are_counted_together(experiment, results):
    table = count_answers(experiment, results)
    assert tuple(table.columns) == ANSWER_COLUMNS
    rows = rows_of(table)
    assert rows["n"].to_dict() == {
        ("base", "sudoku"): 24, ("base", "gsm8k"): 24, ("sft", "sudoku"): 72, ("sft", "gsm8k"): 72,
        ("weft", "sudoku"): 72, ("weft", "gsm8k"): 72,
    }  # fmt: skip
    row = rows.loc["sft", "sudoku"]
    assert (row["mean_length"], row["median_length"]) == (21.5, 21.5)
    assert (row["num_no_end"], row["num_unclosed"], row["num_copies"]) == (3, 6, 3)
    assert (row["num_with_zeros"], row["num_solved"]) == (3, 3)
    assert row["zero_share"] == pytest.approx(1 / 24)
    assert row["right_share"] == pytest.approx(1 / 16)
    assert rows.loc["sft", "gsm8k"][["num_copies", "zero_share", "num_solved"]].isna().all()


def test_values_that_are_not_noted_are_missing(experiment, results):
    file = next(file for file in results.scores if (file.run.method, file.benchmark) == ("sft", "gsm8k"))
    details = ({}, {"is_closed": False}, {})
    scores = [file.scores[0].model_copy(update={"details": noted}) for noted in details]
    row = rows_of(count_answers(experiment, replace(results, scores=[replace(file, scores=scores)])))
    row = row.loc["sft", "gsm8k"]
    assert (row["n"], row["num_unclosed"]) == (3, 1)
    assert row[["mean_length", "median_length", "num_no_end", "num_copies"]].isna().all()

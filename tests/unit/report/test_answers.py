from dataclasses import replace

import pytest

from weft.records import TIMED_OUT, Verdict
from weft.report.answers import (
    ANSWER_COLUMNS,
    count_answers,
    count_equal_verdicts,
    count_timed_out,
    list_unscorable,
)
from weft.report.presentation import present
from weft.report.tables import compute_tables


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


def test_values_that_are_not_noted_are_missing(experiment, results, with_scores):
    file = next(file for file in results.scores if (file.run.method, file.benchmark) == ("sft", "gsm8k"))
    details = ({}, {"is_closed": False}, {})
    scores = [file.scores[0].model_copy(update={"details": noted}) for noted in details]
    changed = replace(results, scores=[with_scores(file, scores)])
    row = rows_of(count_answers(experiment, changed)).loc["sft", "gsm8k"]
    assert (row["n"], row["num_unclosed"]) == (3, 1)
    assert row[["mean_length", "median_length", "num_no_end", "num_copies"]].isna().all()


def test_accuracy_and_steps_stand_beside_the_lengths(experiment, results, tables, with_scores):
    rows = rows_of(count_answers(experiment, results))
    means = tables["methods"].set_index(["method", "benchmark"])["mean"]
    for key in (("sft", "sudoku"), ("weft", "gsm8k")):
        assert rows.loc[key, "accuracy"] == pytest.approx(means[key], abs=1e-6)
    assert rows["mean_steps"].isna().all(), "older scores do not tell the steps"
    file = results.scores[0]
    scores = [
        score.model_copy(update={"details": score.details | {"num_steps": number % 3}})
        for number, score in enumerate(file.scores)
    ]
    counted = count_answers(experiment, replace(results, scores=[with_scores(file, scores)]))
    assert counted["mean_steps"].tolist() == [1.0]


def test_verdicts_that_equal_those_of_d1_are_counted(stored, stored_results, with_scores):
    first, *others = stored_results.scores
    known = [
        score.model_copy(update={"details": score.details | {"equals_d1": is_equal}})
        for score, is_equal in zip(first.scores, (True, False, True), strict=False)
    ]
    changed = with_scores(first, [*known, *first.scores[3:]])
    results = replace(stored_results, scores=[changed, *others])
    frame = count_equal_verdicts(stored, results)
    assert frame.iloc[0].tolist() == ["countdown", 128, 24, 3, 2]
    assert frame[["num_compared", "num_equal"]].sum().tolist() == [3, 2]
    cells = present(stored, "agreement", frame).cells.set_index("benchmark")
    assert list(cells.columns) == ["128 tokens", "256 tokens", "all lengths"]
    assert cells.loc["Countdown"].tolist() == ["2 of 3", "–", "2 of 3"]
    assert cells.loc["Sudoku 4×4"].tolist() == ["–", "–", "–"]
    assert cells.loc["all"].tolist() == ["2 of 3", "–", "2 of 3"]


def test_answers_that_cannot_be_scored_are_listed_with_the_reason(stored, stored_results, with_scores):
    first, *others = stored_results.scores
    failed = {"verdict": Verdict.UNSCORABLE, "credit": 0.0, "reason": "no reference"}
    scores = [first.scores[0].model_copy(update=failed), *first.scores[1:]]
    changed = replace(stored_results, scores=[with_scores(first, scores), *others])
    frame = list_unscorable(stored, changed)
    assert frame.to_numpy().tolist() == [["countdown", 128, "d1", "q0", "no reference"]]
    assert present(stored, "unscorable", frame).cells.iloc[0]["question"] == "q0"
    assert list_unscorable(stored, stored_results).empty


def test_answers_that_timed_out_are_counted(stored, stored_results, with_scores):
    first, *others = stored_results.scores
    failed = {"verdict": Verdict.UNSCORABLE, "credit": 0.0}
    reasons = f"{TIMED_OUT}: it took long", "no reference", f"it {TIMED_OUT}"
    scores = [
        score.model_copy(update={**failed, "reason": reason})
        for score, reason in zip(first.scores, reasons, strict=False)
    ]
    changed = replace(stored_results, scores=[with_scores(first, [*scores, *first.scores[3:]]), *others])
    assert count_timed_out(changed)["num_timed_out"].tolist() == [1, *[0] * len(others)]
    table = compute_tables(stored, changed, ["scores"])["scores"]
    row = table[table["num_unscorable"] > 0].iloc[0]
    assert (row["benchmark"], row["num_unscorable"], row["num_timed_out"]) == ("countdown", 3, 1)
    cells = present(stored, "scores", table).cells["unscorable"]
    assert sorted(set(cells)) == ["0", "3 (1 timed out)"]

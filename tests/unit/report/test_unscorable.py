import pandas as pd
import pytest

from weft.report.unscorable import (
    MOST_RUNS,
    describe_unscorable,
    is_without_verdict,
    join_failed,
    list_failed,
)


def table(*rows):
    columns = ["run", "benchmark", "rules", "n", "num_unscorable", "num_timed_out"]
    return pd.DataFrame(rows, columns=columns)


def test_only_cells_without_any_verdict_are_listed(experiment):
    scores = table(
        ("a", "sudoku", "d1", 24, 24, 0), ("a", "gsm8k", "d1", 24, 24, 0), ("b", "gsm8k", "d1", 24, 23, 9)
    )  # fmt: skip
    assert list_failed(experiment, scores) == ["a to Sudoku 4×4, arithmetic (GSM8K rules)"]
    assert not is_without_verdict(scores)
    assert is_without_verdict(scores[:2])


def test_many_runs_are_counted():
    names = [f"r{number}" for number in range(MOST_RUNS + 2)]
    assert join_failed(names[:2]) == "r0; r1"
    assert join_failed(names).endswith("r4; 2 other runs")


@pytest.mark.parametrize("scoring", [["d1"], ["d1", "strict"]])
def test_each_scoring_has_its_sentences(describe, scoring):
    scores = table(("a", "gsm8k", "d1", 1000, 1, 0), ("a", "gsm8k", "strict", 1000, 1000, 20))
    scores = scores[scores["rules"].isin(scoring)]
    found = list(describe_unscorable(describe(scoring=scoring), {"scores": scores}))
    if scoring == ["d1"]:
        assert found == ["Of 1,000 answers, 1 could not be scored and counts as not correct."]
    else:
        assert found[0].startswith("No answer of these runs could be scored under strict scoring: a to")
        assert found[1:] == [
            "Of 1,000 answers, 1 could not be scored under d1 scoring and counts as not correct.",
            "Of 1,000 answers, 1,000 (20 timed out) could not be scored under strict scoring and count as "
            "not correct.",
        ]

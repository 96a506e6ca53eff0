import pytest

from weft.benchmarks.verdict import Score, Verdict


def test_full_credit_is_correct_and_needs_no_reason():
    assert Score.from_credit("7", 1.0, reason="off by one") == Score("7", Verdict.CORRECT, 1.0, 1, "")


def test_anything_less_than_full_credit_is_wrong():
    score = Score.from_credit("7", 0.875, weight=8, reason="7 of 8")
    assert score == Score("7", Verdict.WRONG, 0.875, 8, "7 of 8")


def test_an_unscorable_example_counts_as_one_unit_without_credit():
    assert Score.unscorable("9**9**9", reason="too large") == Score(
        "9**9**9", Verdict.UNSCORABLE, 0.0, 1, "too large"
    )


def test_verdicts_are_written_as_plain_words():
    assert [f"{verdict}" for verdict in Verdict] == ["correct", "wrong", "unscorable"]


@pytest.mark.parametrize(
    ("verdict", "credit", "weight", "message"),
    [
        pytest.param(Verdict.CORRECT, 0.5, 1, "if and only if", id="correct without full credit"),
        pytest.param(Verdict.WRONG, 1.0, 1, "if and only if", id="wrong with full credit"),
        pytest.param(Verdict.UNSCORABLE, 1.0, 1, "if and only if", id="unscorable with full credit"),
        pytest.param(Verdict.WRONG, -0.1, 1, "within 0..1", id="negative credit"),
        pytest.param(Verdict.WRONG, 1.5, 1, "within 0..1", id="more than full credit"),
        pytest.param(Verdict.WRONG, float("nan"), 1, "within 0..1", id="no number"),
        pytest.param(Verdict.WRONG, 0.0, -1, "at least 0", id="negative weight"),
    ],
)
def test_a_score_that_contradicts_itself_is_refused(verdict, credit, weight, message):
    with pytest.raises(ValueError, match=message):
        Score("7", verdict, credit, weight)

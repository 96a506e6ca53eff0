import pytest

from weft.errors import ScoringError
from weft.stats.multiple import holm


@pytest.mark.parametrize(
    ("p_values", "corrected"),
    [
        ([0.2], [0.2]),
        ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]),  # 3 x 0.01, 2 x 0.03, and 0.04 not below it
        ([0.5, 0.001], [0.5, 0.002]),
        ([0.6, 0.7], [1.0, 1.0]),
        ([], []),
    ],
    ids=["one", "textbook", "order kept", "at most one", "none"],
)
def test_p_values_are_corrected_step_by_step(p_values, corrected):
    assert holm(p_values).tolist() == pytest.approx(corrected)


@pytest.mark.parametrize("p_value", [-0.1, 1.5, float("nan")])
def test_values_that_are_no_probabilities_are_refused(p_value):
    with pytest.raises(ScoringError, match=str(p_value)):
        holm([0.5, p_value])

import pandas as pd
import pytest

from weft.report.presentation import headline_headings, present, reading

CONTRAST = {
    "dataset": "worked",
    "benchmark": "average",
    "gen_length": 48,
    "treatment": "weft",
    "control": "sft",
    "num_seeds_treatment": 3,
    "num_seeds_control": 3,
    "difference": 0.008,
    "ci_low": -0.012,
    "ci_high": 0.029,
    "p_value": 0.412,
    "beyond_interval": False,
}


def test_contrasts_are_shown_in_points_with_a_reading(experiment):
    table = present(experiment, "contrasts", pd.DataFrame([CONTRAST]))
    assert table.cells.iloc[0].tolist() == [
        "WeFT minus SFT",
        "worked",
        "average",
        "48",
        "+0.8",
        "−1.2 to +2.9",
        "0.412",
        "not distinguishable from zero",
    ]
    assert table.title == "A small comparison: paired comparison"
    assert table.caption == experiment.caption


def test_a_single_seed_is_said_not_to_cover_training_noise(experiment):
    table = present(experiment, "contrasts", pd.DataFrame([CONTRAST | {"num_seeds_control": 1}]))
    assert "questions only" in table.notes[0]
    assert "questions only" not in present(experiment, "contrasts", pd.DataFrame([CONTRAST])).notes[0]


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [(0.01, 0.02, "above zero"), (-2.0, -1.0, "below zero"), (0.0, 1.0, "not distinguishable from zero")],
)
def test_reading(low, high, text):
    assert reading(low, high) == text


def test_headings_name_the_length_only_if_there_are_several(experiment, stored):
    assert headline_headings(experiment)["sudoku_48"] == "Sudoku 4×4"
    assert headline_headings(stored)["average_256"] == "average, 256"


def test_the_paper_experiment_has_the_average_at_the_papers_lengths(describe_paper):
    assert list(headline_headings(describe_paper()))[-1] == "average_mixed"

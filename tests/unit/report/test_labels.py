import math

import pytest

from weft.config import Run
from weft.report import labels


@pytest.mark.parametrize(
    ("fraction", "text", "signed"),
    [(0.4567, "45.7", "+45.7"), (-0.012, "−1.2", "−1.2"), (0.0, "0.0", "0.0"), (-0.0001, "0.0", "0.0")],
)
def test_fractions_are_formatted_in_percent(fraction, text, signed):
    assert labels.percent(fraction) == text
    assert labels.percent(fraction, is_signed=True) == signed


def test_an_unknown_number_is_left_empty():
    assert labels.percent(math.nan) == ""
    assert labels.percent_spread(0.5, math.nan) == "50.0"


def test_spread_and_interval():
    assert labels.percent_spread(0.5, 0.012) == "50.0 ± 1.2"
    assert labels.percent_interval(-0.012, 0.029, is_signed=True) == "−1.2 to +2.9"


def test_a_bound_near_zero_shows_on_which_side_it_is():
    assert labels.percent_interval(-0.011, -0.0003, is_signed=True) == "−1.1 to −0.03"
    assert labels.percent_interval(0.0, 0.0004, is_signed=True) == "0.0 to +0.04"
    assert labels.percent_interval(0.0003, 0.02) == "0.0 to 2.0"


@pytest.mark.parametrize(("p_value", "text"), [(0.0002, "< 0.001"), (0.0412, "0.041"), (1.0, "1.000")])
def test_p_values_are_formatted(p_value, text):
    assert labels.p_value_text(p_value) == text


def test_generated_questions_are_not_called_by_the_published_name(experiment, describe_paper):
    assert labels.benchmark_label(experiment, "gsm8k") == "arithmetic (GSM8K rules)"
    assert labels.benchmark_label(describe_paper(), "gsm8k") == "GSM8K"
    assert labels.benchmark_label(experiment, "average") == "average"


def test_sudoku_is_named_with_its_unit(describe):
    both = describe(scoring=["strict", "d1"])
    assert labels.benchmark_label(both, "sudoku") == "Sudoku 4×4 (boards)"
    assert labels.benchmark_label(both, "sudoku", scoring="d1") == "Sudoku 4×4 (cells)"
    assert labels.benchmark_name(both, "sudoku") == "Sudoku 4×4"
    assert labels.benchmark_label(both, "capitals") == "capitals"


def test_methods_and_groups():
    assert labels.group_label("base", None) == "base model"
    assert labels.group_label("weft", "s1k") == "WeFT, s1k"
    assert labels.method_label("weft-nll") == "WeFT, NLL"
    assert labels.method_label("my-own") == "my-own"


def test_no_two_methods_have_the_same_name_or_one_too_long_for_the_figures():
    names = list(labels.METHODS.values())
    assert len(set(names)) == len(names)
    assert max(map(len, names)) <= 21


def test_confidence_levels_are_formatted():
    assert labels.level_text(0.95) == "95 %"


def test_a_run_is_named_by_method_training_set_and_seed():
    assert labels.run_label(Run("base")) == "base model"
    assert labels.run_label(Run("weft", "s1k", 2)) == "WeFT, s1k, seed 2"


def test_approximate_sampling_stands_in_front_of_the_caption(experiment, approximate, stored):
    assert labels.full_caption(experiment) == experiment.caption
    assert labels.full_caption(stored) == stored.caption
    assert labels.full_caption(approximate) == (
        f"All answers are made by approximate sampling: dual cache, threshold 0.9. {experiment.caption}"
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "0.200"), (0.2924, "0.292"), (12.0, "12.0"), (123.4, "123"), (math.nan, "")],
)
def test_times_have_three_significant_digits(seconds, text):
    assert labels.seconds_text(seconds) == text


def test_the_scoring_of_custom_benchmarks_is_explained(describe):
    custom = {"source": "custom", "path": "examples/custom_benchmark.py"}
    one = describe(benchmarks={"capitals": custom})
    assert labels.custom_note(one).startswith(
        "Answers to capitals are scored by the benchmark's own function"
    )
    several = describe(benchmarks=dict.fromkeys(("a", "b", "c"), custom))
    assert "Answers to a, b and c are" in labels.custom_note(several)

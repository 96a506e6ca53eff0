import numpy as np
import pytest

from weft.report.accuracy_by_length_figure import draw_accuracy_by_length
from weft.report.drawing import BASE_COLOUR, INK, TREATMENT_COLOUR


def curve(ax, colour, marker):
    """Return the accuracies of a curve, in percent."""
    (line,) = [line for line in ax.lines if line.get_color() == colour and line.get_marker() == marker]
    return np.asarray(line.get_ydata(), dtype=float)


def test_each_method_has_a_curve_over_the_lengths(describe, compute):
    sampling = describe().model_dump()["sampling"] | {"gen_lengths": [16, 32, 48]}
    experiment = describe(sampling=sampling)
    results, tables = compute(experiment)
    axes = draw_accuracy_by_length(experiment, results).axes
    assert [ax.get_title(loc="left") for ax in axes] == ["Sudoku 4×4", "arithmetic (GSM8K rules)", "average"]
    methods = tables["methods"].set_index(["method", "benchmark", "gen_length"])["mean"]
    expected = [100 * methods["weft", "gsm8k", length] for length in (16, 32, 48)]
    assert curve(axes[1], TREATMENT_COLOUR, "^") == pytest.approx(expected)
    assert [label.get_text() for label in axes[0].get_xticklabels()] == ["16", "32", "48"]


def test_published_accuracies_are_diamonds_in_the_colour_of_the_method(describe_paper, load):
    paper = describe_paper()
    axes = draw_accuracy_by_length(paper, load(paper)).axes
    assert curve(axes[0], BASE_COLOUR, "D") == pytest.approx([6.7, 5.5])


def test_stored_generations_are_drawn_by_scoring(stored, stored_results):
    axes = draw_accuracy_by_length(stored, stored_results).axes
    assert curve(axes[0], INK, "D") == pytest.approx([20.7, 19.5])


def test_many_methods_are_reduced_to_the_main_contrast(describe, load):
    methods = {name: {"preset": "sft"} for name in ("sft", *"abcdef")} | {"weft": {"preset": "weft"}}
    sampling = describe().model_dump()["sampling"] | {"gen_lengths": [16, 48]}
    experiment = describe(methods=methods, sampling=sampling, seeds=[1])
    fig = draw_accuracy_by_length(experiment, load(experiment))
    assert [text.get_text() for text in fig.legends[0].texts] == ["base model", "SFT", "WeFT"]

import numpy as np
import pytest

from weft.report.drawing import TREATMENT_COLOUR
from weft.report.forest_figure import BAND_COLOUR, draw_forest


def points(ax):
    """Return what is drawn: (difference, height, is_filled) of each point."""
    lines = [line for line in ax.lines if line.get_marker() in {"o", "^"} and len(line.get_xdata()) == 1]
    faces = [line.get_markerfacecolor() == line.get_color() for line in lines]
    return [
        (float(line.get_xdata()[0]), float(line.get_ydata()[0]), face)
        for line, face in zip(lines, faces, strict=True)
    ]


def bands(ax):
    """Return the half-widths of the grey bars."""
    return [patch.get_width() / 2 for patch in ax.patches if same_colour(patch.get_facecolor(), BAND_COLOUR)]


def same_colour(rgba, name):
    return [round(255 * channel) for channel in rgba[:3]] == [int(name[i : i + 2], 16) for i in (1, 3, 5)]


def test_the_contrast_and_the_gains_are_those_of_the_table(experiment, results, tables):
    left, right = draw_forest(experiment, results).axes
    contrasts = tables["contrasts"].set_index(["treatment", "control"])
    main = contrasts.loc[("weft", "sft")]
    assert [x for x, _, _ in points(left)] == pytest.approx(list(100 * main["difference"]))
    assert [y for _, y, _ in points(left)] == [0, 1, 2]
    assert bands(left) == pytest.approx(list(100 * main["minimum_detectable_difference"]))
    gains = [*contrasts.loc[("sft", "base")]["difference"], *contrasts.loc[("weft", "base")]["difference"]]
    assert [x for x, _, _ in points(right)] == pytest.approx([100 * gain for gain in gains])
    assert [label.get_text() for label in left.get_yticklabels()][-1] == "average"
    texts = [text.get_text() for text in left.texts]
    assert texts[0].startswith(f"+{100 * main['difference'].iloc[0]:.1f} (")


def test_only_averages_with_a_conclusion_are_filled(experiment, results, tables):
    _, right = draw_forest(experiment, results).axes
    contrasts = tables["contrasts"]
    is_gain = contrasts["control"] == "base"
    concluded = contrasts[is_gain]["conclusion"].isin({"above zero", "below zero"})
    assert [filled for _, _, filled in points(right)] == concluded.tolist()
    assert concluded.any(), "otherwise the test shows nothing"


def test_a_single_seed_has_no_band(describe, load):
    experiment = describe(seeds=[1])
    fig = draw_forest(experiment, load(experiment))
    assert bands(fig.axes[0]) == []
    assert [text.get_text() for text in fig.legends[0].texts][-1].startswith("averages in the paper")


def test_several_data_sets_have_a_panel_each(describe, load):
    one = {"source": "generated", "tasks": {"sudoku": 8}, "seed": 11}
    experiment = describe(datasets={"first": one, "second": one})
    axes = draw_forest(experiment, load(experiment)).axes
    assert [ax.get_title(loc="left") for ax in axes] == ["first", "", "second", ""]


def test_many_places_have_a_row_for_each_average(describe, load):
    one = {"source": "generated", "tasks": {"sudoku": 8}, "seed": 11}
    sampling = describe().model_dump()["sampling"] | {"gen_lengths": [16, 32, 48]}
    experiment = describe(datasets={"first": one, "second": one}, sampling=sampling)
    left, _ = draw_forest(experiment, load(experiment)).axes
    labels = [label.get_text() for label in left.get_yticklabels()]
    assert labels == [f"{name}, {length} tokens" for name in ("first", "second") for length in (16, 32, 48)]


def test_the_paper_is_drawn_at_the_lengths_of_its_table(describe_paper, compute):
    paper = describe_paper()
    results, tables = compute(paper)
    left = draw_forest(paper, results).axes[0]
    rows = tables["contrasts"].set_index(["treatment", "dataset", "control", "benchmark", "gen_length"])
    places = [("sudoku", 512), ("countdown", 512), ("gsm8k", 256), ("math500", 256), ("average", "mixed")]
    expected = [100 * rows.loc[("weft", "s1k", "sft", *place), "difference"] for place in places]
    assert [x for x, _, _ in points(left)] == pytest.approx(expected)
    assert np.isclose(left.get_ylim()[1], -0.55)


def test_the_markers_have_the_colours_of_the_methods(experiment, results):
    left, _ = draw_forest(experiment, results).axes
    assert {line.get_color() for line in left.lines if line.get_marker() == "^"} == {TREATMENT_COLOUR}


def test_the_paper_is_drawn_at_averages_of_its_own_contrast(describe, experiment, results, load):
    def boxes(fig):
        return [patch for patch in fig.axes[0].patches if same_colour(patch.get_edgecolor(), "#e08a50")]

    (box,) = boxes(draw_forest(experiment, results))
    assert box.get_x() == pytest.approx(0.5)
    assert box.get_width() == pytest.approx(0.4)
    assert box.get_y() == pytest.approx(2 - 0.4), "the average is the third row"
    other = describe(contrast=["sft", "weft"])
    assert boxes(draw_forest(other, load(other))) == []

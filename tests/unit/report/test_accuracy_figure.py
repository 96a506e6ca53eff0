import pytest

from weft.errors import DataError
from weft.report.accuracy_figure import draw_accuracy
from weft.report.load import load_table
from weft.report.tables import make_tables


def series(ax):
    """Return what is drawn: colour -> y values, of means and dots together."""
    found = {}
    for line in ax.lines:
        if line.get_marker() not in (None, "None", ""):
            found.setdefault(line.get_color(), []).extend(float(y) for y in line.get_ydata())
    return found


def test_means_and_single_seeds_are_drawn(experiment, root, tables):
    fig = draw_accuracy(experiment, root, tables)
    (ax,) = fig.axes
    drawn = series(ax)
    assert {colour: len(values) for colour, values in drawn.items()} == {
        "#666666": 3,  # base model: two benchmarks and the average
        "#0072B2": 3 + 9,  # SFT: and three seeds of each
        "#D55E00": 3 + 9,
    }
    means = load_table(tables, "methods").set_index(["method", "benchmark"])["mean"]
    assert drawn["#D55E00"][0] == pytest.approx(100 * means["weft", "sudoku"])
    assert [label.get_text() for label in ax.get_xticklabels()][-1] == "average"


def test_published_numbers_stand_beside_stored_generations(stored, stored_root, stored_tables):
    fig = draw_accuracy(stored, stored_root, stored_tables)
    assert [ax.get_title(loc="left") for ax in fig.axes] == ["128 tokens", "256 tokens"]
    assert series(fig.axes[0])["#222222"] == pytest.approx([20.7, 11.7])


def test_several_data_sets_get_a_row_each(describe, write, tmp_path):
    one = {"source": "generated", "tasks": {"sudoku": 8}, "seed": 11}
    experiment = describe(datasets={"first": one, "second": one}, seeds=[1])
    root = write(experiment, tmp_path)
    make_tables(experiment, root, root / "tables")
    fig = draw_accuracy(experiment, root, root / "tables")
    assert len(fig.axes) == 2
    assert all("#666666" in series(ax) for ax in fig.axes)


def test_missing_tables_are_named(experiment, tmp_path):
    with pytest.raises(DataError, match=r"scores\.csv"):
        draw_accuracy(experiment, tmp_path, tmp_path)

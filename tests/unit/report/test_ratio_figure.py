import pytest

from weft.report.ratio_figure import draw_ratios
from weft.report.ratios import summarise_ratios


def test_both_references_are_drawn_with_their_numbers(experiment, results):
    (ax,) = draw_ratios(experiment, results).axes
    texts = [text.get_text() for text in ax.get_legend().texts]
    cells = summarise_ratios(experiment, results).set_index(["kind", "reference"]).loc["answer"]
    for text, (reference, name) in zip(
        texts, [("answer", "answer tokens"), ("all", "answer tokens and padding")], strict=True
    ):
        row = cells.loc[reference]
        assert text == (
            f"mean over {name}:\nmean {row['mean']:.2f}, median {row['q50']:.2f}, "
            f"5 to 95 %: {row['q05']:.2f} to {row['q95']:.2f}"
        )
    means = [line.get_xdata()[0] for line in ax.lines]
    assert means == pytest.approx([*cells["mean"], 1])


def test_padding_is_not_counted(experiment, results):
    (ax,) = draw_ratios(experiment, results).axes
    outline = ax.patches[1].get_xy()  # the second outline of the first reference
    heights = dict(map(tuple, outline.round(6)))
    assert sum(heights.values()) == pytest.approx(100, abs=0.2)


def test_data_sets_have_a_panel_each(describe, load):
    one = {"source": "generated", "tasks": {"sudoku": 8}, "seed": 11}
    experiment = describe(datasets={"first": one, "second": one}, seeds=[1])
    fig = draw_ratios(experiment, load(experiment))
    assert [ax.get_title(loc="left") for ax in fig.axes] == ["first", "second"]

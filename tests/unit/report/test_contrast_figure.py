import pytest

from weft.report import contrast_figure
from weft.report.contrast_figure import draw_contrasts, list_lines


def test_contrasts_with_one_control_stand_together_under_its_name(describe_ablations):
    experiment = describe_ablations(
        further_contrasts=[["weft-permuted", "weft"], ["cart", "sft"], ["cart", "weft"]]
    )
    assert list_lines(experiment) == [
        (None, "sft"), ("weft", "sft"), ("cart", "sft"),
        (None, "weft"), ("weft-permuted", "weft"), ("cart", "weft"),
    ]  # fmt: skip


def dots(ax):
    return [line for line in ax.lines if line.get_marker() == "o"]


def test_every_contrast_has_a_dot_in_its_row_of_every_panel(ablations, ablated, ablated_tables):
    fig = draw_contrasts(ablations, ablated)
    assert [ax.get_title(loc="left") for ax in fig.axes] == [
        "Sudoku 4×4 (cells)", "arithmetic (GSM8K rules)", "average",
    ]  # fmt: skip
    assert [label.get_text() for label in fig.axes[0].get_yticklabels()] == [
        "minus SFT", "WeFT", "CART", "minus WeFT", "WeFT, permuted",
    ]  # fmt: skip
    contrasts = ablated_tables["contrasts"]
    differences = contrasts[contrasts["control"] != "base"].set_index(["treatment", "benchmark"])
    found = [(dot.get_xdata()[0], dot.get_ydata()[0]) for dot in dots(fig.axes[2])]
    assert found == [
        (pytest.approx(100 * differences.loc[(name, "average"), "difference"]), height)
        for name, height in (("weft", 1), ("cart", 2), ("weft-permuted", 4))
    ]


def test_filled_dots_mark_differences_with_a_conclusion(ablations, ablated, ablated_tables, monkeypatch):
    frame = ablated_tables["contrasts"].copy()
    is_drawn = (frame["benchmark"] == "average") & (frame["control"] != "base")
    frame.loc[is_drawn, "conclusion"] = ["above zero", "not distinguishable from zero", "below zero"]
    monkeypatch.setattr(contrast_figure, "compute_tables", lambda *_: {"contrasts": frame})
    drawn = dots(draw_contrasts(ablations, ablated).axes[2])
    assert [dot.get_markerfacecolor() == "white" for dot in drawn] == [False, True, False]


def test_every_length_has_panels_of_the_first_scoring_only(describe_ablations, load):
    both = describe_ablations(
        scoring=["d1", "strict"],
        sampling=describe_ablations().sampling.model_dump() | {"gen_lengths": [48, 96]},
        gradient_study=None,
        seeds=[1],
    )
    fig = draw_contrasts(both, load(both))
    assert len(fig.axes) == 2 * 3
    assert [len(dots(ax)) for ax in fig.axes] == [3] * 6
    assert fig.axes[3].get_ylabel() == "worked, 96 tokens"
    weights = [[label.get_fontweight() for label in fig.axes[row].get_yticklabels()] for row in (0, 3)]
    assert weights == [["bold", "normal", "normal", "bold", "normal"]] * 2

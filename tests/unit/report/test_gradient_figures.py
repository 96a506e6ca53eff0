from dataclasses import replace

import pytest

from weft.report.gradient_figures import draw_gradient_share, draw_gradient_variance


def test_every_method_has_a_panel_with_weights_gradients_and_the_controls_gradients(ablations, ablated):
    frame = ablated.gradients["worked"].copy()
    frame.loc[frame["method"] == "weft", "gradient_share"] += 0.01
    fig = draw_gradient_share(ablations, replace(ablated, gradients={"worked": frame}))
    assert [ax.get_title(loc="left") for ax in fig.axes] == ["SFT", "WeFT", "CART", "WeFT, permuted"]
    panel = fig.axes[1]
    assert [bar.get_height() for bar in panel.patches] == pytest.approx([15] * 5)
    control, own = panel.lines[0], next(line for line in panel.lines if line.get_marker() == "o")
    assert list(control.get_ydata()) == pytest.approx([5, 10, 15, 20, 25])
    assert list(own.get_ydata()) == pytest.approx([6, 11, 16, 21, 26])
    assert own.get_color() == "#c04a00"
    assert {text.get_text() for text in fig.legends[0].texts} == {
        "of the loss weight", "of the gradient, SFT", "of the gradient",
    }  # fmt: skip


def test_a_study_without_the_control_still_has_its_panels(ablations, ablated):
    frame = ablated.gradients["worked"]
    study = replace(ablated, gradients={"worked": frame[frame["method"] == "cart"]})
    (panel,) = draw_gradient_share(ablations, study).axes
    assert panel.get_title(loc="left") == "CART"
    assert panel.get_xlabel() == "entropy quintile"


def test_panels_of_the_last_row_may_be_fewer(describe_ablations, load):
    methods = {name: {"preset": "sft"} for name in ("sft", "weft", "a", "b", "c", "d", "e")}
    experiment = describe_ablations(methods=methods, further_contrasts=[["a", "sft"]], seeds=[1])
    fig = draw_gradient_share(experiment, load(experiment))
    assert len([ax for ax in fig.axes if ax.axison]) == 7
    assert [ax.get_xlabel() != "" for ax in fig.axes[:7]] == [False] * 2 + [True] * 5


def test_variances_are_drawn_with_their_intervals(ablations, ablated):
    (ax,) = draw_gradient_variance(ablations, ablated).axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["SFT", "WeFT", "CART", "WeFT, permuted"]
    assert [text.get_text() for text in ax.texts] == ["4", "2", "4", "4"]
    ends = [tuple(bars.get_segments()[0][:, 0]) for bars in ax.collections]
    assert ends[:2] == [pytest.approx((3.6, 4.8)), pytest.approx((1.8, 2.4))]
    assert ax.get_xscale() == "linear"


def test_variances_far_apart_have_a_logarithmic_scale(ablations, ablated):
    frame = ablated.gradients["worked"].copy()
    is_cart = frame["method"] == "cart"
    for name in ("relative_variance", "relative_variance_low", "relative_variance_high"):
        frame.loc[is_cart, name] *= 10
    (ax,) = draw_gradient_variance(ablations, replace(ablated, gradients={"worked": frame})).axes
    assert ax.get_xscale() == "log"

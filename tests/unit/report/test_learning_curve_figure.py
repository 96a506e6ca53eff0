from weft.report.drawing import PALE, save_figure
from weft.report.learning_curve_figure import draw_learning_curves


def shown(fig):
    return [ax for ax in fig.axes if ax.axison]


def test_the_figure_has_a_panel_for_each_benchmark_and_the_average(ablations, ablated):
    panels = shown(draw_learning_curves(ablations, ablated))
    titles = [ax.get_title(loc="left") for ax in panels]
    assert titles == ["Sudoku 4×4", "arithmetic (GSM8K rules)", "average"]
    assert all(len(ax.lines) == len(ax.collections) == len(ablations.methods) for ax in panels)


def test_the_band_is_the_standard_deviation_over_the_seeds(ablations, ablated):
    """The seeds 1 to 3 differ by one point each, so that the standard deviation is one point."""
    panel = shown(draw_learning_curves(ablations, ablated))[0]
    last = panel.lines[0].get_ydata()[-1]
    heights = panel.collections[0].get_paths()[0].vertices[:, 1]
    assert abs(max(heights) - (last + 1)) < 1e-9


def test_each_data_set_has_a_row_of_its_own_with_labels_below(describe_ablations, load, tmp_path):
    tasks = {"source": "generated", "tasks": {"sudoku": 8}, "seed": 11}
    experiment = describe_ablations(datasets={"worked": tasks, "large": tasks}, gradient_study=None)
    fig = draw_learning_curves(experiment, load(experiment))
    rows = {}
    for ax in shown(fig):
        rows.setdefault(ax.get_subplotspec().rowspan.start, []).append(ax)
    titles = [[ax.get_title(loc="left").split(",\n")[-1] for ax in row] for row in rows.values()]
    assert titles == [["worked"] * 3, ["large"] * 3]
    assert all(ax.get_xlabel() == "optimiser step" for row in rows.values() for ax in row)
    save_figure(fig, tmp_path / "curves")


def has_labels(ax):
    """Return True if both axes of a panel show their numbers."""
    is_shown = ax.xaxis.get_tick_params()["labelbottom"], ax.yaxis.get_tick_params()["labelleft"]
    return all(is_shown) and ax.xaxis.get_visible() and ax.yaxis.get_visible()


def test_the_panels_of_a_data_set_share_the_steps_and_all_show_them(describe_ablations, load):
    tasks = {"source": "generated", "tasks": {"sudoku": 8}, "seed": 11}
    experiment = describe_ablations(datasets={"worked": tasks, "large": tasks}, gradient_study=None)
    panels = shown(draw_learning_curves(experiment, load(experiment)))
    shared = panels[0].get_shared_x_axes()
    assert [shared.joined(panels[0], ax) for ax in panels] == [True] * 3 + [False] * 3
    assert shared.joined(panels[3], panels[5])
    assert all(has_labels(ax) for ax in panels)
    panels[0].set_xlim(0, 7000)
    for ax in panels[:3]:
        assert 3 <= len(ax.get_xticks()) <= 5


def test_of_many_methods_only_those_of_the_main_contrast_are_in_colour(describe_ablations, load):
    presets = ("cart", "sft", "weft-permuted", "weft", "weft-frozen")
    experiment = describe_ablations(methods={name: {"preset": name} for name in presets}, gradient_study=None)
    panels = shown(draw_learning_curves(experiment, load(experiment)))
    for ax in panels:
        thin = [line for line in ax.lines if line.get_color() == PALE]
        thick = [line.get_label() for line in ax.lines if line not in thin]
        assert len(thin) == 3
        assert thick == ["SFT", "WeFT"]
        assert len(ax.collections) == 2, "bands"
        assert all(line.get_zorder() < 2 and line.get_linewidth() < 1 for line in thin)
    entries = [text.get_text() for text in panels[0].get_legend().get_texts()]
    assert sorted(entries) == ["SFT", "WeFT", "other methods"]

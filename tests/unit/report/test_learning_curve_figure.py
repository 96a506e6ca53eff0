from weft.report.drawing import save_figure
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
    mean = panel.lines[0].get_ydata()[0]
    heights = panel.collections[0].get_paths()[0].vertices[:, 1]
    assert abs(min(heights) - (mean - 1)) < 1e-9


def test_each_data_set_has_a_row_of_its_own_with_labels_below(describe_ablations, load, tmp_path):
    tasks = {"source": "generated", "tasks": {"sudoku": 8}, "seed": 11}
    experiment = describe_ablations(datasets={"worked": tasks, "large": tasks}, gradient_study=None)
    fig = draw_learning_curves(experiment, load(experiment))
    rows = {}
    for ax in shown(fig):
        rows.setdefault(ax.get_subplotspec().rowspan.start, []).append(ax)
    titles = [[ax.get_title(loc="left").split(", ")[-1] for ax in row] for row in rows.values()]
    assert titles == [["worked"] * 3, ["large"] * 3]
    assert all(ax.get_xlabel() == "optimiser step" for row in rows.values() for ax in row)
    save_figure(fig, tmp_path / "curves")

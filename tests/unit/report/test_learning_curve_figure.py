from weft.report.learning_curve_figure import draw_learning_curves


def test_the_figure_has_a_panel_for_each_benchmark_and_the_average(ablations, ablated):
    fig = draw_learning_curves(ablations, ablated)
    titles = [ax.get_title(loc="left") for ax in fig.axes if ax.axison]
    assert titles == ["Sudoku 4×4", "arithmetic (GSM8K rules)", "average"]
    num_lines = len(ablations.methods) * (len(ablations.seeds) + 1)
    assert all(len(ax.lines) == num_lines for ax in fig.axes if ax.axison)

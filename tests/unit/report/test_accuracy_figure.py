import pytest

from weft.report.accuracy_figure import draw_accuracy


def series(ax):
    """Return what is drawn: colour -> y values, of means and dots together."""
    found = {}
    for line in ax.lines:
        if line.get_marker() not in (None, "None", ""):
            found.setdefault(line.get_color(), []).extend(float(y) for y in line.get_ydata())
    return found


def test_means_and_single_seeds_are_drawn(experiment, results, tables):
    fig = draw_accuracy(experiment, results)
    (ax,) = fig.axes
    drawn = series(ax)
    assert {colour: len(values) for colour, values in drawn.items()} == {
        "#929292": 3,  # base model: two benchmarks and the average
        "#00447c": 3 + 9,  # SFT: and three seeds of each
        "#c04a00": 3 + 9,
    }
    means = tables["methods"].set_index(["method", "benchmark"])["mean"]
    assert drawn["#c04a00"][0] == pytest.approx(100 * means["weft", "sudoku"])
    assert [label.get_text() for label in ax.get_xticklabels()][-1] == "average"


def test_published_numbers_stand_beside_stored_generations(stored, stored_results):
    fig = draw_accuracy(stored, stored_results)
    assert [ax.get_title(loc="left") for ax in fig.axes] == ["128 tokens", "256 tokens"]
    assert series(fig.axes[0])["#222222"] == pytest.approx([20.7, 11.7])


def test_both_rules_stand_beside_the_published_numbers(describe_stored, compute):
    both = describe_stored(scoring=["d1", "strict"])
    results, tables = compute(both)
    fig = draw_accuracy(both, results)
    scores = tables["scores"].set_index(["rules", "gen_length", "benchmark"])["accuracy"]
    drawn = series(fig.axes[1])
    for colour, rules in (("#00447c", "d1"), ("#c04a00", "strict")):
        expected = [100 * scores[rules, 256, name] for name in ("countdown", "sudoku")]
        assert drawn[colour] == pytest.approx(expected)
    assert drawn["#222222"] == pytest.approx([19.5, 6.7]), "once"
    assert [text.get_text() for text in fig.legends[0].texts] == [
        "as published",
        "d1 scoring",
        "strict scoring",
    ]
    assert [label.get_text() for label in fig.axes[1].get_xticklabels()] == ["Countdown", "Sudoku 4×4"]


def test_further_scorings_do_not_change_the_figure(describe, load, experiment, results):
    both = describe(scoring=["d1", "strict"])
    one, two = draw_accuracy(experiment, results), draw_accuracy(both, load(both))
    assert series(one.axes[0]) == series(two.axes[0])


def test_several_data_sets_get_a_row_each(describe, load):
    one = {"source": "generated", "tasks": {"sudoku": 8}, "seed": 11}
    experiment = describe(datasets={"first": one, "second": one}, seeds=[1])
    fig = draw_accuracy(experiment, load(experiment))
    assert len(fig.axes) == 2
    assert all("#929292" in series(ax) for ax in fig.axes)


def test_many_methods_get_a_row_each(describe, compute):
    names = ["sft", "weft", *(f"m{index}" for index in range(6))]
    methods = {name: {"preset": "weft" if name == "weft" else "sft"} for name in names}
    experiment = describe(methods=methods, seeds=[1, 2])
    results, tables = compute(experiment)
    fig = draw_accuracy(experiment, results)
    assert len(fig.axes) == 3  # two benchmarks and the average
    labels = [label.get_text() for label in fig.axes[0].get_yticklabels()]
    assert labels == ["base model", "SFT", "WeFT", *names[2:]]
    means = tables["methods"].set_index(["method", "benchmark"])["mean"]
    dots = [line for line in fig.axes[1].lines if line.get_markersize() == 5]
    assert [(dot.get_xdata()[0], dot.get_ydata()[0]) for dot in dots] == [
        (pytest.approx(100 * means[name, "gsm8k"]), height) for height, name in enumerate(["base", *names])
    ]
    scores = tables["scores"].set_index(["run", "benchmark"])["accuracy"]
    seeds = [line for line in fig.axes[1].lines if line.get_markersize() == 2.4]
    assert list(seeds[2].get_xdata()) == [100 * scores[f"weft-worked-seed{seed}", "gsm8k"] for seed in (1, 2)]

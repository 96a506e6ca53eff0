import pytest

from weft.report.accuracy_points import collect_points, series_label


def test_points_are_the_means_and_the_single_runs(experiment, results, tables):
    points = collect_points(experiment, results)
    assert points.names("method") == ["base", "sft", "weft"]
    assert points.names("benchmark") == ["sudoku", "gsm8k", "average"]
    dots = points.dots[(points.dots["method"] == "weft") & (points.dots["benchmark"] == "average")]
    methods = tables["methods"].set_index(["method", "benchmark"])["mean"]
    assert len(dots) == 3
    assert dots["accuracy"].mean() == pytest.approx(methods["weft", "average"], abs=2e-6)


def test_a_single_seed_has_no_dots(describe, load):
    one = describe(seeds=[1])
    assert collect_points(one, load(one)).dots.empty


def test_stored_generations_are_shown_by_scoring(stored, stored_results):
    points = collect_points(stored, stored_results)
    assert points.names("method") == ["d1"]
    assert points.panel(None, 128).dots["accuracy"].tolist() == [0.207, 0.117]
    assert series_label(stored, "d1") == "d1 scoring"

"""A custom benchmark has one scoring: its verdicts are shown once, under a name of their own."""

import csv

import pytest

from weft.errors import ScoringError
from weft.report.accuracy_figure import draw_accuracy
from weft.report.captions import figure_caption
from weft.report.outputs import list_headlines
from weft.report.presentation import headline_headings, present
from weft.report.results import load_results
from weft.report.tables import write_table

GENERATED = {"source": "generated", "num_examples": 24, "seed": 1}
CUSTOM = {"source": "custom", "path": "examples/custom_benchmark.py"}


@pytest.fixture
def mixed(describe):
    return describe(benchmarks={"gsm8k": GENERATED, "capitals": CUSTOM}, scoring=["d1", "strict"])


def test_rows_of_a_custom_benchmark_stand_once_and_name_its_scoring(mixed, compute, tmp_path):
    _, tables = compute(mixed)
    for name, num_groups in (("scores", 7), ("methods", 3), ("contrasts", 3)):
        write_table(mixed, name, tables[name], tmp_path)
        with (tmp_path / f"{name}.csv").open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        rules = {
            benchmark: [row["rules"] for row in rows if row["benchmark"] == benchmark]
            for benchmark in ("gsm8k", "capitals")
        }
        assert rules["capitals"] == ["custom"] * num_groups
        assert sorted(rules["gsm8k"]) == ["d1"] * num_groups + ["strict"] * num_groups
        shown = present(mixed, name, tables[name])
        assert set(shown.cells["scoring"][shown.cells["benchmark"] == "capitals"]) == {"custom"}
        assert "capitals are scored by the benchmark's own function" in shown.notes[-1]
    by_seed = present(mixed, "seeds", tables["seeds"]).cells
    assert set(by_seed["scoring"][by_seed["benchmark"] == "capitals"]) == {"custom"}


def test_further_headlines_have_no_column_of_a_custom_benchmark(mixed, compute):
    _, tables = compute(mixed)
    assert list(headline_headings(mixed, "d1")) == ["gsm8k_48", "capitals_48", "average_48"]
    assert list(headline_headings(mixed, "strict")) == ["gsm8k_48", "average_48"]
    assert "capitals" in present(mixed, "headline", tables["headline"]).cells
    assert "capitals" not in present(mixed, "headline_strict", tables["headline_strict"]).cells


def test_the_accuracy_figure_shows_it_and_explains_its_scoring(mixed, load):
    results = load(mixed)
    ticks = [label.get_text() for label in draw_accuracy(mixed, results).axes[0].get_xticklabels()]
    assert "capitals" in ticks
    assert "capitals are scored by" in figure_caption(mixed, results, "accuracy")
    assert "capitals" not in figure_caption(mixed, results, "training_loss")


def test_custom_benchmarks_alone_have_one_scoring_without_the_names_of_others(describe, compute):
    alone = describe(benchmarks={"capitals": CUSTOM}, scoring=["d1", "strict"])
    _, tables = compute(alone)
    assert list_headlines(alone) == {"headline": "d1"}
    shown = present(alone, "headline", tables["headline"])
    assert shown.subject == "accuracy"
    assert "d1's evaluation code" not in " ".join(shown.notes)
    assert "scoring" not in present(alone, "scores", tables["scores"]).cells
    assert len(tables["scores"]) == 7
    assert tables["contrasts"]["conclusion"].ne("").all(), "the only benchmark has a conclusion"


def test_scores_by_other_rules_are_an_error(mixed, write, tmp_path):
    layout = write(mixed, tmp_path)
    path = layout.scores("d1", "base", "capitals", 48)
    path.write_text(path.read_text().replace('"rules": "custom"', '"rules": "d1"'))
    with pytest.raises(
        ScoringError, match="expected a score of capitals by custom, got one of capitals by d1"
    ):
        load_results(mixed, layout)

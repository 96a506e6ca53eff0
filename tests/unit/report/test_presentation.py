import pandas as pd

from tests.unit.report.conftest import CONTRAST
from weft.report.presentation import headline_headings, main_rows, present


def test_the_main_rows_are_the_averages_of_the_first_scoring(describe_ablations):
    both = describe_ablations(scoring=["d1", "strict"])
    rows = [
        CONTRAST | {"rules": rules, "benchmark": name}
        for rules in both.scoring
        for name in ("sudoku", "gsm8k", "average")
    ]
    assert main_rows(both, pd.DataFrame(rows)).index.tolist() == [2]
    one = describe_ablations(benchmarks={"sudoku": {"source": "generated", "num_examples": 24, "seed": 1}})
    assert main_rows(one, pd.DataFrame(rows[:1])).index.tolist() == [0], "the only benchmark"


def test_custom_benchmarks_keep_their_name(describe):
    capitals = {"source": "custom", "path": "examples/custom_benchmark.py"}
    experiment = describe(benchmarks={"capitals": capitals})
    assert headline_headings(experiment, "d1") == {"capitals_48": "capitals"}


def test_headings_name_the_length_only_if_there_are_several(experiment, stored):
    assert headline_headings(experiment, "d1")["sudoku_48"] == "Sudoku 4×4 (cells)"
    assert headline_headings(experiment, "strict")["sudoku_48"] == "Sudoku 4×4 (boards)"
    assert headline_headings(stored, "d1")["average_256"] == "average, 256"


def test_the_paper_experiment_has_the_average_at_the_papers_lengths(describe_paper):
    assert list(headline_headings(describe_paper(), "d1"))[-1] == "average_mixed"


def test_columns_with_a_single_value_become_a_sentence(experiment):
    rows = [CONTRAST, CONTRAST | {"benchmark": "sudoku"}]
    table = present(experiment, "contrasts", pd.DataFrame(rows))
    assert list(table.cells.columns)[:2] == ["benchmark", "difference, points"]
    assert table.notes[0] == (
        "In all rows, the contrast is WeFT minus SFT, the training set is worked and the length is 48 tokens."
    )
    differing = present(experiment, "contrasts", pd.DataFrame([rows[0], rows[1] | {"gen_length": 64}]))
    assert differing.cells["length"].tolist() == ["48", "64"]
    assert "length" not in differing.notes[0]


def test_values_that_are_not_known_have_no_column(experiment, tables):
    assert not {"sampling, s", "GPU hours"} & set(present(experiment, "costs", tables["costs"]).cells)
    known = tables["costs"].assign(sampling_seconds=[1.0, 2.0, None, None])
    assert present(experiment, "costs", known).cells["sampling, s"].tolist() == ["1", "2", "", ""]
    assert "steps, mean" not in present(experiment, "answers", tables["answers"]).cells


def test_accuracies_of_stored_answers_have_lengths_as_columns(stored, stored_tables):
    cells = present(stored, "headline", stored_tables["headline"]).cells
    assert cells["benchmark"].tolist() == ["Countdown", "Sudoku 4×4 (cells)", "average"]
    assert list(cells.columns)[1:] == [
        "128 tokens, %", "128 tokens published, %", "256 tokens, %", "256 tokens published, %",
    ]  # fmt: skip
    row = stored_tables["headline"].iloc[0]
    assert cells["256 tokens, %"].tolist() == [
        row[f"{name}_256"] for name in ("countdown", "sudoku", "average")
    ]
    assert cells["256 tokens published, %"].tolist()[:2] == ["19.5", "6.7"]

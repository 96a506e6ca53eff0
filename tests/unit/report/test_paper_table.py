import pytest

from weft.report.presentation import present
from weft.report.tables import compute_tables


def test_the_rows_are_grouped_by_training_set(of_paper):
    _, tables = of_paper
    table = tables["table1"]
    assert (table["gen_length"] == "mixed").all()
    measured = table[table["source"] == "measured"]
    assert measured["dataset"].tolist() == ["s1k"] * 3 + ["s1k.1.1"] * 3
    assert measured["method"].tolist() == ["base", "sft", "weft"] * 2


def test_the_numbers_are_those_of_methods_and_gains(of_paper):
    _, tables = of_paper
    methods = tables["methods"].assign(dataset=tables["methods"]["dataset"].fillna(""))
    methods = methods[methods["rules"] == "d1"].set_index(["method", "dataset", "benchmark", "gen_length"])
    gains = tables["gains"].set_index(["method", "dataset", "gen_length"])
    table = tables["table1"]
    for row in table[table["source"] == "measured"].to_dict("records"):
        dataset = "" if row["method"] == "base" else row["dataset"]
        for name, length in {"sudoku": 512, "gsm8k": 256, "average": "mixed"}.items():
            assert row[f"accuracy_{name}"] == methods.loc[(row["method"], dataset, name, length), "mean"]
        if dataset:
            of_method = gains.loc[(row["method"], dataset, "mixed")]
            assert row["gain"] == of_method["gain"]
            assert row["relative_gain"] == pytest.approx(of_method["relative_gain"], nan_ok=True)


def test_published_rows_hold_the_numbers_of_the_paper(of_paper):
    experiment, tables = of_paper
    table = tables["table1"]
    published = table[table["source"] == "published"].set_index(["dataset", "method"])
    assert published.loc[("s1k", "sft"), "accuracy_average"] == 0.349
    assert published.loc[("s1k", "base"), "accuracy_sudoku"] == 0.055
    assert published.loc[("s1k.1.1", "weft"), "gain"] == pytest.approx(0.018)
    relative = published.loc[[("s1k", "weft"), ("s1k.1.1", "weft")], "relative_gain"]
    assert [round(100 * value) for value in relative] == [39, 64]
    cells = present(experiment, "table1", table).cells
    assert "SFT, published" in cells["method"].tolist()
    assert "Sudoku 4×4 (cells), 512" in cells.columns


def test_other_experiments_have_a_group_for_each_length(describe, compute):
    experiment = describe(sampling=describe().model_dump()["sampling"] | {"gen_lengths": [32, 48]})
    table = compute(experiment)[1]["table1"]
    assert table["gen_length"].tolist() == [32] * 3 + [48] * 3
    assert set(table["source"]) == {"measured"}


def test_a_relative_gain_without_a_bounded_interval_is_in_parentheses(experiment, tables):
    frame = tables["table1"].copy()
    row = frame["method"] == "weft"
    frame.loc[row, ["relative_gain", "relative_gain_low"]] = [0.25, 0.1]
    assert present(experiment, "table1", frame).cells["relative gain, %"].tolist() == ["", "", "+25.0"]
    frame.loc[row, "relative_gain_low"] = float("nan")
    assert present(experiment, "table1", frame).cells["relative gain, %"].tolist() == ["", "", "(+25.0)"]


def test_a_single_benchmark_has_no_average(describe, compute):
    generated = {"source": "generated", "num_examples": 24, "seed": 1}
    table = compute(describe(benchmarks={"gsm8k": generated}))[1]["table1"]
    assert "accuracy_average" not in table
    assert table["gain"].notna().tolist() == [False, True, True]


def test_the_table_does_not_change_if_it_is_computed_alone(experiment, results, tables):
    alone = compute_tables(experiment, results, ["table1"])["table1"]
    assert alone.equals(tables["table1"])

import numpy as np
import pandas as pd
import pytest

from weft.report.outputs import table_formats
from weft.report.tables import compute_tables, write_table


def write_all(experiment, tables, out):
    for name, frame in tables.items():
        write_table(experiment, name, frame, out)
    return {path.name: path.read_text() for path in out.iterdir()}


@pytest.fixture
def files(experiment, tables, tmp_path):
    """Name -> text of the files of all tables."""
    return write_all(experiment, tables, tmp_path)


def test_every_table_is_written_in_its_formats(tables, files):
    assert sorted(files) == sorted(f"{name}.{ending}" for name in tables for ending in table_formats(name))


def test_the_same_results_give_the_same_bytes(experiment, results, files, tmp_path):
    assert write_all(experiment, compute_tables(experiment, results), tmp_path / "again") == files


def test_csv_files_hold_fractions_with_six_decimals(files):
    line = files["scores.csv"].splitlines()[1]
    assert line.startswith("base,base,,,sudoku,48,d1,24,")
    accuracy = line.split(",")[10]
    assert len(accuracy.split(".")[1]) == 6
    assert 0 <= float(accuracy) <= 1


def test_the_headline_agrees_with_the_scores(tables, files):
    headline = tables["headline"].set_index("method")
    assert list(headline.columns) == ["dataset", "sudoku_48", "gsm8k_48", "average_48"]
    assert headline.index.tolist() == ["base", "sft", "weft"]
    assert "±" not in headline["gsm8k_48"]["base"]
    scores = tables["scores"]
    chosen = scores[(scores["method"] == "weft") & (scores["benchmark"] == "gsm8k")]["accuracy"]
    assert headline.loc["weft", "gsm8k_48"] == f"{100 * chosen.mean():.1f} ± {100 * chosen.std():.1f}"
    assert headline.loc["weft", "gsm8k_48"] in files["headline.md"]


def test_contrasts_agree_with_the_methods(tables):
    means = tables["methods"].set_index(["method", "benchmark"])["mean"]
    for row in tables["contrasts"].itertuples():
        expected = means[row.treatment, row.benchmark] - means[row.control, row.benchmark]
        assert row.difference == pytest.approx(expected, abs=2e-6)


def test_the_caption_stands_under_every_table(experiment, files):
    for name, text in files.items():
        if name.endswith(".md"):
            assert text.endswith(f"*{experiment.caption}*\n"), name
        if name.endswith(".tex"):
            assert r"tests \& nothing else, 100\_\% synthetic." in text, name


def test_a_small_model_is_not_compared_with_published_numbers(files):
    for name, text in files.items():
        assert "WeFT v1" not in text, name
        assert "published" not in text, name


def test_the_paper_experiment_puts_published_numbers_beside_ours(describe_paper, compute, tmp_path):
    paper = describe_paper()
    tables = compute(paper)[1]
    files = write_all(paper, tables, tmp_path / "tables")
    table = tables["published"]
    place = ["method", "dataset", "benchmark", "gen_length"]
    rows = table.assign(dataset=table["dataset"].fillna("")).set_index(place)
    assert rows.loc[("sft", "s1k", "sudoku", 512), ["weft_paper", "d1"]].tolist() == [0.046, 0.046]
    assert rows.loc[("base", "", "average", "mixed"), "weft_paper"] == 0.326
    assert np.isnan(rows.loc[("weft", "s1k", "gsm8k", 256), "weft_paper"])
    assert len(rows) == 5 * (5 * 2 + 1)
    assert "| base model | average | mixed | 1 |" in files["published.md"]
    assert "nan" not in files["published.md"]
    assert "average, lengths of the paper" in files["headline.md"]


def test_stored_generations_stand_beside_d1s_numbers(stored_tables):
    assert stored_tables["scores"]["published_accuracy"].tolist() == [0.207, 0.195, 0.117, 0.067]
    headline = stored_tables["headline"]
    assert headline["method"].tolist() == ["LLaDA-8B-Instruct", "LLaDA-8B-Instruct, as published"]
    assert headline["average_128"][1] == "16.2"


def test_another_model_has_no_published_row(stored, stored_results):
    other = stored.model_copy(update={"generations": stored.generations.model_copy(update={"model": "mine"})})
    assert len(compute_tables(other, stored_results)["headline"]) == 1


def test_further_scorings_leave_the_numbers_of_the_first_as_they_are(describe, compute, tables):
    both = compute(describe(scoring=["d1", "strict"]))[1]
    pd.testing.assert_frame_equal(both["headline"], tables["headline"])
    for name in ("scores", "methods", "contrasts"):
        alone, beside = tables[name], both[name]
        pd.testing.assert_frame_equal(beside[: len(alone)], alone)
        assert beside[len(alone) :]["rules"].tolist() == ["strict"] * len(alone)
    methods = both["methods"].set_index(["rules", "method", "benchmark"])["mean"]
    strict = both["headline_strict"].set_index("method").loc["sft", "sudoku_48"]
    assert strict.startswith(f"{100 * methods['strict', 'sft', 'sudoku']:.1f} ± ")
    assert methods["strict", "sft", "sudoku"] != methods["d1", "sft", "sudoku"]


def test_the_scorings_of_stored_generations_stand_beside_each_other(describe_stored, compute):
    both = describe_stored(scoring=["d1", "strict"])
    tables = compute(both)[1]
    scores = tables["scores"].set_index(["rules", "benchmark", "gen_length"])
    for row in tables["rules"].itertuples():
        d1, strict = (scores.loc[(name, row.benchmark, row.gen_length)] for name in both.scoring)
        assert [row.accuracy_d1, row.accuracy_strict] == [d1["accuracy"], strict["accuracy"]]
        assert row.difference_strict == pytest.approx(row.accuracy_strict - row.accuracy_d1, abs=2e-6)
        assert row.published_accuracy == d1["published_accuracy"]
        assert np.isnan(strict["published_accuracy"]), "a share of cells is no share of boards"
    assert (len(tables["headline"]), len(tables["headline_strict"])) == (2, 1)


def test_further_contrasts_change_only_the_correction_of_the_first(
    describe_ablations, compute, ablated_tables
):
    first = compute(describe_ablations(further_contrasts=[], gradient_study=None))[1]["contrasts"]
    several = ablated_tables["contrasts"]
    uncorrected = [name for name in first if name not in {"p_holm", "conclusion"}]
    pd.testing.assert_frame_equal(several[: len(first)][uncorrected], first[uncorrected])
    treatments = ["weft", "sft", "weft", "cart", "weft-permuted"]
    assert several["treatment"].tolist()[::3] == treatments
    assert several["control"].tolist()[::3] == ["sft", "base", "base", "sft", "weft"]
    assert several["p_holm"].notna().tolist() == [False, False, True] * 5
    assert first["p_holm"].notna().tolist() == [False, False, True] * 3


def test_only_the_first_scoring_is_tested(describe, compute):
    contrasts = compute(describe(scoring=["d1", "strict"]))[1]["contrasts"].set_index("rules")
    assert contrasts.loc["d1", "p_holm"].notna().sum() == 3
    assert contrasts.loc["strict", "p_holm"].isna().all()
    assert set(contrasts.loc["strict", "conclusion"]) == {""}
    assert contrasts.loc["strict", "p_value"].notna().all()


def test_ablations_have_a_table_of_costs(ablated_tables):
    costs = ablated_tables["costs"].set_index("method")
    assert costs.loc["sft", ["ratio", "ratio_low", "ratio_high"]].tolist() == [1, 1, 1]
    assert costs.loc["weft", "ratio"] == pytest.approx(0.64 / 0.52, abs=1e-6)


def test_every_table_says_that_sampling_is_approximate(approximate, tables, files, tmp_path):
    note = "dual cache, threshold 0.9"
    for name, text in write_all(approximate, tables, tmp_path / "approximate").items():
        if name.endswith(".csv"):
            assert text.count(f"approximate: {note}") == text.count("\n") - 1, name
        else:
            assert f"approximate sampling: {note}" in text, name
    for name, text in files.items():
        assert "approximate" not in text, name


def test_the_words_of_all_data_sets_are_listed_with_their_ranks(experiment, results, tables):
    found, expected = tables["words"], results.word_rankings["worked"].words
    assert list(found.columns) == ["dataset", "kind", "rank", "word", "count", "mean_entropy"]
    assert (
        found["word"].tolist()
        == expected["word"].tolist()
        == ["answer", "then", "is", "sum", "second", "first", "the"]
    )
    assert set(found["dataset"] + found["kind"]) == {"workedword"}

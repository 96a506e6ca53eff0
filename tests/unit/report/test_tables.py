import numpy as np
import pandas as pd
import pytest

from weft.errors import ScoringError
from weft.report.load import load_table
from weft.report.outputs import table_files
from weft.report.tables import make_tables


def test_exactly_the_listed_files_are_written(experiment, tables):
    assert sorted(path.name for path in tables.iterdir()) == sorted(table_files(experiment))


def test_the_same_scores_give_the_same_bytes(experiment, root, tables):
    make_tables(experiment, root, root / "again")
    for name in table_files(experiment):
        assert (root / "again" / name).read_bytes() == (tables / name).read_bytes(), name


def test_accuracies_are_fractions_with_six_decimals(tables):
    line = (tables / "scores.csv").read_text().splitlines()[1]
    assert line.startswith("base,base,,,sudoku,48,d1,24,")
    assert len(line.split(",")[10].split(".")[1]) == 6
    assert load_table(tables, "scores")["accuracy"].between(0, 1).all()


def test_headline_rows_and_columns(tables):
    headline = pd.read_csv(tables / "headline.csv", keep_default_na=False)
    assert list(headline.columns) == ["method", "dataset", "sudoku_48", "gsm8k_48", "average_48"]
    assert headline["method"].tolist() == ["base", "sft", "weft"]
    assert "±" not in headline["gsm8k_48"][0]
    assert "±" in headline["gsm8k_48"][1]


def test_headline_agrees_with_the_scores(tables):
    scores = load_table(tables, "scores")
    own = scores[(scores["method"] == "weft") & (scores["benchmark"] == "gsm8k")]["accuracy"]
    headline = pd.read_csv(tables / "headline.csv").set_index("method")
    assert headline.loc["weft", "gsm8k_48"] == f"{100 * own.mean():.1f} ± {100 * own.std():.1f}"


def test_contrasts_agree_with_the_methods(tables):
    means = load_table(tables, "methods").set_index(["method", "benchmark"])["mean"]
    for row in load_table(tables, "contrasts").itertuples():
        expected = means["weft", row.benchmark] - means["sft", row.benchmark]
        assert row.difference == pytest.approx(expected, abs=2e-6)


def test_the_caption_stands_under_every_table(experiment, tables):
    for path in tables.glob("*.md"):
        assert path.read_text().endswith(f"*{experiment.caption}*\n"), path
    for path in tables.glob("*.tex"):
        assert r"tests \& nothing else, 100\_\% synthetic.}" in path.read_text(), path


def test_a_small_model_never_stands_beside_published_numbers(experiment, tables):
    for path in tables.iterdir():
        text = path.read_text()
        assert "WeFT v1" not in text, path
        assert "published" not in text, path


def test_the_paper_experiment_puts_published_numbers_beside_ours(describe_paper, write, tmp_path):
    paper = describe_paper()
    make_tables(paper, write(paper, tmp_path / "paper"), tmp_path / "tables")
    table = load_table(tmp_path / "tables", "published")
    place = ["method", "dataset", "benchmark", "gen_length"]
    rows = table.assign(dataset=table["dataset"].fillna("")).set_index(place)
    assert rows.loc[("sft", "s1k", "sudoku", "512"), ["weft_paper", "d1"]].tolist() == [0.046, 0.046]
    assert rows.loc[("base", "", "average", "mixed"), "weft_paper"] == 0.326
    assert np.isnan(rows.loc[("weft", "s1k", "gsm8k", "256"), "weft_paper"])
    assert len(rows) == 5 * (5 * 2 + 1)
    text = (tmp_path / "tables/published.md").read_text()
    assert "| base model | average | mixed | 1 |" in text
    assert "nan" not in text
    assert "average, lengths of the paper" in (tmp_path / "tables/headline.md").read_text()


def test_stored_generations_stand_beside_d1s_numbers(stored, stored_tables):
    assert sorted(path.name for path in stored_tables.iterdir()) == sorted(table_files(stored))
    assert load_table(stored_tables, "scores")["published_accuracy"].tolist() == [0.207, 0.195, 0.117, 0.067]
    headline = pd.read_csv(stored_tables / "headline.csv")
    assert headline["method"].tolist() == ["LLaDA-8B-Instruct", "LLaDA-8B-Instruct, as published"]
    assert headline["average_128"][1] == 16.2


def test_another_model_has_no_published_row(stored, stored_root):
    other = stored.model_copy(update={"generations": stored.generations.model_copy(update={"model": "mine"})})
    make_tables(other, stored_root, stored_root / "tables")
    assert len(pd.read_csv(stored_root / "tables/headline.csv")) == 1


def test_further_rules_leave_the_first_ones_numbers_as_they_are(describe, write, tmp_path):
    one, both = describe(), describe(scoring=["d1", "strict"])
    for experiment, name in ((one, "one"), (both, "both")):
        make_tables(experiment, write(experiment, tmp_path / name), tmp_path / name / "tables")
    assert (tmp_path / "one/tables/headline.csv").read_bytes() == (
        tmp_path / "both/tables/headline.csv"
    ).read_bytes()
    for table in ("scores", "methods", "contrasts"):
        alone, beside = (
            (tmp_path / name / "tables" / f"{table}.csv").read_text() for name in ("one", "both")
        )
        assert beside.startswith(alone), table
        strict = load_table(tmp_path / "both/tables", table).query("rules == 'strict'")
        assert len(strict) == alone.count("\n") - 1, table


def test_strict_scores_have_their_own_headline(describe, write, tmp_path):
    both = describe(scoring=["d1", "strict"])
    make_tables(both, write(both, tmp_path), tmp_path / "tables")
    methods = load_table(tmp_path / "tables", "methods").set_index(["rules", "method", "benchmark"])["mean"]
    headline = pd.read_csv(tmp_path / "tables/headline_strict.csv").set_index("method")
    assert headline.loc["sft", "sudoku_48"].startswith(f"{100 * methods['strict', 'sft', 'sudoku']:.1f} ± ")
    assert methods["strict", "sft", "sudoku"] != methods["d1", "sft", "sudoku"]
    assert "Sudoku 4×4 (boards)" in (tmp_path / "tables/headline_strict.md").read_text()


def test_the_rules_of_stored_generations_stand_beside_each_other(describe_stored, write_stored, tmp_path):
    both = describe_stored(scoring=["d1", "strict"])
    make_tables(both, write_stored(both, tmp_path), tmp_path / "tables")
    scores = load_table(tmp_path / "tables", "scores").set_index(["rules", "benchmark", "gen_length"])
    for row in load_table(tmp_path / "tables", "rules").itertuples():
        ours = [scores.loc[(rules, row.benchmark, row.gen_length)] for rules in both.scoring]
        assert [row.accuracy_d1, row.accuracy_strict] == [one["accuracy"] for one in ours]
        assert row.difference_strict == pytest.approx(row.accuracy_strict - row.accuracy_d1, abs=2e-6)
        assert row.published_accuracy == ours[0]["published_accuracy"]
        assert np.isnan(ours[1]["published_accuracy"]), "a share of cells is no share of boards"
    assert len(pd.read_csv(tmp_path / "tables/headline.csv")) == 2
    assert len(pd.read_csv(tmp_path / "tables/headline_strict.csv")) == 1


def test_further_contrasts_leave_the_first_ones_numbers_as_they_are(
    describe_ablations, write, tmp_path, ablated
):
    alone = describe_ablations(further_contrasts=[], gradient_study=None)
    make_tables(alone, write(alone, tmp_path / "alone"), tmp_path / "alone/tables")
    one, several = (load_table(folder / "tables", "contrasts") for folder in (tmp_path / "alone", ablated))
    pd.testing.assert_frame_equal(several[: len(one)][one.columns], one)
    assert several["treatment"].tolist() == ["weft"] * 3 + ["cart"] * 3 + ["weft-permuted"] * 3
    assert several["control"].tolist() == ["sft"] * 6 + ["weft"] * 3
    assert several["p_holm"].notna().tolist() == [False, False, True] * 3
    assert "p_holm" not in one


def test_ablations_have_exactly_the_listed_tables(ablations, ablated):
    assert sorted(path.name for path in (ablated / "tables").iterdir()) == sorted(table_files(ablations))
    costs = load_table(ablated / "tables", "costs").set_index("method")
    assert costs.loc["sft", ["ratio", "ratio_low", "ratio_high"]].tolist() == [1, 1, 1]
    assert costs.loc["weft", "ratio"] == pytest.approx(0.64 / 0.52, abs=1e-6)


def test_latex_writes_roots_and_powers_without_a_package(ablated):
    text = (ablated / "tables/gradients.tex").read_text() + (ablated / "tables/ratios.tex").read_text()
    assert r"$\surd$H" in text
    assert text.isascii()


def test_a_missing_score_file_stops_the_tables(experiment, root):
    (root / "scores/d1/base/gsm8k/48.jsonl").unlink()
    with pytest.raises(ScoringError, match=r"base/gsm8k/48\.jsonl"):
        make_tables(experiment, root, root / "tables")
    assert not (root / "tables").exists()


def test_every_table_says_that_sampling_is_approximate(approximate, root):
    make_tables(approximate, root, root / "tables")
    for file in table_files(approximate):
        text = (root / "tables" / file).read_text()
        if file.endswith(".csv"):
            assert "approximate: dual cache, threshold 0.9" in text, file
            frame = load_table(root / "tables", file.removesuffix(".csv"))
            assert set(frame["sampling"]) == {"approximate: dual cache, threshold 0.9"}, file
        else:
            assert "approximate sampling: dual cache, threshold 0.9" in text, file


def test_exact_sampling_needs_no_word(tables):
    for file in tables.iterdir():
        assert "approximate" not in file.read_text(), file
        assert not file.name.endswith(".csv") or "sampling" not in file.read_text().partition("\n")[0]

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


def test_a_missing_score_file_stops_the_tables(experiment, root):
    (root / "scores/base/gsm8k/48.jsonl").unlink()
    with pytest.raises(ScoringError, match=r"base/gsm8k/48\.jsonl"):
        make_tables(experiment, root, root / "tables")
    assert not (root / "tables").exists()

import pandas as pd
import pytest

from weft.report.answers import ANSWER_COLUMNS
from weft.report.presentation import headline_headings, main_rows, present
from weft.report.ratios import summarise_ratios

CONTRAST = {
    "dataset": "worked",
    "benchmark": "average",
    "gen_length": 48,
    "rules": "d1",
    "treatment": "weft",
    "control": "sft",
    "num_seeds_treatment": 3,
    "num_seeds_control": 3,
    "difference": 0.008,
    "ci_low": -0.012,
    "ci_high": 0.029,
    "p_value": 0.412,
    "p_holm": 0.412,
    "minimum_detectable_difference": 0.0292,
    "conclusion": "not distinguishable from zero",
}


def test_contrasts_are_shown_in_points_with_a_conclusion(experiment):
    table = present(experiment, "contrasts", pd.DataFrame([CONTRAST]))
    assert table.cells.iloc[0].tolist() == [
        "WeFT minus SFT",
        "worked",
        "average",
        "48",
        "+0.8",
        "−1.2 to +2.9",
        "0.412",
        "0.412",
        "2.9",
        "not distinguishable from zero",
    ]
    assert table.title == "A small comparison: paired comparison"
    assert table.caption == experiment.caption


def test_missing_p_values_are_empty(ablations):
    missing = {"p_value": None, "p_holm": None, "minimum_detectable_difference": None, "conclusion": ""}
    rows = [CONTRAST | {"p_holm": 0.824}, CONTRAST | {"treatment": "cart"} | missing]
    table = present(ablations, "contrasts", pd.DataFrame(rows))
    assert table.cells["p, Holm"].tolist() == ["0.824", ""]
    assert table.cells.iloc[1].tolist()[-4:] == [""] * 4
    assert table.cells["contrast"].tolist() == ["WeFT minus SFT", "CART minus SFT"]
    assert len(table.notes) == 4


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


def test_costs_are_relative_to_the_control(ablations):
    row = {"method": "cart", "dataset": "worked", "num_runs": 3, "seconds_per_step": 0.2}
    row |= {"control": "sft", "ratio": 1.174, "ratio_low": 1.1, "ratio_high": 1.25}
    row |= {"operations_ratio": 1.5, "probe_share": 1 / 3, "train_seconds": 1234.5}
    row |= {"sampling_seconds": 99.6, "gpu_hours": None}
    cells = present(ablations, "costs", pd.DataFrame([row])).cells
    assert cells.iloc[0].to_dict() == {
        "method": "CART",
        "runs": "3",
        "seconds per step": "0.200",
        "relative to SFT": "1.17",
        "range over seeds": "1.10 to 1.25",
        "operations, relative": "1.50",
        "of these probe, %": "33.3",
        "training, s": "1,234",
        "sampling, s": "100",
        "GPU hours": "",
    }


def test_values_that_all_quintiles_share_stand_once(ablations, ablated_tables):
    cells = present(ablations, "gradients", ablated_tables["gradients"]).cells
    assert cells["method"].tolist()[4:6] == ["SFT", "WeFT"]
    assert cells["relative variance"].tolist()[4:7] == ["", "2 (1.8 to 2.4)", ""]
    assert cells["cosine to SFT"].tolist()[4:7] == ["", "−0.50 (−0.70 to −0.40)", ""]
    assert cells["interval"].tolist()[:2] == ["3.0 to 8.0", "8.0 to 13.0"]


def test_ratios_name_the_data_set_only_if_there_are_several(describe, experiment, results):
    one = {"source": "generated", "tasks": {"sudoku": 8}, "seed": 11}
    frame = summarise_ratios(experiment, results)
    assert list(present(experiment, "ratios", frame).cells.columns)[:2] == ["tokens", "normalised over"]
    both = pd.concat([frame, frame.assign(dataset="other")])
    several = present(describe(datasets={"worked": one, "other": one}), "ratios", both).cells
    assert several.iloc[0].tolist()[:3] == ["worked", "answer tokens", "answer tokens"]


def test_several_rules_get_a_column_and_sudoku_its_unit(describe):
    both = describe(scoring=["d1", "strict"])
    rows = [CONTRAST | {"benchmark": "sudoku", "rules": rules} for rules in both.scoring]
    cells = present(both, "contrasts", pd.DataFrame(rows)).cells
    assert cells["scoring"].tolist() == ["d1", "strict"]
    assert cells["benchmark"].tolist() == ["Sudoku 4×4 (cells)", "Sudoku 4×4 (boards)"]


def test_the_rules_stand_beside_each_other(describe_stored):
    row = {"benchmark": "sudoku", "gen_length": 128, "n": 146, "published_accuracy": 0.117}
    for rules, accuracy, unscorable in (("d1", 0.108, 0), ("strict", 0.007, 2)):
        row |= {f"accuracy_{rules}": accuracy, f"ci_low_{rules}": 0.0, f"ci_high_{rules}": 0.2}
        row |= {f"num_unscorable_{rules}": unscorable}
    frame = pd.DataFrame([row | {"difference_strict": -0.101}])
    table = present(describe_stored(scoring=["d1", "strict"]), "rules", frame)
    assert dict(zip(table.cells.columns, table.cells.iloc[0], strict=True)) == {
        "benchmark": "Sudoku 4×4",
        "length": "128",
        "n": "146",
        "published, %": "11.7",
        "d1, %": "10.8",
        "d1, 95 % interval": "0.0 to 20.0",
        "strict, %": "0.7",
        "strict, 95 % interval": "0.0 to 20.0",
        "strict minus d1, points": "−10.1",
        "unscorable, d1": "0",
        "unscorable, strict": "2",
    }
    assert "d1 scoring" in table.notes[0]
    assert "strict scoring" in table.notes[1]


def test_unknown_counts_of_answers_are_empty(experiment):
    known = {"method": "weft", "dataset": "worked", "benchmark": "gsm8k", "gen_length": 48, "n": 72}
    unknown = dict.fromkeys(ANSWER_COLUMNS[5:], float("nan"))
    cells = present(experiment, "answers", pd.DataFrame([known | unknown | {"num_unclosed": 3}])).cells
    assert (
        cells.iloc[0].tolist()
        == ["WeFT, worked", "arithmetic (GSM8K rules)", "48", "72", "", "", "", "", "", "3"] + [""] * 5
    )


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


def test_the_differences_by_seed_name_both_methods(experiment, tables):
    cells = present(experiment, "seeds", tables["seeds"]).cells
    assert {"only WeFT correct", "only SFT correct", "questions"} <= set(cells.columns)
    assert cells["seed"].tolist() == ["1", "2", "3"] * 3
    means = tables["contrasts"].query("control == 'sft'").set_index("benchmark")["difference"]
    by_seed = tables["seeds"].groupby("benchmark")["difference"].mean()
    assert by_seed.to_dict() == pytest.approx(means.to_dict(), abs=2e-6)


def test_readers_see_both_ends_of_the_words(describe, experiment):
    words = pd.DataFrame({"rank": range(1, 41), "word": [f"w{i}" for i in range(1, 41)]})
    frame = words.assign(dataset="worked", kind="word", count=1200, mean_entropy=0.125)
    both = pd.concat([frame, frame.head(3).assign(dataset="other")], ignore_index=True)
    cells = present(experiment, "words", frame).cells
    assert cells["rank"].tolist() == [str(rank) for rank in (*range(1, 13), *range(29, 41))]
    assert cells.iloc[0].tolist() == ["1", "w1", "1,200", "0.12"]
    one = {"source": "generated", "tasks": {"sudoku": 8}, "seed": 11}
    several = present(describe(datasets={"worked": one, "other": one}), "words", both).cells
    assert several["training set"].tolist() == ["worked"] * 24 + ["other"] * 3


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

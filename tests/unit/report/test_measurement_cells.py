import pandas as pd

from weft.report.answers import ANSWER_COLUMNS
from weft.report.presentation import present
from weft.report.ratios import summarise_ratios


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


def test_unknown_counts_of_answers_are_empty(experiment):
    known = {"method": "weft", "dataset": "worked", "benchmark": "gsm8k", "gen_length": 48, "n": 72}
    unknown = dict.fromkeys(ANSWER_COLUMNS[5:], float("nan"))
    cells = present(experiment, "answers", pd.DataFrame([known | unknown | {"num_unclosed": 3}])).cells
    assert (
        cells.iloc[0].tolist()
        == ["WeFT, worked", "arithmetic (GSM8K rules)", "48", "72", "", "", "", "", "", "3"] + [""] * 5
    )


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

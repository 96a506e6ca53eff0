from collections import Counter

import pytest

from weft.report.examples import (
    choose_questions,
    list_columns,
    list_comparisons,
    list_filters,
    list_questions,
)

IDS = {name: [f"{name}{i}" for i in range(size)] for name, size in {"a": 400, "b": 30, "c": 400}.items()}


def test_all_questions_are_chosen_if_there_are_few():
    assert choose_questions(IDS, limit=830) == IDS


def test_questions_are_chosen_equally_from_all_benchmarks():
    chosen = choose_questions(IDS, limit=230)
    assert {name: len(ids) for name, ids in chosen.items()} == {"a": 100, "b": 30, "c": 100}
    assert list(chosen) == ["a", "b", "c"]
    for name, ids in chosen.items():
        assert ids == [example_id for example_id in IDS[name] if example_id in set(ids)], "file order"
        assert ids[0] == IDS[name][0], "the first question is always there"
    assert chosen["a"][:6] != IDS["a"][:6]


def test_the_choice_depends_on_the_ids_only():
    chosen = choose_questions(IDS, limit=230)
    moved = {name: [ids[0], *reversed(ids[1:])] for name, ids in IDS.items()}
    again = choose_questions(moved, limit=230)
    assert {name: set(ids) for name, ids in again.items()} == {name: set(ids) for name, ids in chosen.items()}
    assert set(choose_questions(IDS, limit=100)["a"]) < set(chosen["a"])


def test_columns_and_filters_are_those_of_the_main_contrast(experiment, stored):
    assert list_columns(experiment) == ["base", "sft", "weft"]
    assert [(choice.kind, choice.label) for choice in list_filters(experiment)] == [
        ("", "all"), ("treatment", "only WeFT right"), ("control", "only SFT right"),
        ("neither", "both wrong"), ("both", "both right"),
    ]  # fmt: skip
    assert list_columns(stored) == ["LLaDA-8B-Instruct"]
    assert [choice.kind for choice in list_filters(stored)] == ["", "correct", "wrong", "unscorable"]


def test_the_first_comparison_has_first_training_set_largest_length_and_first_seed(describe_paper, load):
    experiment = describe_paper()
    comparisons = list_comparisons(experiment, load(experiment))
    assert [(item.dataset, item.gen_length, item.seed) for item in comparisons] == [
        ("s1k", 512, 1), ("s1k.1.1", 512, 1), ("s1k", 256, 1), ("s1k.1.1", 256, 1),
        ("s1k", 512, 2), ("s1k.1.1", 512, 2), ("s1k", 256, 2), ("s1k.1.1", 256, 2),
    ]  # fmt: skip
    last = comparisons[-1]
    assert [column.run.run_id for column in last.columns] == [
        "base",
        "sft-s1k.1.1-seed2",
        "weft-s1k.1.1-seed2",
    ]
    assert {file.gen_length for column in last.columns for file in column.files.values()} == {256}
    assert last.pair == (2, 1)


def test_counts_are_the_discordant_counts_of_the_table(ablations, ablated, ablated_tables):
    rows = ablated_tables["seeds"]
    rows = rows[(rows["treatment"] == "weft") & (rows["control"] == "sft")]
    assert rows["only_treatment"].sum() > 0
    comparisons = {
        (item.dataset, item.gen_length, item.seed): item for item in list_comparisons(ablations, ablated)
    }
    for row in rows.to_dict("records"):
        comparison = comparisons[row["dataset"], row["gen_length"], row["seed"]]
        names = ablations.benchmark_names if row["benchmark"] == "average" else [row["benchmark"]]
        counts = sum((comparison.count_kinds(name) for name in names), Counter())
        assert counts["treatment"] == row["only_treatment"]
        assert counts["control"] == row["only_control"]
        assert counts.total() == row["n"]


def test_kinds_are_in_file_order(experiment, results):
    comparison = list_comparisons(experiment, results)[1]
    _, sft, weft = (column.files["gsm8k"].scores for column in comparison.columns)
    expected = {
        (True, False): "treatment",
        (False, True): "control",
        (True, True): "both",
        (False, False): "neither",
    }
    assert comparison.kinds("gsm8k") == [
        expected[treatment.verdict == "correct", control.verdict == "correct"]
        for treatment, control in zip(weft, sft, strict=True)
    ]


def test_stored_generations_have_a_comparison_for_each_length(stored, stored_results):
    comparisons = list_comparisons(stored, stored_results)
    assert [(item.dataset, item.gen_length, item.seed, item.pair) for item in comparisons] == [
        (None, 256, None, None), (None, 128, None, None),
    ]  # fmt: skip
    scores = comparisons[1].columns[0].files["countdown"].scores
    assert comparisons[1].kinds("countdown") == [score.verdict for score in scores]
    assert list(list_questions(stored, comparisons)) == ["countdown", "sudoku"]


@pytest.mark.parametrize("limit", [0, 1, 2])
def test_few_questions_can_be_chosen(limit):
    assert sum(map(len, choose_questions(IDS, limit=limit).values())) <= limit

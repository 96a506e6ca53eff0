"""Every published generation of d1's baselines gets the score that d1's own script gave it.

The generations and the expected scores lie outside of the repository, in ../shared/data/d1_baselines
(or below $WEFT_SHARED/data); without them these tests are skipped.
"""

import json

import pytest

from weft.benchmarks.scoring import summarise
from weft.records import Verdict
from weft.records.scores import MAX_SHOWN_CHARACTERS


@pytest.fixture(scope="module")
def baselines(shared_data):
    return shared_data / "d1_baselines"


@pytest.fixture(scope="module")
def scores(baselines, score_files):
    """Scores by d1, per file."""
    return {
        path.name: score_files(path, benchmark=path.name.partition("_")[0])
        for path in sorted(baselines.glob("*_generations.json"))
    }


def as_expected_item(score):
    """Write a score in the form of expected_items.json."""
    if score.benchmark == "sudoku":
        cells = {"correct_cells": score.credit * score.weight, "empty_cells": score.weight}
        return {"extracted": score.extracted, "is_correct": None} | cells
    is_number = score.benchmark == "gsm8k" and score.extracted is not None
    return {
        "extracted": float(score.extracted) if is_number else score.extracted,
        "is_correct": score.verdict is Verdict.CORRECT,
    }


def test_every_example_is_extracted_and_judged_as_d1_does(baselines, scores):
    expected = json.loads((baselines / "expected_items.json").read_text(encoding="utf-8"))
    assert scores.keys() == expected.keys()
    for name, items in expected.items():
        stored = [
            item | {"extracted": item["extracted"][:MAX_SHOWN_CHARACTERS]}
            if isinstance(item["extracted"], str)
            else item
            for item in items
        ]
        assert [as_expected_item(score) for score in scores[name]] == stored, name


def test_the_accuracy_of_every_file_and_in_total_is_d1s(baselines, scores):
    expected = json.loads((baselines / "expected_scores.json").read_text(encoding="utf-8"))
    assert scores.keys() == expected["files"].keys()
    pooled = {cell: [] for cell in expected["totals"]}
    for name, file in expected["files"].items():
        summary = summarise(scores[name])
        assert (summary.num_examples, summary.num_unscorable) == (file["examples"], 0)
        assert sum(score.weight for score in scores[name]) == file["denominator"]
        assert 100 * summary.accuracy == pytest.approx(file["accuracy"], abs=1e-6)
        benchmark, _, gen_length, *_ = name.split("_")
        pooled[f"{benchmark}_{gen_length}"] += scores[name]
    for cell, total in expected["totals"].items():
        summary = summarise(pooled[cell])
        assert (summary.num_examples, 100 * summary.accuracy) == (
            total["examples"],
            pytest.approx(total["accuracy"], abs=1e-6),
        )
        assert summary.num_correct == total.get("puzzles_fully_correct", total["correct"])


def test_ids_are_unique_and_canvases_have_the_files_length(scores):
    for name, of_file in scores.items():
        assert len({score.example_id for score in of_file}) == len(of_file)
        length = int(name.split("_")[2])
        assert all(score.details["effective_length"] <= length for score in of_file)

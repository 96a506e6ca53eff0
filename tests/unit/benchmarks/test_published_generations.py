"""Every published generation of d1's baselines gets the score that d1's own script gave it.

The generations and the expected scores lie outside the repository, in ../shared/data/d1_baselines
(or below $WEFT_SHARED/data); without them these tests are skipped.
"""

import json
import os
from pathlib import Path

import pytest

from weft.benchmarks import Verdict
from weft.benchmarks.generations import read_generations
from weft.benchmarks.scoring import score_file, summarise

REPOSITORY = Path(__file__).parents[3]
BASELINES = Path(os.environ.get("WEFT_SHARED", REPOSITORY.parent / "shared")) / "data" / "d1_baselines"

pytestmark = pytest.mark.skipif(
    not (BASELINES / "expected_items.json").is_file(),
    reason=f"the published generations are not in {BASELINES}; set WEFT_SHARED to the folder that has data/",
)


def load_json(name):
    return json.loads((BASELINES / name).read_text(encoding="utf-8"))


def list_shards():
    return sorted(path.name for path in BASELINES.glob("*_generations.json")) or ["none"]


def score_shard(name):
    return list(score_file([BASELINES / name], benchmark=name.partition("_")[0], rules="d1"))


@pytest.fixture(scope="module")
def expected_items():
    return load_json("expected_items.json")


@pytest.fixture(scope="module")
def expected_scores():
    return load_json("expected_scores.json")


def as_expected_item(record):
    """Write a score record in the form of expected_items.json."""
    extracted = record["extracted"]
    if record["benchmark"] == "sudoku":
        num_right = record["credit"] * record["weight"]
        return {
            "extracted": extracted,
            "is_correct": None,
            "correct_cells": num_right,
            "empty_cells": record["weight"],
        }
    if record["benchmark"] == "gsm8k" and extracted is not None:
        extracted = float(extracted)
    return {"extracted": extracted, "is_correct": record["verdict"] == Verdict.CORRECT}


def test_every_shard_is_expected_and_the_other_way_round(expected_items, expected_scores):
    assert set(list_shards()) == set(expected_items) == set(expected_scores["files"])


@pytest.mark.parametrize("name", list_shards())
def test_every_example_is_extracted_and_judged_as_d1_does(name, expected_items):
    records = score_shard(name)
    assert [as_expected_item(record) for record in records] == expected_items[name]


@pytest.mark.parametrize("name", list_shards())
def test_the_accuracy_of_every_shard_is_d1s(name, expected_scores):
    expected = expected_scores["files"][name]
    records = score_shard(name)
    summary = summarise(records)
    assert summary["n"] == expected["examples"]
    assert summary["num_unscorable"] == 0
    assert sum(record["weight"] for record in records) == expected["denominator"]
    assert 100 * summary["accuracy"] == pytest.approx(expected["accuracy"], abs=1e-6)


def test_the_pooled_accuracy_of_every_benchmark_and_length_is_d1s(expected_scores):
    for name, expected in expected_scores["totals"].items():
        benchmark, gen_length = name.split("_")
        paths = sorted(BASELINES.glob(f"{benchmark}_instruct_{gen_length}_*_generations.json"))
        summary = summarise(score_file(paths, benchmark=benchmark, rules="d1"))
        assert summary["n"] == expected["examples"]
        assert 100 * summary["accuracy"] == pytest.approx(expected["accuracy"], abs=1e-6)
        assert summary["num_correct"] == expected.get("puzzles_fully_correct", expected["correct"])


@pytest.mark.parametrize("name", list_shards())
def test_ids_are_unique_and_lengths_are_read(name):
    generations = read_generations(BASELINES / name, name.partition("_")[0])
    assert len({generation.example_id for generation in generations}) == len(generations)
    assert {generation.gen_length for generation in generations} == {int(name.split("_")[2])}

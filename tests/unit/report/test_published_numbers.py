import math

import pytest
import yaml

from tests.unit.report.conftest import PAPER
from weft.config import FineTuning
from weft.report.published_numbers import (
    D1,
    KEYS,
    WEFT_PAPER,
    PublishedNumbers,
    load_published,
    published_effects,
)


@pytest.fixture
def content():
    """The content of the paper's experiment file."""
    return yaml.safe_load(PAPER.read_text(encoding="utf-8"))


@pytest.fixture
def find(content):
    """Look up an accuracy in percent."""
    published = PublishedNumbers(FineTuning.model_validate(content))
    return lambda source, method, *place: 100 * published.accuracy(source, method, place)


@pytest.mark.parametrize(
    ("source", "method", "dataset", "benchmark", "gen_length", "accuracy"),
    [
        (WEFT_PAPER, "base", None, "average", "mixed", 32.6),
        (WEFT_PAPER, "weft", "s1k", "average", "mixed", 35.8),
        (WEFT_PAPER, "sft", "s1k.1.1", "countdown", 512, 21.5),
        (WEFT_PAPER, "weft", "s1k", "gsm8k", 256, math.nan),
        (D1, "base", None, "gsm8k", 128, 68.7),
        (D1, "sft", "s1k", "sudoku", 512, 4.6),
        (D1, "weft", "s1k", "sudoku", 512, math.nan),
        # d1 prints no averages; these follow from its four accuracies
        (D1, "base", None, "average", "mixed", 32.65),
        (D1, "sft", "s1k", "average", "mixed", 34.95),
        (D1, "base", None, "average", 128, 31.775),
        (D1, "base", None, "average", 512, 33.975),
        (D1, "sft", "s1k.1.1", "average", 512, math.nan),
    ],
)
def test_published_accuracies(find, source, method, dataset, benchmark, gen_length, accuracy):
    assert find(source, method, dataset, benchmark, gen_length) == pytest.approx(accuracy, nan_ok=True)


def test_published_numbers_are_unique():
    assert not load_published().duplicated(list(KEYS)).any()


def test_an_average_over_other_benchmarks_is_not_compared(content):
    benchmarks = {name: content["benchmarks"][name] for name in ("sudoku", "gsm8k")}
    published = PublishedNumbers(FineTuning.model_validate(content | {"benchmarks": benchmarks}))
    assert math.isnan(published.accuracy(D1, "base", (None, "average", 512)))
    assert published.accuracy(D1, "base", (None, "gsm8k", 512)) == pytest.approx(0.782)


def test_the_base_model_row_follows_from_the_gains(find):
    """(35.8 - b) / (34.9 - b) - 1 is published as 39 % for s1K: b = 32.6 gives it."""
    base, sft, weft = (
        find(WEFT_PAPER, method, dataset, "average", "mixed")
        for method, dataset in (("base", None), ("sft", "s1k"), ("weft", "s1k"))
    )
    assert round(100 * ((weft - base) / (sft - base) - 1)) == 39


def test_the_effects_of_the_paper_are_those_of_its_table_1():
    assert published_effects() == pytest.approx((0.005, 0.009))

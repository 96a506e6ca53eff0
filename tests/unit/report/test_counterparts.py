import pytest
import yaml

from tests.unit.report.conftest import PAPER
from weft.config import FineTuning
from weft.report.counterparts import (
    has_paper_lengths,
    has_published_numbers,
    published_benchmark,
    published_dataset,
    published_method,
    published_model,
)

BENCHMARKS = ["sudoku", "countdown", "gsm8k", "math500"]


@pytest.fixture
def paper():
    """The content of the paper's experiment file."""
    return yaml.safe_load(PAPER.read_text(encoding="utf-8"))


def checked(content):
    return FineTuning.model_validate(content)


def test_the_parts_of_the_paper_are_found(paper):
    experiment = checked(paper)
    assert published_model(experiment) == "LLaDA-8B-Instruct"
    assert [published_dataset(experiment, name) for name in paper["datasets"]] == ["s1k", "s1k.1.1", "openr1"]
    assert [published_benchmark(experiment, name) for name in BENCHMARKS] == BENCHMARKS
    assert [published_method(experiment, name) for name in ("base", "sft", "weft")] == ["base", "sft", "weft"]
    assert has_published_numbers(experiment)
    assert has_paper_lengths(experiment)


def test_a_copy_with_other_names_keeps_its_published_numbers(paper):
    names = {"s1k": "traces", "s1k.1.1": "more-traces", "openr1": "many"}
    methods = {"sft": "standard", "weft": "weighted"}
    renamed = paper | {
        "name": "mine",
        "seeds": [1, 2, 3],
        "datasets": {names[name]: source for name, source in paper["datasets"].items()},
        "methods": {methods[name]: settings for name, settings in paper["methods"].items()},
        "contrast": ["weighted", "standard"],
    }
    experiment = checked(renamed)
    assert [published_dataset(experiment, name) for name in names.values()] == list(names)
    assert [published_method(experiment, name) for name in methods.values()] == list(methods)
    assert has_paper_lengths(experiment)


@pytest.mark.parametrize(
    "source",
    [
        {"source": "hub", "repo": "someone/LLaDA-tiny", "revision": "main"},
        {"source": "path", "path": "models/LLaDA-8B-Base"},
    ],
)
def test_another_model_has_no_published_numbers(paper, source):
    experiment = checked(paper | {"base_model": source})
    assert published_model(experiment) is None
    assert not has_published_numbers(experiment)


@pytest.mark.parametrize("path", ["models/LLaDA-8B-Instruct", "LLaDA-8B-Instruct/"])
def test_a_local_copy_of_the_model_is_recognised_by_its_folder(paper, path):
    experiment = checked(paper | {"base_model": {"source": "path", "path": path}})
    assert published_model(experiment) == "LLaDA-8B-Instruct"


def test_a_part_of_a_training_set_has_no_published_numbers(paper):
    datasets = {name: source | {"num_examples": 500} for name, source in paper["datasets"].items()}
    experiment = checked(paper | {"datasets": datasets})
    assert [published_dataset(experiment, name) for name in datasets] == [None] * 3


def test_other_questions_have_no_published_numbers(paper):
    other = paper["benchmarks"]["gsm8k"]["file"] | {"sha256": "0" * 64}
    generated = {"source": "generated", "num_examples": 9, "seed": 1}
    benchmarks = paper["benchmarks"] | {
        "gsm8k": paper["benchmarks"]["gsm8k"] | {"file": other},
        "sudoku": generated,
    }
    experiment = checked(paper | {"benchmarks": benchmarks})
    found = [published_benchmark(experiment, name) for name in BENCHMARKS]
    assert found == [None, "countdown", None, "math500"]
    assert not has_paper_lengths(experiment)


def test_a_method_with_other_settings_has_no_published_numbers(paper):
    methods = {
        "sft": {"preset": "sft", "masks_per_example": 2},
        "weft": {"preset": "weft", "exponent": 1.0},
        "weft-nll": {"preset": "weft-nll"},
        "plain": {"preset": "sft", "divisor_scope": "micro_batch"},
    }
    experiment = checked(paper | {"methods": methods})
    assert [published_method(experiment, name) for name in methods] == [None, None, None, "sft"]

"""Helpers for the tests of the scorers."""

import json

import pytest

from weft.benchmarks import find_scorer, symbolic
from weft.benchmarks.generations import read_generations
from weft.benchmarks.scoring import score_generations


@pytest.fixture(autouse=True, scope="session")
def _less_time_for_comparisons():
    """Lower the limits on processor time, since the tests have many comparisons that never end."""
    symbolic.MAX_CPU_SECONDS, symbolic.MAX_REPEATED_CPU_SECONDS = 0.3, 1.5


@pytest.fixture(scope="session")
def score_files():
    """A function that scores generation files as `weft score` does."""

    def score(*paths, benchmark, scoring="d1"):
        generations = [generation for path in paths for generation in read_generations(path, benchmark)]
        scorer = find_scorer(benchmark, scoring)
        return list(score_generations(generations, scorer=scorer, scoring=scoring))

    return score


@pytest.fixture
def write_generations(tmp_path):
    """A function that writes rows of id, question, reference and generation in weft's form."""

    def write(benchmark, *rows, name="generations.jsonl"):
        keys = ("example_id", "question", "reference", "generation")
        path = tmp_path / name
        path.write_text(
            "".join(
                json.dumps({"benchmark": benchmark, **dict(zip(keys, row, strict=True))}) + "\n"
                for row in rows
            )
        )
        return path

    return write

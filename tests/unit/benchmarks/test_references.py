import re

import pytest

from weft.benchmarks import find_scorer
from weft.benchmarks.references import find_problem
from weft.benchmarks.symbolic import ComparisonError
from weft.errors import ScoringError

PUZZLE, SOLVED = "1030301020404001", "1234341221434321"


@pytest.mark.parametrize("scoring", ["d1", "strict"])
@pytest.mark.parametrize(
    ("benchmark", "reference"),
    [
        ("gsm8k", 18), ("gsm8k", -0.5), ("countdown", [[3, 4], 7]), ("math500", r"\frac{1}{2}"),
        ("sudoku", SOLVED),
    ],
)  # fmt: skip
def test_right_references_have_no_problem(scoring, benchmark, reference):
    assert find_problem(find_scorer(benchmark, scoring), question=PUZZLE, reference=reference) is None


@pytest.mark.parametrize("scoring", ["d1", "strict"])
@pytest.mark.parametrize(
    ("benchmark", "reference", "message"),
    [
        ("gsm8k", "18", "got '18'; .*: write 18$"),
        ("gsm8k", " -1,800.5 ", "write -1800.5$"),
        ("gsm8k", "eighteen", "got 'eighteen'; correct the reference$"),
        ("gsm8k", "", "got ''; correct the reference$"),
        ("gsm8k", True, "got True; correct the reference$"),
        ("gsm8k", [18], r"got \[18\]"),
        ("gsm8k", float("nan"), "NaN or Infinity, got nan"),
        ("gsm8k", float("-inf"), "NaN or Infinity, got -inf"),
        ("countdown", "[[3, 4], 7]", r"write \[\[3, 4\], 7\]$"),
        ("countdown", [["3", "4"], 7], "must be "),
        ("countdown", [[3, 4], "7"], "must be "),
        ("countdown", [[3, float("nan")], 7], "NaN or Infinity"),
        ("countdown", {"numbers": [3, float("inf")]}, "NaN or Infinity"),
        ("countdown", None, "got None"),
        ("math500", 18, 'write "18"$'),
        ("math500", None, "got None"),
    ],
)
def test_the_problem_of_a_reference_says_what_to_write(scoring, benchmark, reference, message):
    problem = find_problem(find_scorer(benchmark, scoring), question="?", reference=reference)
    assert problem is not None
    assert re.search(message, problem), problem


def test_sudoku_requires_a_puzzle_and_in_the_scoring_d1_a_solution():
    d1, strict = (find_scorer("sudoku", scoring) for scoring in ("d1", "strict"))
    assert find_problem(d1, question=PUZZLE, reference=int(SOLVED)).endswith(f'write "{SOLVED}"')
    assert "got '1234'" in find_problem(d1, question=PUZZLE, reference="1234")
    assert find_problem(strict, question=PUZZLE, reference=None) is None
    for scorer in (d1, strict):
        assert "must contain 16" in find_problem(scorer, question="Solve this.", reference=SOLVED)


@pytest.mark.parametrize(
    "failure", [ComparisonError("died"), ValueError("empty"), SystemExit(1), RecursionError()]
)
def test_only_a_scoring_error_is_about_the_reference(failure):
    def fail(generation, *, question, reference):
        assert generation == ""
        raise failure

    assert find_problem(fail, question="?", reference="18") is None
    failure = ScoringError("a reference must be a town")
    assert find_problem(fail, question="?", reference="18") == "a reference must be a town"

import pytest

import weft.benchmarks
from weft.benchmarks import SCORERS, Verdict, find_scorer, score_generation
from weft.errors import ScoringError

SOLVED = "1234341221434321"


@pytest.mark.parametrize(
    ("benchmark", "generation", "question", "reference"),
    [
        ("countdown", r"\boxed{20 - 3 - 5}", "", [[3, 5, 20], 12]),
        ("gsm8k", r"\boxed{18}", "", 18.0),
        ("math500", r"\boxed{\dfrac12}", "", r"\frac{1}{2}"),
        ("sudoku", f"<answer>{SOLVED}</answer>", "1030301020404001", SOLVED),
    ],
)
def test_each_benchmark_is_scored_by_its_own_scorer(benchmark, generation, question, reference):
    score = score_generation(benchmark, "d1", generation, question=question, reference=reference)
    assert score.verdict is Verdict.CORRECT


def test_every_benchmark_has_the_published_rules():
    assert list(SCORERS) == ["countdown", "gsm8k", "math500", "sudoku"]
    assert all("d1" in by_rules for by_rules in SCORERS.values())


def test_an_unknown_benchmark_is_an_error_that_lists_the_known_ones():
    with pytest.raises(ScoringError, match=r"\['countdown', 'gsm8k', 'math500', 'sudoku'\], got 'chess'"):
        find_scorer("chess", "d1")


def test_unknown_rules_are_an_error_that_lists_the_known_ones():
    with pytest.raises(ScoringError, match=r"rules for gsm8k must be one of \['d1'.*\], got 'd2'"):
        score_generation("gsm8k", "d2", "", question="", reference=None)


def test_exported_names_exist():
    assert all(hasattr(weft.benchmarks, name) for name in weft.benchmarks.__all__)

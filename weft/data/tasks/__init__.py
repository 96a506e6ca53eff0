"""Generated tasks: random questions with rationales and answers."""

import random
from collections.abc import Callable

from weft.data.tasks import countdown_problems, equations, sudoku_puzzles, word_problems
from weft.data.tasks.problem import Problem, draw_problems, split_of
from weft.errors import DataError, find_by_name

TASKS: dict[str, Callable[[random.Random], Problem]] = {
    "sudoku": sudoku_puzzles.sample_problem,
    "countdown": countdown_problems.sample_balanced_problem,
    "gsm8k": word_problems.sample_problem,
    "math500": equations.sample_problem,
}
"""Benchmark -> function that samples a random problem in the form of the benchmark."""

__all__ = ["TASKS", "Problem", "draw_problems", "find_generator", "split_of"]


def find_generator(benchmark: str) -> Callable[[random.Random], Problem]:
    """Return the function of a benchmark in `TASKS`, or raise DataError if there is none."""
    return find_by_name("a benchmark with generated problems", benchmark, TASKS, error=DataError)

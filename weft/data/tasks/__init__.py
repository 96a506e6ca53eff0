"""Generated tasks: questions with worked solutions, without any download."""

import random
from collections.abc import Callable

from weft.data.tasks import algebra, arithmetic, countdown, sudoku
from weft.data.tasks.problem import Problem, draw_problems, split_of

TASKS: dict[str, Callable[[random.Random], Problem]] = {
    "sudoku": sudoku.propose,
    "countdown": countdown.propose,
    "gsm8k": arithmetic.propose,
    "math500": algebra.propose,
}
"""What makes problems for each benchmark's rules."""

__all__ = ["TASKS", "Problem", "draw_problems", "split_of"]

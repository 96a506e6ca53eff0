"""4x4 Sudoku with one solution.

    question   Solve the following Sudoku puzzle: 1234341221430321
    working    1234 3412
    answer     1234341221434321

The working completes the upper half.

The form of question and answer is d1's, so that its scorer applies.  Unlike d1's test file, in
which 124 of 500 puzzles have several completions, every puzzle here has exactly one.
"""

import itertools
import random
from functools import cache

from weft.data.tasks.problem import Problem

SIDE = 4


def propose(rng: random.Random, *, blanks: tuple[int, int] = (4, 8)) -> Problem:
    """Make one puzzle with a number of empty cells in the given range, both ends included."""
    while True:
        solution = rng.choice(all_boards())
        empty = set(rng.sample(range(SIDE * SIDE), rng.randint(*blanks)))
        puzzle = "".join("0" if i in empty else digit for i, digit in enumerate(solution))
        if count_completions(puzzle) == 1:
            break
    return Problem(
        benchmark="sudoku",
        key=puzzle,
        question=f"Solve the following Sudoku puzzle: {puzzle}",
        reference=solution,
        working=f"{solution[:SIDE]} {solution[SIDE : 2 * SIDE]}",
        answer=solution,
    )


@cache
def all_boards() -> tuple[str, ...]:
    """List the 288 completed 4x4 boards in lexicographic order."""
    rows = ["".join(p) for p in itertools.permutations("1234")]
    return tuple("".join(board) for board in itertools.product(rows, repeat=SIDE) if _is_valid(board))


def count_completions(puzzle: str) -> int:
    """Count the boards that agree with a puzzle's givens."""
    givens = [(i, digit) for i, digit in enumerate(puzzle) if digit != "0"]
    return sum(all(board[i] == digit for i, digit in givens) for board in all_boards())


def _is_valid(board: tuple[str, ...]) -> bool:
    columns = all(len({row[c] for row in board}) == SIDE for c in range(SIDE))
    return columns and all(
        len(set(board[r][c : c + 2] + board[r + 1][c : c + 2])) == SIDE for r in (0, 2) for c in (0, 2)
    )

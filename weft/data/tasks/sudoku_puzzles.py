"""4x4 Sudoku puzzles with a unique completion.

    question    Solve the Sudoku: 1234341221430321
    answer      1234341221434321

The rationale is empty. Question and answer have the form of d1's test file, in which, however, 124 of 500
puzzles have several completions. The puzzles of fine-tuning and of the test sets have 9 to 11 empty cells.
"""

import random

from weft.benchmarks.sudoku_boards import NUM_CELLS, find_completions, list_boards
from weft.data.tasks.problem import Problem

EMPTY_CELLS = (9, 11)
"""Smallest and largest number of empty cells of a puzzle of fine-tuning and of the test sets."""
FEW_EMPTY_CELLS = (2, 4)
"""The same for the easy puzzles of pretraining."""


def sample_problem(rng: random.Random, empty_cells: tuple[int, int] = EMPTY_CELLS) -> Problem:
    """Sample a puzzle; ``empty_cells`` bounds the number of empty cells."""
    while True:
        solution = rng.choice(list_boards())
        empty = set(rng.sample(range(NUM_CELLS), rng.randint(*empty_cells)))
        puzzle = "".join("0" if cell in empty else digit for cell, digit in enumerate(solution))
        if len(find_completions(puzzle)) == 1:
            break
    return Problem(
        benchmark="sudoku",
        key=puzzle,
        unordered_key=puzzle,
        question=f"Solve the Sudoku: {puzzle}",
        reference=solution,
        rationale="",
        answer=solution,
    )

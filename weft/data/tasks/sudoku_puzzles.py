"""4x4 Sudoku puzzles with a unique completion.

    question    Solve the following Sudoku puzzle: 1234341221430321
    rationale   1234 3412
    answer      1234341221434321

The rationale is the upper half of the completed board. Question and answer have the form of d1's test
file, in which, however, 124 of 500 puzzles have several completions.
"""

import random

from weft.benchmarks.sudoku_boards import NUM_CELLS, SIDE, find_completions, list_boards
from weft.data.tasks.problem import Problem


def sample_problem(rng: random.Random) -> Problem:
    """Sample a puzzle with 4 to 8 empty cells."""
    while True:
        solution = rng.choice(list_boards())
        empty = set(rng.sample(range(NUM_CELLS), rng.randint(4, 8)))
        puzzle = "".join("0" if cell in empty else digit for cell, digit in enumerate(solution))
        if len(find_completions(puzzle)) == 1:
            break
    return Problem(
        benchmark="sudoku",
        key=puzzle,
        question=f"Solve the following Sudoku puzzle: {puzzle}",
        reference=solution,
        rationale=f"{solution[:SIDE]} {solution[SIDE : 2 * SIDE]}",
        answer=solution,
    )

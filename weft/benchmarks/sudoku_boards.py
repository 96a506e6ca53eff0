"""List the 288 completed boards of 4x4 Sudoku, and find those that complete a puzzle.

A board is a string of 16 digits, row by row; in a puzzle, 0 means an empty cell. Every row, every
column and each of the four 2x2 boxes of a completed board holds the digits 1 to 4.
"""

import functools

SIDE = 4
NUM_CELLS = SIDE * SIDE

# For each cell: the cells before it that share its row, its column or its box.
_EARLIER_PEERS = tuple(
    tuple(
        peer
        for peer in range(cell)
        if peer // 4 == cell // 4
        or peer % 4 == cell % 4
        or (peer // 8, peer % 4 // 2) == (cell // 8, cell % 4 // 2)
    )
    for cell in range(NUM_CELLS)
)


@functools.cache
def list_boards() -> tuple[str, ...]:
    """Return the 288 completed boards in lexicographic order."""
    boards = [""]
    for peers in _EARLIER_PEERS:
        boards = [
            board + digit for board in boards for digit in "1234" if digit not in {board[p] for p in peers}
        ]
    return tuple(boards)


@functools.lru_cache(maxsize=4096)
def find_completions(puzzle: str) -> tuple[str, ...]:
    """Return the completed boards that keep the givens of a puzzle, in lexicographic order."""
    givens = [(cell, digit) for cell, digit in enumerate(puzzle) if digit != "0"]
    return tuple(board for board in list_boards() if all(board[cell] == digit for cell, digit in givens))

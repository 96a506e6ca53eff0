"""4x4 Sudoku: the answer fills the empty cells of a puzzle, written row by row with 0 = empty.

    Solve the following Sudoku puzzle: 1030301020404001       reference: 1234341221434321
    <answer>1234341221434321</answer>     8 of 8 empty cells right: correct
    <answer>1030301020404001</answer>     0 of 8, a copy of the puzzle: credit 0

In the scoring ``d1``, the units of the accuracy are the empty cells, pooled over all puzzles, and only the
stored completion is right. In ``strict``, a unit is a board, and any valid completion is right.

Source of the scoring d1: dllm-reasoning/d1 @ 837888f, eval/parse_and_get_acc.py, parse_sudoku_answers.
"""

import re
from typing import Any

from weft.benchmarks.endings import ANSWER_END
from weft.benchmarks.extraction import ANSWER_START, Step, read_text, rewrite
from weft.benchmarks.sudoku_boards import NUM_CELLS, find_completions
from weft.errors import ScoringError
from weft.records import Score

_PUZZLE = re.compile(rf"[0-9]{{{NUM_CELLS}}}")
_FENCED_DIGITS = re.compile(r"```([\d\s]++)```")
_END_OF_TEXT = re.compile(r"<\|eot_id\|>|<\|endoftext\|>")
_END_OF_ANSWER = re.compile(rf"{_END_OF_TEXT.pattern}|{ANSWER_END}")
_DIGITS_BEFORE_ANSWER_END = re.compile(rf"(\d{{{NUM_CELLS}}})\s*+{ANSWER_END}")
_FREE_STANDING_DIGITS = re.compile(rf"\b(\d{{{NUM_CELLS}}})\b")
# Strict scoring replaces what is drawn around the digits of a board, in these steps.
_DIGITS = str.maketrans({chr(0xFF10 + digit): str(digit) for digit in range(10)})
_RULE = "-=+:|~─━═│║┃┄┈╌╍┌┐└┘├┤┬┴┼╔╗╚╝╠╣╦╩╬╒╓╕╖╘╙╛╜╞╟╡╢╤╥╧╨╪╫┏┓┗┛┣┫┳┻╋┠┨┯┷┿╂╭╮╰╯–—"
_DRAWING: tuple[Step, ...] = (
    (
        re.compile(
            r"\\(?:begin|end)\s*\{[A-Za-z]{1,20}\*?\}(?:\[[a-z]\])?(?:\{[^{}]*\})?|\\cline\s*\{[^{}]*\}"
        ),
        "\n",
    ),
    (
        re.compile(
            r"\\(?:hline|q?quad|left|right|text(?:bf|tt)?|mathbf|[,;:! ])(?![A-Za-z])"
            r"|\\\\(?:\[[^\[\]]*\])?|\\n(?![A-Za-z])|&"
        ),
        " ",
    ),
    (re.compile(r"</?[A-Za-z][^<>\n]{0,40}>"), "\n"),
    (re.compile(rf"^[ \t]*(?=\S)[{re.escape(_RULE)} \t]*$", re.MULTILINE), ""),  # a line of signs only
    # Names of rows and columns: "Row 1:", "second row:", R1, C1, 3.
    (
        re.compile(
            r"\b(?:(?:row|line|column|col)[ _]?[1-4]"
            r"|(?:first|second|third|fourth|1st|2nd|3rd|4th) row(?: is)?|[rc][1-4])"
            r"\b[\"']?[ \t]*[:=]?",
            re.IGNORECASE,
        ),
        " ",
    ),
    (re.compile(r"^[ \t]*(?:[1-4][.):]|[-•])(?=[ \t])", re.MULTILINE), " "),
    (re.compile(r"(?<=[0-9]{4})[ \t]*[-–—:/\\→>][ \t]*(?=[0-9]{4})"), " "),
    (re.compile(r"[,;|/(){}\[\]\"'`*_│║┃┆┊¦‖]"), " "),
)
_DIGIT_RUN = re.compile(r"[0-9](?:\s*+[0-9])*+")
_NO_DIGIT = re.compile(r"[^0-9]+")
_STATED_BOARD = re.compile(rf"(?<![0-9])[0-9]{{{NUM_CELLS}}}(?![0-9])")


def score_d1(generation: str, *, question: str, reference: Any) -> Score:
    """Score a board as d1 does: the credit is the share of empty cells that are right.

    The puzzle is the first 16 digits in a row of the question, and the reference is the solved board, 16
    characters. A board that is too short is filled with zeros, and a board that is too long is truncated;
    `extracted` is the resulting board, or "" without a board. The characters are compared cell by cell, even
    if the board contains words. The weight is the number of empty cells, and the details are those of
    `describe_board`.

    Source:
        dllm-reasoning/d1 @ 837888f, eval/parse_and_get_acc.py, parse_sudoku_answers.
    """
    givens = _read_puzzle(question)
    if not isinstance(reference, str) or len(reference) != NUM_CELLS:
        raise ScoringError(
            f"a sudoku reference must be a string of {NUM_CELLS} characters, got {reference!a:.80}; "
            "correct the reference"
        )
    empty_cells = _empty_cells(givens)
    board = "".join(_extract_board(generation).split())
    num_right, reason = 0, "no board found"
    if board:
        board = board[:NUM_CELLS].ljust(NUM_CELLS, "0")
        num_right = _count_equal(board, reference, empty_cells)
        reason = f"{num_right} of {len(empty_cells)} empty cells are right"
    return Score.from_credit(
        board,
        num_right / len(empty_cells) if empty_cells else 0.0,
        weight=len(empty_cells),
        reason=reason,
        details=describe_board(board, givens),
    )


def score_strict(generation: str, *, question: str, reference: Any) -> Score:
    """Score a board as a whole: it is right if it is any valid completion of the puzzle.

    The puzzle is the first 16 digits in a row of the question and must have a completion. The reference is
    not used, because the puzzle may have several solutions. The board is a run of sixteen digits in the
    answer tags, which may hold only one board, or the last one of a text without tags, before the first end
    token. Copies of the puzzle and boards with empty cells do not count beside another board. White space,
    separators, brackets, rules between rows, tables in Markdown or LaTeX and the names of rows are
    ignored. The score has one unit, and the details of `describe_board`.
    """
    givens = _read_puzzle(question)
    if not find_completions(givens):
        raise ScoringError(f"a sudoku puzzle must have a completion, got {givens}; correct the question")
    boards = _read_stated_boards(generation, givens)
    board = boards[0] if len(boards) == 1 else None
    details = describe_board(board or "", givens)
    if board is None:
        reason = f"expected one board of {NUM_CELLS} digits, got {len(boards) or 'none'}"
    else:
        reason = "not a completion of the puzzle"
    return Score.from_credit(board, float(details["is_solved"]), reason=reason, details=details)


def describe_board(board: str, puzzle: str) -> dict[str, int | bool]:
    """Compare a board with its puzzle.

    Args:
        board: sixteen characters; "" if no board was read.
        puzzle: sixteen digits, 0 = empty.

    Returns:
        `num_empty_cells`: empty cells of the puzzle. `num_zero_cells`: empty cells that are still 0.
        `num_right_cells`: empty cells that agree with the valid completion closest to the board.
        `num_changed_givens`: givens that the board changes. `is_copy`: True if the board is the puzzle.
        `is_solved`: True if the board is a valid completion.
    """
    empty_cells = _empty_cells(puzzle)
    completions = find_completions(puzzle)
    givens_and_digits = zip(puzzle, board, strict=False)
    return {
        "num_empty_cells": len(empty_cells),
        "num_zero_cells": _count_equal(board, puzzle, empty_cells),
        "num_right_cells": max((_count_equal(board, right, empty_cells) for right in completions), default=0),
        "num_changed_givens": sum(given not in ("0", digit) for given, digit in givens_and_digits),
        "is_copy": board == puzzle,
        "is_solved": board in completions,
    }


def _count_equal(board: str, other: str, cells: list[int]) -> int:
    """Count the cells with the same character on both boards; the count is 0 if a board is empty."""
    return sum(board[cell : cell + 1] == other[cell] for cell in cells)


def _read_puzzle(question: str) -> str:
    puzzle = _PUZZLE.search(question)
    if puzzle is None:
        raise ScoringError(
            f"a sudoku question must contain {NUM_CELLS} consecutive digits, got {question!a:.80}; "
            "correct the question"
        )
    return puzzle.group()


def _empty_cells(puzzle: str) -> list[int]:
    return [cell for cell, digit in enumerate(puzzle) if digit == "0"]


def _read_stated_boards(generation: str, puzzle: str) -> list[str]:
    """Return the boards that an answer states: different ones in the last answer tags, or the last of a text.

    Copies of the puzzle and boards with empty cells do not count beside another board.
    """
    text = read_text(generation)
    _, *tagged = text.split(ANSWER_START)
    regions = [content.partition(ANSWER_END)[0] for content in tagged]
    filled = [region for region in regions if _NO_DIGIT.sub("", region)]
    boards = _list_boards(filled[-1] if filled else text)
    complete = [board for board in boards if "0" not in board and board != puzzle]
    if not complete or not filled:
        return (complete or boards)[-1:]
    return list(dict.fromkeys(complete))


def _list_boards(text: str) -> list[str]:
    """Return all boards in a text, however they are drawn."""
    plain = rewrite(text.translate(_DIGITS), _DRAWING)
    return [board for run in _DIGIT_RUN.findall(plain) for board in _read_boards(run)]


def _read_boards(run: str) -> list[str]:
    """Return the boards in a run of digits and separators: unbroken boards, or groups of sixteen digits."""
    boards: list[str] = _STATED_BOARD.findall(run)
    digits = _NO_DIGIT.sub("", run)
    if boards or len(digits) % NUM_CELLS:
        return boards
    return [digits[start : start + NUM_CELLS] for start in range(0, len(digits), NUM_CELLS)]


def _extract_board(generation: str) -> str:
    """Return the board from the first of the five places d1 searches that has more than white space."""
    answer = generation.partition(ANSWER_START)[2]
    places = (
        # 1. digits in a code fence after the answer tag
        _first_group(_FENCED_DIGITS, answer),
        # 2. all text from the answer tag to the closing tag or the end of the turn
        _cut_at(_END_OF_ANSWER, answer, is_end_needed=True),
        # 3. all text after the closing tag, to the end of the turn or of the text
        _cut_at(_END_OF_TEXT, generation.partition(ANSWER_END)[2], is_end_needed=False),
        # 4. sixteen digits before a closing tag
        _first_group(_DIGITS_BEFORE_ANSWER_END, generation),
        # 5. sixteen digits anywhere that are not part of a longer word
        _first_group(_FREE_STANDING_DIGITS, generation),
    )
    return next((board for board in places if board), "")


def _first_group(pattern: re.Pattern[str], text: str) -> str:
    """Return the stripped first group of the first match; empty if there is no match."""
    match = pattern.search(text)
    return match.group(1).strip() if match else ""


def _cut_at(end: re.Pattern[str], text: str, *, is_end_needed: bool) -> str:
    """Return the stripped text before the first end mark; without a mark, the whole text or an empty text."""
    match = end.search(text)
    if match is None:
        return "" if is_end_needed else text.strip()
    return text[: match.start()].strip()

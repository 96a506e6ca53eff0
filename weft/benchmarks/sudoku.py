"""Sudoku 4x4: fill the empty cells of a puzzle, row by row, 0 = empty.

    Solve the following Sudoku puzzle: 1030301020403001       reference: 1234341221434321
    <answer>1234341221434321</answer>     8 of 8 empty cells right: correct
    <answer>1030301020403001</answer>     0 of 8, the copied puzzle: credit 0

The units of the accuracy are the empty cells, pooled over all puzzles, and not whole boards.

Source of the d1 rules: dllm-reasoning/d1 @ 837888f, eval/parse_and_get_acc.py, parse_sudoku_answers.
"""

import re
from typing import Any

from weft.benchmarks.extraction import ANSWER_END, ANSWER_START
from weft.benchmarks.verdict import Score
from weft.errors import ScoringError

NUM_CELLS = 16

_PUZZLE = re.compile(rf"[0-9]{{{NUM_CELLS}}}")
_FENCED_DIGITS = re.compile(r"```([\d\s]++)```")
_END_OF_TEXT = re.compile(r"<\|eot_id\|>|<\|endoftext\|>")
_END_OF_ANSWER = re.compile(rf"{_END_OF_TEXT.pattern}|{ANSWER_END}")
_DIGITS_BEFORE_ANSWER_END = re.compile(rf"(\d{{{NUM_CELLS}}})\s*+{ANSWER_END}")
_FREE_STANDING_DIGITS = re.compile(rf"\b(\d{{{NUM_CELLS}}})\b")


def score_d1(generation: str, *, question: str, reference: Any) -> Score:
    """Score a board by d1's rules: the credit is the share of empty cells that are right.

    A board that is too short is filled up with zeros, one that is too long is cut; a board with
    words in it is not refused, its characters are compared cell by cell.

    Args:
        generation: the model's answer.
        question: holds the puzzle, the first 16 digits in a row.
        reference: the solved board, 16 characters.

    Returns:
        The score; the weight is the number of empty cells.  `extracted` is the board after padding
        or cutting, and "" if none was found.

    Raises:
        ScoringError: the question holds no puzzle, or the reference is not a board.

    Source:
        dllm-reasoning/d1 @ 837888f, eval/parse_and_get_acc.py, parse_sudoku_answers.
    """
    puzzle = _PUZZLE.search(question)
    if puzzle is None:
        raise ScoringError(
            f"a sudoku question must hold {NUM_CELLS} digits in a row, got {question!a:.80}; "
            "check the generation file"
        )
    if not isinstance(reference, str) or len(reference) != NUM_CELLS:
        raise ScoringError(
            f"a sudoku reference must be a string of {NUM_CELLS} characters, got {reference!a:.80}; "
            "check the generation file"
        )
    empty_cells = [cell for cell, digit in enumerate(puzzle.group()) if digit == "0"]
    board = "".join(_extract_board(generation).split())
    if not board:
        return Score.from_credit("", 0.0, weight=len(empty_cells), reason="no board found")
    board = board[:NUM_CELLS].ljust(NUM_CELLS, "0")
    num_correct = sum(board[cell] == reference[cell] for cell in empty_cells)
    credit = num_correct / len(empty_cells) if empty_cells else 0.0
    reason = f"{num_correct} of {len(empty_cells)} empty cells are right"
    return Score.from_credit(board, credit, weight=len(empty_cells), reason=reason)


def _extract_board(generation: str) -> str:
    """Read the board from the first of d1's five places that holds more than white space."""
    answer = generation.partition(ANSWER_START)[2]
    places = (
        # 1. digits in a code fence behind the answer tag
        _first_group(_FENCED_DIGITS, answer),
        # 2. all text from the answer tag to the closing tag or the end of the turn
        _cut_at(_END_OF_ANSWER, answer, is_end_needed=True),
        # 3. all text behind the closing tag, to the end of the turn or of the text
        _cut_at(_END_OF_TEXT, generation.partition(ANSWER_END)[2], is_end_needed=False),
        # 4. sixteen digits before a closing tag
        _first_group(_DIGITS_BEFORE_ANSWER_END, generation),
        # 5. sixteen digits anywhere that are no part of a longer word
        _first_group(_FREE_STANDING_DIGITS, generation),
    )
    return next((board for board in places if board), "")


def _first_group(pattern: re.Pattern[str], text: str) -> str:
    """Read the stripped first group of the first match, or nothing."""
    match = pattern.search(text)
    return match.group(1).strip() if match else ""


def _cut_at(end: re.Pattern[str], text: str, *, is_end_needed: bool) -> str:
    """Read the stripped text before the first end mark; without a mark all of it, or nothing."""
    match = end.search(text)
    if match is None:
        return "" if is_end_needed else text.strip()
    return text[: match.start()].strip()

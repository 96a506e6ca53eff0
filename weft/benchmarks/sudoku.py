"""Sudoku 4x4: fill the empty cells of a puzzle, row by row, 0 = empty.

    Solve the following Sudoku puzzle: 1030301020404001       reference: 1234341221434321
    <answer>1234341221434321</answer>     8 of 8 empty cells right: correct
    <answer>1030301020404001</answer>     0 of 8, the copied puzzle: credit 0

By the rules `d1` the units of the accuracy are the empty cells, pooled over all puzzles, and only the
stored completion counts.  By the rules `strict` a unit is a board, and any valid completion counts.

Source of the d1 rules: dllm-reasoning/d1 @ 837888f, eval/parse_and_get_acc.py, parse_sudoku_answers.
"""

import re
from typing import Any

from weft.benchmarks.endings import ANSWER_END, cut_at_end
from weft.benchmarks.extraction import ANSWER_START
from weft.benchmarks.sudoku_boards import NUM_CELLS, find_completions
from weft.errors import ScoringError
from weft.records import Score

_PUZZLE = re.compile(rf"[0-9]{{{NUM_CELLS}}}")
_FENCED_DIGITS = re.compile(r"```([\d\s]++)```")
_END_OF_TEXT = re.compile(r"<\|eot_id\|>|<\|endoftext\|>")
_END_OF_ANSWER = re.compile(rf"{_END_OF_TEXT.pattern}|{ANSWER_END}")
_DIGITS_BEFORE_ANSWER_END = re.compile(rf"(\d{{{NUM_CELLS}}})\s*+{ANSWER_END}")
_FREE_STANDING_DIGITS = re.compile(rf"\b(\d{{{NUM_CELLS}}})\b")
_DIGIT_RUN = re.compile(r"[0-9](?:[\s,|\[\]]*+[0-9])*+")
_NO_DIGIT = re.compile(r"[^0-9]+")
_STATED_BOARD = re.compile(rf"(?<![0-9])[0-9]{{{NUM_CELLS}}}(?![0-9])")


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
        or cutting, and "" if none was found.  The details are those of `describe_board`.

    Raises:
        ScoringError: the question holds no puzzle, or the reference is not a board.

    Source:
        dllm-reasoning/d1 @ 837888f, eval/parse_and_get_acc.py, parse_sudoku_answers.
    """
    givens = _read_puzzle(question)
    if not isinstance(reference, str) or len(reference) != NUM_CELLS:
        raise ScoringError(
            f"a sudoku reference must be a string of {NUM_CELLS} characters, got {reference!a:.80}; "
            "check the generation file"
        )
    empty_cells = _empty_cells(givens)
    board = "".join(_extract_board(generation).split())
    if not board:
        details = describe_board(None, givens)
        return Score.from_credit("", 0.0, weight=len(empty_cells), reason="no board found", details=details)
    board = board[:NUM_CELLS].ljust(NUM_CELLS, "0")
    num_correct = sum(board[cell] == reference[cell] for cell in empty_cells)
    credit = num_correct / len(empty_cells) if empty_cells else 0.0
    return Score.from_credit(
        board,
        credit,
        weight=len(empty_cells),
        reason=f"{num_correct} of {len(empty_cells)} empty cells are right",
        details=describe_board(board, givens),
    )


def score_strict(generation: str, *, question: str, reference: Any) -> Score:
    """Score a board as a whole: right if it is any valid completion of the puzzle.

    The board is the last run of sixteen digits in the answer tags, or without these in the text,
    before the end of the text; white space, commas, bars and square brackets between the digits do not
    count.  One or more solutions: the reference is not asked.

    Args:
        generation: the model's answer.
        question: holds the puzzle, the first 16 digits in a row.
        reference: not used.

    Returns:
        The score of one unit; `extracted` is the board, None if there is none.  The details are those
        of `describe_board`.

    Raises:
        ScoringError: the question holds no puzzle, or one that cannot be completed.
    """
    givens = _read_puzzle(question)
    if not find_completions(givens):
        raise ScoringError(f"a sudoku puzzle must have a completion, got {givens}; check the question")
    board = _read_stated_board(cut_at_end(generation))
    details = describe_board(board, givens)
    if board is None:
        return Score.from_credit(None, 0.0, reason="no board of 16 digits", details=details)
    is_right = board in find_completions(givens)
    return Score.from_credit(board, float(is_right), reason="not a completion of the puzzle", details=details)


def describe_board(board: str | None, puzzle: str) -> dict[str, int | bool]:
    """Count what was done to a puzzle.

    Args:
        board: sixteen characters; None if there is no board.
        puzzle: sixteen digits, 0 = empty.

    Returns:
        `num_empty_cells` of the puzzle; `num_zero_cells`, those of them that are still 0;
        `num_right_cells`, those that agree with the valid completion that agrees most;
        `num_changed_givens`; `is_copy`, whether the board is the puzzle itself; `is_solved`, whether
        the board is a valid completion.
    """
    empty_cells = _empty_cells(puzzle)
    completions = find_completions(puzzle)
    shown = board or ""
    return {
        "num_empty_cells": len(empty_cells),
        "num_zero_cells": sum(shown[cell : cell + 1] == "0" for cell in empty_cells),
        "num_right_cells": max(
            (sum(shown[cell : cell + 1] == right[cell] for cell in empty_cells) for right in completions),
            default=0,
        ),
        "num_changed_givens": sum(
            given not in ("0", digit) for given, digit in zip(puzzle, shown, strict=False)
        ),
        "is_copy": shown == puzzle,
        "is_solved": shown in completions,
    }


def _read_puzzle(question: str) -> str:
    puzzle = _PUZZLE.search(question)
    if puzzle is None:
        raise ScoringError(
            f"a sudoku question must hold {NUM_CELLS} digits in a row, got {question!a:.80}; "
            "check the generation file"
        )
    return puzzle.group()


def _empty_cells(puzzle: str) -> list[int]:
    return [cell for cell, digit in enumerate(puzzle) if digit == "0"]


def _read_stated_board(text: str) -> str | None:
    """Read the last sixteen digits in the last answer tags, or without tags in the text."""
    _, start, tagged = text.rpartition(ANSWER_START)
    region = tagged.partition(ANSWER_END)[0] if start else text
    boards = [board for run in _DIGIT_RUN.findall(region) for board in _read_boards(run)]
    return boards[-1] if boards else None


def _read_boards(run: str) -> list[str]:
    """Read boards from digits with separators between them: some in one piece each, or all in pieces."""
    boards: list[str] = _STATED_BOARD.findall(run)
    digits = _NO_DIGIT.sub("", run)
    if boards or len(digits) % NUM_CELLS:
        return boards
    return [digits[start : start + NUM_CELLS] for start in range(0, len(digits), NUM_CELLS)]


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

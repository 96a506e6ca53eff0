import csv

import pytest

from weft.benchmarks.sudoku import describe_board, score_d1, score_strict
from weft.benchmarks.sudoku_boards import find_completions, list_boards
from weft.errors import ScoringError
from weft.records import Verdict

# Row by row; the eight empty cells are the 2nd, 4th, 6th, 8th, 10th, 12th, 14th and 15th.
PUZZLE = "1030301020404001"
SOLVED = "1234341221434321"
QUESTION = f"Solve the following Sudoku puzzle: {PUZZLE}\n"
EOT, END = "<|eot_id|>", "<|endoftext|>"


def score(generation, question=QUESTION, reference=SOLVED):
    return score_d1(generation, question=question, reference=reference)


@pytest.mark.parametrize(
    ("generation", "board", "num_right"),
    [
        pytest.param(f"<answer>\n{SOLVED}\n</answer>", SOLVED, 8, id="solved"),
        pytest.param(f"<answer>{PUZZLE}</answer>", PUZZLE, 0, id="copied puzzle"),
        pytest.param("<answer>1234 3412\n2143 4322</answer>", "1234341221434322", 8, id="given cell wrong"),
        pytest.param("<answer>1234341221434111</answer>", "1234341221434111", 6, id="two cells wrong"),
        pytest.param("<answer>12343412</answer>", "1234341200000000", 4, id="half a board"),
        pytest.param(f"<answer>{SOLVED}99</answer>", SOLVED, 8, id="too long"),
        pytest.param(
            f"<answer>The board: {SOLVED}</answer>", "Theboard:1234341", 3, id="words, three by chance"
        ),
        pytest.param("no idea", "", 0, id="nothing"),
        pytest.param("", "", 0, id="empty"),
    ],
)
def test_the_credit_is_the_share_of_empty_cells_that_are_right(generation, board, num_right):
    result = score(generation)
    assert (result.extracted, result.credit, result.weight) == (board, num_right / 8, 8)
    assert result.verdict == (Verdict.CORRECT if num_right == 8 else Verdict.WRONG)


@pytest.mark.parametrize(
    "generation",
    [
        pytest.param(f"<answer>Here: ```\n{SOLVED}\n``` done</answer>", id="fence before tags"),
        pytest.param(f"<answer>``` x ```, ```{SOLVED}```</answer>", id="the first fence with digits"),
        pytest.param(f"<answer>{SOLVED}</answer> or {PUZZLE}", id="tags before digits behind them"),
        pytest.param(f"<answer>{SOLVED}{EOT}{END}", id="tag never closed, end of turn"),
        pytest.param(f"<answer>{SOLVED}{END}", id="tag never closed, end of text"),
        pytest.param(f"<answer> </answer> {SOLVED}{EOT}{END}", id="empty tags, digits behind"),
        pytest.param("</answer>1234 3412 2143 4321", id="behind the closing tag, to the end"),
        pytest.param(f"</answer>1234 3412 2143 4321{EOT}5", id="behind the closing tag, to the end of turn"),
        pytest.param(f"x{SOLVED} </answer>", id="digits before the closing tag, part of a word"),
        pytest.param(f"99{SOLVED}</answer>", id="the last sixteen digits before the closing tag"),
        pytest.param(f"It is {SOLVED}.", id="free-standing digits"),
        pytest.param(f"5{PUZZLE} no, {SOLVED}", id="seventeen digits do not stand free"),
        pytest.param(f"<answer>{SOLVED}", id="tag and text never end: free-standing digits"),
        pytest.param(f"{PUZZLE} <answer>```{SOLVED}```", id="fence needs no closing tag"),
    ],
)
def test_five_places_are_searched_in_order(generation):
    assert score(generation).extracted == SOLVED


def test_an_empty_code_fence_ends_the_search_among_fences():
    assert score(f"<answer>``` ``` ```{SOLVED}```</answer>").extracted == "``````" + "```1234341"


def test_the_puzzle_is_the_first_run_of_sixteen_digits():
    assert score(f"<answer>{SOLVED}</answer>", question="1234341221434301").weight == 1
    assert score(f"<answer>{SOLVED}</answer>", question=f"No. 5: {PUZZLE}, not {SOLVED}").weight == 8


def test_a_puzzle_without_empty_cells_has_weight_zero():
    result = score(f"<answer>{SOLVED}</answer>", question=SOLVED)
    assert (result.weight, result.credit, result.verdict) == (0, 0.0, Verdict.WRONG)


def test_a_question_without_a_puzzle_is_an_error():
    with pytest.raises(ScoringError, match="16 consecutive digits"):
        score(SOLVED, question="Solve it: 123")


@pytest.mark.parametrize("reference", [None, 5, "123", SOLVED + "1", [SOLVED]])
def test_a_reference_that_is_no_board_is_an_error(reference):
    with pytest.raises(ScoringError, match="reference"):
        score(SOLVED, reference=reference)


ROWS = [SOLVED[start : start + 4] for start in range(0, 16, 4)]
CELLS = [" ".join(row) for row in ROWS]
OPEN_PUZZLE = "1200340000000000"
OTHER_SOLUTIONS = ("1234341221434321", "1234341223414123")


def score_strictly(generation, puzzle=PUZZLE):
    return score_strict(generation, question=f"Solve the following Sudoku puzzle: {puzzle}\n", reference=None)


@pytest.mark.parametrize(
    "generation",
    [
        pytest.param(f"<answer>{SOLVED}</answer>", id="tags"),
        pytest.param(f"<answer>\n1234\n3412\n2143\n4321\n</answer>{EOT}", id="four lines"),
        pytest.param("<answer>1 2 3 4 | 3 4 1 2 | 2 1 4 3 | 4 3 2 1</answer>", id="a grid"),
        pytest.param("<answer>[[1,2,3,4],[3,4,1,2],[2,1,4,3],[4,3,2,1]]</answer>", id="lists"),
        pytest.param(f"<answer>The board is {SOLVED}.</answer>", id="words around it"),
        pytest.param(f"<answer>{PUZZLE}\n{SOLVED}</answer>", id="the last board"),
        pytest.param(f"<answer>{PUZZLE}</answer><answer>{SOLVED}", id="the last tags"),
        pytest.param(f"so {SOLVED}", id="no tags"),
        pytest.param(f"<answer>{' '.join(PUZZLE)}\n\n{' '.join(SOLVED)}</answer>", id="two grids"),
        pytest.param(
            f"<answer>Puzzle: {PUZZLE} Solution: {' '.join(SOLVED)}</answer>", id="two boards in two writings"
        ),
    ],
)
def test_strict_reads_a_board_in_any_writing(generation):
    result = score_strictly(generation)
    assert (result.extracted, result.verdict, result.weight) == (SOLVED, Verdict.CORRECT, 1)


def draw(start, between_cells, between_rows, end):
    return start + between_rows.join(between_cells.join(row) for row in ROWS) + end


@pytest.mark.parametrize(
    "drawing",
    [
        pytest.param(draw("| ", " | ", " |\n| ", " |"), id="bars"),
        pytest.param("|a|b|c|d|\n|:-:|--:|---|---|\n" + draw("|", "|", "|\n|", "|"), id="Markdown"),
        pytest.param("| |C1|C2|C3|C4|\n|-|-|-|-|-|\n" + draw("||", "|", "|\n||", "|"), id="named columns"),
        pytest.param(draw(r"\begin{array}{|c|cc}\hline ", " & ", r" \\ \hline ", r"\end{array}"), id="array"),
        pytest.param(draw(r"$$\begin{bmatrix}", "&", r"\\", r"\end{bmatrix}$$"), id="matrix"),
        pytest.param(
            draw(r"\begin{tabular}{c|c}", "&", r"\\[2pt] \cline{1-4}", r"\end{tabular}"), id="tabular"
        ),
        pytest.param(draw("", " &amp; ", r" \\ ", ""), id="entities"),
        pytest.param(draw("<tr><td>", "</td><td>", "</td></tr>\n<tr><td>", "</td></tr>"), id="HTML"),
        pytest.param(draw("((", ",", "),(", "))"), id="round brackets"),
        pytest.param(draw("{{", ", ", "}, {", "}}"), id="braces"),
        pytest.param(draw("", "│", "\n─┼─┼─┼─\n", ""), id="box drawing signs"),
        pytest.param("+---+\n" + draw("| ", " ", " |\n| ", " |\n+---+"), id="a frame"),
        pytest.param(draw("", " ", "\n-----\n", ""), id="rules"),
        pytest.param(draw("- ", " ", "\n- ", ""), id="a list of items"),
        pytest.param(draw("", "", ";", ""), id="semicolons"),
        pytest.param(draw("", "", "-", ""), id="hyphens"),
        pytest.param(draw("", "", " → ", ""), id="arrows"),
        pytest.param(draw("", "", "<br>", ""), id="line breaks of HTML"),
        pytest.param(draw("", "", "\\n", ""), id="escaped ends of lines"),
        pytest.param("\n".join(f"Row {row}: {cells}" for row, cells in enumerate(CELLS, 1)), id="named rows"),
        pytest.param("\n".join(f"{row}. {cells}" for row, cells in enumerate(CELLS, 1)), id="numbered rows"),
        pytest.param(" ".join(f"R{row} = {cells}," for row, cells in enumerate(ROWS, 1)), id="short names"),
        pytest.param("**1** 2 *3* 4\n" + "\n".join(CELLS[1:]), id="bold digits"),
        pytest.param("１２３４３４１２２１４３４３２１", id="wide digits"),
        pytest.param(f"\\boxed{{{SOLVED}}}", id="a box"),
        pytest.param(f"{SOLVED} solves {PUZZLE}", id="the puzzle last"),
        pytest.param(f"{SOLVED}\n{SOLVED}", id="twice the same"),
        pytest.param("```\n" + "\n".join(ROWS) + "\n```", id="code"),
    ],
)
def test_strict_reads_a_board_however_it_is_drawn(drawing):
    assert score_strictly(f"<answer>{drawing}</answer>").extracted == SOLVED
    assert score_strictly(f"so\n{drawing}\n").extracted == SOLVED


def test_strict_takes_different_boards_in_tags_for_no_answer():
    result = score_strictly(f"<answer>{SOLVED} or 1234341221434312</answer>")
    assert (result.extracted, result.verdict, "got 2" in result.reason) == (None, Verdict.WRONG, True)
    assert score_strictly(f"first 1234341221434312, then {SOLVED}").verdict is Verdict.CORRECT
    assert score_strictly(f"<answer>1230341221434312 no, {SOLVED}</answer>").verdict is Verdict.CORRECT


@pytest.mark.parametrize(
    ("generation", "board"),
    [
        pytest.param(f"<answer>{PUZZLE}</answer>", PUZZLE, id="a copy"),
        pytest.param("<answer>1.234341221434321</answer>", None, id="a decimal"),
        pytest.param(
            f"<answer>First row: {ROWS[0]}, then {' '.join(ROWS[1:])}</answer>", None, id="words between"
        ),
        pytest.param(f"<answer>{' '.join(ROWS[:3])}</answer>", None, id="three rows"),
        pytest.param(
            "<answer>" + "|".join(reversed(ROWS)) + "</answer>", "4321214334121234", id="rows reversed"
        ),
        pytest.param("<answer>1234341221434312</answer>", "1234341221434312", id="a wrong row"),
        pytest.param("<answer>2134341212434321</answer>", "2134341212434321", id="a changed given"),
        pytest.param(f"<answer>{SOLVED}1</answer>", None, id="seventeen digits"),
        pytest.param(f"<answer>{' '.join(SOLVED)} 1</answer>", None, id="seventeen digits apart"),
        pytest.param("<answer>123434122143432</answer>", None, id="fifteen digits"),
        pytest.param(f"<answer>{END}{SOLVED}", None, id="behind the end"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_strict_refuses_what_does_not_complete_the_puzzle(generation, board):
    result = score_strictly(generation)
    assert (result.extracted, result.verdict, result.credit) == (board, Verdict.WRONG, 0)


@pytest.mark.parametrize("board", OTHER_SOLUTIONS)
def test_strict_takes_any_valid_completion(board):
    assert score_strictly(f"<answer>{board}</answer>", OPEN_PUZZLE).verdict is Verdict.CORRECT


@pytest.mark.parametrize("puzzle", ["1100000000000000", "9000000000000000"])
def test_strict_cannot_score_a_puzzle_without_a_completion(puzzle):
    with pytest.raises(ScoringError, match="must have a completion"):
        score_strictly(SOLVED, puzzle)


def test_list_boards_returns_288_boards():
    boards = list_boards()
    assert len(set(boards)) == 288
    rows, columns = "0123 4567 89ab cdef", "048c 159d 26ae 37bf"
    units = f"{rows} {columns} 0145 2367 89cd abef".split()
    assert all({board[int(cell, 16)] for cell in unit} == set("1234") for board in boards for unit in units)


def test_the_published_puzzles_have_as_many_completions_as_counted_elsewhere(shared_data):
    with (shared_data / "d1_dataset/4x4_test_sudoku.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    counts = [len(find_completions(row["Puzzle"])) for row in rows]
    assert (counts.count(1), sum(2 <= count <= 4 for count in counts)) == (376, 124)
    assert all(row["Solution"] in find_completions(row["Puzzle"]) for row in rows)


def test_boards_are_described():
    copy = describe_board(PUZZLE, PUZZLE)
    assert (copy["is_copy"], copy["num_zero_cells"], copy["num_right_cells"]) == (True, 8, 0)
    solved = describe_board(SOLVED, PUZZLE)
    assert (solved["is_solved"], solved["num_right_cells"], solved["num_changed_givens"]) == (True, 8, 0)
    half = describe_board("1234341200000000", PUZZLE)
    assert (half["num_zero_cells"], half["num_right_cells"], half["num_changed_givens"]) == (4, 4, 4)
    nothing = describe_board("", PUZZLE)
    assert nothing["num_empty_cells"] == 8
    assert not any(value for name, value in nothing.items() if name != "num_empty_cells")


def test_both_rules_describe_the_board():
    generation = f"<answer>{PUZZLE}</answer>"
    assert score(generation).details == score_strictly(generation).details == describe_board(PUZZLE, PUZZLE)

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weft.benchmarks.sudoku import score_d1
from weft.benchmarks.verdict import Score, Verdict
from weft.errors import ScoringError

# Row by row; the eight empty cells are the 2nd, 4th, 6th, 8th, 10th, 12th, 14th and 15th.
PUZZLE = "1030301020403001"
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


def test_a_fence_of_white_space_ends_the_search_among_fences():
    assert score(f"<answer>``` ``` ```{SOLVED}```</answer>").extracted == "``````" + "```1234341"


def test_the_puzzle_is_the_first_run_of_sixteen_digits():
    assert score(f"<answer>{SOLVED}</answer>", question="1234341221434301").weight == 1
    assert score(f"<answer>{SOLVED}</answer>", question=f"No. 5: {PUZZLE}, not {SOLVED}").weight == 8


def test_a_puzzle_without_empty_cells_weighs_nothing():
    result = score(f"<answer>{SOLVED}</answer>", question=SOLVED)
    assert (result.weight, result.credit, result.verdict) == (0, 0.0, Verdict.WRONG)


def test_a_question_without_a_puzzle_is_an_error():
    with pytest.raises(ScoringError, match="16 digits"):
        score(SOLVED, question="Solve it: 123")


@pytest.mark.parametrize("reference", [None, 5, "123", SOLVED + "1", [SOLVED]])
def test_a_reference_that_is_no_board_is_an_error(reference):
    with pytest.raises(ScoringError, match="reference"):
        score(SOLVED, reference=reference)


def test_a_megabyte_is_scored_quickly(nasty_text, quickly):
    for generation in (nasty_text, "<answer>" + nasty_text, "<answer>```" + nasty_text + "</answer>"):
        with quickly():
            score(generation)


PIECES = ["<answer>", "</answer>", "```", EOT, END, SOLVED, "4", " ", "\n", "٣", "a", "\ud800"]


@settings(max_examples=100, deadline=None)
@given(st.text() | st.lists(st.sampled_from(PIECES)).map("".join))
def test_any_text_gets_a_score(generation):
    assert isinstance(score(generation), Score)

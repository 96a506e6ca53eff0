from weft.data.instructions import INSTRUCTIONS, with_instruction


def test_an_instruction_stands_in_front_of_the_question():
    text = with_instruction("sudoku", "Q")
    assert text.startswith("Complete the 4x4 Sudoku")
    assert text.endswith("</answer>\n\nQ")


def test_none_changes_nothing():
    assert with_instruction("none", "Q") == "Q"


def test_boxed_answers_are_asked_for_with_balanced_braces():
    assert all(r"\boxed{}" in INSTRUCTIONS[name] for name in ("countdown", "mathematics"))

"""Instruction texts that stand in front of a question, by name.

d1 has no system role: its instructions open the user's turn.  The wording here is ours and says the
same (docs/deviations.md).
"""

_FORMAT = """Answer in this form:
<reasoning>
your reasoning
</reasoning>
<answer>
your answer
</answer>"""

INSTRUCTIONS = {
    "none": "",
    "format": _FORMAT,
    "sudoku": "Complete the 4x4 Sudoku below. It is written as 16 characters, row after row; 0 is an "
    "empty cell. Every row, every column and every 2x2 box must hold the digits 1 to 4 once each. "
    "The answer is the "
    f"completed board as 16 digits without spaces.\n{_FORMAT}",
    "countdown": "Combine the given numbers, each exactly once, with +, -, * and / so that the result is the "
    f"target. Give the expression alone inside \\boxed{{}}.\n{_FORMAT}",
    "mathematics": "You are good at mathematics. Solve the problem step by step and give the final answer "
    f"inside \\boxed{{}}.\n{_FORMAT}",
}


def with_instruction(name: str, question: str) -> str:
    """Put the named instruction, and a blank line, in front of a question."""
    text = INSTRUCTIONS[name]
    return f"{text}\n\n{question}" if text else question

"""Instruction texts that precede a question: short texts written for weft, and those of d1.

d1 uses no system role; its instructions stand at the beginning of the user's turn. weft does not contain
d1's texts: it parses the source files of d1, without running them, and reads the texts from there.
`weft.config.instructions` lists these files.
"""

import ast
from collections.abc import Sequence

from weft.config.instructions import D1_COMMIT, Instruction, InstructionFile, instruction_file
from weft.data.web import read_web_file
from weft.errors import DataError
from weft.records.ids import text_sha256

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
    f"The answer is the completed board as 16 digits without spaces.\n{_FORMAT}",
    "countdown": "Combine the given numbers, each exactly once, with +, -, * and / so that the result is the "
    f"target. Give the expression alone inside \\boxed{{}}.\n{_FORMAT}",
    "mathematics": "You are good at mathematics. Solve the problem step by step and give the final answer "
    f"inside \\boxed{{}}.\n{_FORMAT}",
}

MAX_SOURCE_BYTES = 1_000_000


def find_instruction(instruction: Instruction, *, offline: Sequence[str]) -> str:
    """Return the text of an instruction; a text in a file is looked up offline or downloaded."""
    source = instruction_file(instruction)
    return INSTRUCTIONS[str(instruction)] if source is None else fetch_instruction(source, offline=offline)


def describe_instruction(instruction: Instruction) -> dict[str, str]:
    """Return the name, the hash and, for a text in a file, the source of an instruction."""
    if isinstance(instruction, InstructionFile):
        return {"name": instruction.constant, "sha256": instruction.sha256, "url": instruction.url}
    if (source := instruction_file(instruction)) is not None:
        return {"name": instruction, "sha256": source.sha256, "commit": D1_COMMIT, "url": source.url}
    return {"name": instruction, "sha256": text_sha256(INSTRUCTIONS[instruction])}


def with_instruction(instruction: str, question: str) -> str:
    """Return a question with an instruction and a blank line before it."""
    return f"{instruction}\n\n{question}" if instruction else question


def fetch_instruction(source: InstructionFile, *, offline: Sequence[str]) -> str:
    """Read an instruction from a constant in a source file, and check the hash of the text."""
    try:
        code, origin = read_web_file(source.url, source.offline, offline=offline, max_bytes=MAX_SOURCE_BYTES)
        text = read_text_constant(code, source.constant, origin=origin)
        if text_sha256(text) != source.sha256:
            raise DataError(
                f"{source.constant} in {origin} must have sha256 {source.sha256}, got {text_sha256(text)}; "
                f"the file is another version: take it from {source.url}"
            )
    except DataError as error:
        raise DataError(
            f"{error}; or choose an instruction that weft contains, such as instruction: mathematics"
        ) from error
    return text


def read_text_constant(code: bytes, name: str, *, origin: str) -> str:
    """Read a string constant from the top level of Python source, without running the source.

    The value may be a sum of string literals. ``origin``, a path or an address, is named in messages.
    """
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:  # the last two: deep nesting
        raise DataError(
            f"{origin} must be Python source, got {type(error).__name__}: {error}; fetch it again"
        ) from error
    values = [
        statement.value
        for statement in tree.body
        if isinstance(statement, ast.Assign)
        and any(isinstance(target, ast.Name) and target.id == name for target in statement.targets)
    ]
    if len(values) != 1:
        raise DataError(
            f"{origin} must assign {name} exactly once at its top level, got {len(values)} assignments; "
            "use another version of the file"
        )
    parts: list[str] = []
    pending = values
    while pending:  # not recursive, because a sum of many literals is nested deeply
        node = pending.pop()
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            pending += [node.right, node.left]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            parts.append(node.value)
        else:
            raise DataError(
                f"{origin}: {name} must consist of string literals and +, got {type(node).__name__} in line "
                f"{node.lineno}; use another version of the file"
            )
    return "".join(parts)

"""Instruction texts that stand in front of a question: short ones of our own, and d1's.

d1 has no system role: its instructions open the user's turn.  Its texts are read from its source files,
which are fetched (`weft.config.instructions` says from where); ours say the same in other words.
"""

import ast
import hashlib
from collections.abc import Sequence

from weft.config.instructions import D1_COMMIT, D1_TEXTS, InstructionFile
from weft.data.remote import read_web_file
from weft.errors import DataError

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

MAX_SOURCE_BYTES = 1_000_000
ALTERNATIVE = "or choose an instruction of our own wording, such as instruction: mathematics"


def find_instruction(name: str, *, offline: Sequence[str]) -> str:
    """Return the text of an instruction, fetched if it is one of d1's.

    Raises:
        DataError: d1's source is neither found offline nor reachable, or does not hold the text.
    """
    source = D1_TEXTS.get(name)
    return INSTRUCTIONS[name] if source is None else fetch_instruction(source, offline=offline)


def describe_instruction(name: str) -> dict[str, str]:
    """Say for the provenance which text it is, by its hash, and from which commit of d1."""
    if name in D1_TEXTS:
        return {"name": name, "sha256": D1_TEXTS[name].sha256, "commit": D1_COMMIT, "url": D1_TEXTS[name].url}
    return {"name": name, "sha256": _sha256(INSTRUCTIONS[name])}


def with_instruction(text: str, question: str) -> str:
    """Put an instruction, and a blank line, in front of a question."""
    return f"{text}\n\n{question}" if text else question


def fetch_instruction(source: InstructionFile, *, offline: Sequence[str]) -> str:
    """Read a text from somebody's source file and check its hash.  The file is parsed, never run.

    Raises:
        DataError: the file is neither found offline nor reachable, is too large, does not hold the
            constant as plain text, or the text differs from the pinned hash.
    """
    try:
        code, origin = read_web_file(source.url, source.offline, offline=offline, max_bytes=MAX_SOURCE_BYTES)
        text = read_text_constant(code, source.constant, origin=origin)
        if _sha256(text) != source.sha256:
            raise DataError(
                f"{source.constant} in {origin} must have sha256 {source.sha256}, got {_sha256(text)}; it is "
                f"another version: take the file from {source.url}"
            )
    except DataError as error:
        raise DataError(f"{error}; {ALTERNATIVE}") from error
    return text


def read_text_constant(code: bytes, name: str, *, origin: str) -> str:
    """Read a string that is assigned at the top level of a Python file, without running the file.

    Args:
        code: the file.
        name: name of the constant.
        origin: where the file comes from, for messages.

    Returns:
        The text; literals joined by + are understood, anything else is not.

    Raises:
        DataError: the file is no Python, or does not assign the name once, or not plain text.
    """
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:  # the last two: nested too deep
        raise DataError(
            f"{origin} must be Python source, got {type(error).__name__}: {error}; fetch it again"
        ) from error
    assignments = [statement for statement in tree.body if isinstance(statement, ast.Assign)]
    values = [a.value for a in assignments if any(_is_name(target, name) for target in a.targets)]
    if len(values) != 1:
        raise DataError(
            f"{origin} must assign {name} once at its top level, found {len(values)}; take another version"
        )
    parts: list[str] = []
    todo = values
    while todo:  # a loop, since a sum is nested as deep as it is long
        node = todo.pop()
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            todo += [node.right, node.left]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            parts.append(node.value)
        else:
            raise DataError(
                f"{origin}: {name} must be made of string literals and +, got {type(node).__name__} in line "
                f"{node.lineno}; take another version"
            )
    return "".join(parts)


def _is_name(target: ast.expr, name: str) -> bool:
    return isinstance(target, ast.Name) and target.id == name


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

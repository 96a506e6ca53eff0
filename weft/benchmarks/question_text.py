"""The part of a custom benchmark's file on which its questions depend.

A change of the function ``score`` changes scores, but no question. Without the distinction, every correction
of it would ask all models all questions again.
"""

import ast
from collections.abc import Collection, Iterable
from pathlib import Path

from weft.errors import ConfigError
from weft.records.files import read_text

SCORER, QUESTIONS = "score", "questions"
"""Names of the functions that the file of a custom benchmark defines."""
INDIRECT = frozenset({"eval", "exec", "globals", "locals", "vars", "dir", "sys", "inspect", "importlib"})
"""Names through which code can reach a function without its name."""


def questions_text(path: Path) -> str:
    """Return the text of a custom benchmark's file without the functions that only its scoring uses.

    These are the function ``score`` and the functions that it, or another of them, is the only one to name.
    The whole text is returned if this cannot be told from the names: if the file cannot be parsed, ``score``
    is not a function that is defined once and that the rest of the file does not name, or a name of
    `INDIRECT` occurs. Nothing is executed.

    Args:
        path: the Python file.

    Returns:
        Its text, without the lines of these functions.

    Raises:
        ConfigError: there is no such file, or it is not UTF-8 text.
    """
    text = read_text(path, error=ConfigError, remedy="correct the path of the custom benchmark")
    text = text.replace("\r\n", "\n").replace("\r", "\n")  # the line ends that Python counts
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return text
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    names = [node.name for node in functions]
    if names.count(SCORER) != 1 or _names_in([tree]) & INDIRECT:
        return text
    scoring = {SCORER}
    candidates = [node for node in functions if names.count(node.name) == 1 and node.name != QUESTIONS]
    while True:
        rest = [node for node in tree.body if getattr(node, "name", None) not in scoring]
        if SCORER in _names_in(rest):
            return text
        used = _names_in([node for node in functions if node.name in scoring])
        more = {
            node.name
            for node in candidates
            if node.name in used - scoring
            and not node.decorator_list
            and node.name not in _names_in(other for other in rest if other is not node)
        }
        if not more:
            return _without_lines(text, [node for node in functions if node.name in scoring])
        scoring |= more


def _names_in(nodes: Iterable[ast.AST]) -> set[str]:
    """Return all names that occur in code: variables, attributes and imported modules."""
    names: set[str] = set()
    for root in nodes:
        for node in ast.walk(root):
            if isinstance(node, ast.Name):
                names.add(node.id)
            elif isinstance(node, ast.Attribute):
                names.add(node.attr)
            elif isinstance(node, ast.alias):
                names |= {node.asname or node.name, node.name.partition(".")[0]}
            elif isinstance(node, ast.ImportFrom):
                names.add((node.module or "").partition(".")[0])
    return names


def _without_lines(text: str, nodes: Collection[ast.FunctionDef]) -> str:
    """Return a text without the lines of functions and of their decorators."""
    lines = text.split("\n")
    left_out: set[int] = set()
    for node in nodes:
        first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        left_out.update(range(first, (node.end_lineno or node.lineno) + 1))
    return "\n".join(line for number, line in enumerate(lines, start=1) if number not in left_out)

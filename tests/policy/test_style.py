"""Tests of the house style: names, docstrings, types, the file layer, and the form of the documentation."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings

REPOSITORY = Path(__file__).resolve().parents[2]
MAX_UNTYPED = 40
MAX_README_LINES = 120
MAX_COLUMNS = 100
FILE_LAYER = "weft/records/files.py"
OTHER_WRITERS = {
    "weft/benchmarks/symbolic_process.py": "opens the null device to silence the libraries",
    "weft/config/places.py": "links the installed package for its jobs",
    "weft/data/web.py": "streams a download into an atomic file",
    "weft/doctor/file_system.py": "tries what a file system can do",
    "weft/sharing/zip_file.py": "streams files into an atomic archive",
}
OLD_NAMES = frozenset(
    [
        "Corruption",
        "Decoding",
        "Draws",
        "Observer",
        "PlacedExamples",
        "RECORD_FIELDS",
        "SeededDraws",
        "StepView",
        "corrupt",
        "diffusion_loss",
        "divide_by",
        "found",
        "in_scheme",
        "is_filler",
        "is_real",
        "is_tight",
        "is_tuned",
        "load_tuned",
        "look_back",
        "made",
        "noisy_loss",
        "one",
        "onlooker",
        "own",
        "own_file",
        "scheme_positions",
        "take_record",
        "terse_example",
        "tokens_to_divide_by",
        "told",
        "tuned",
        "tuned_digest",
        "where",
        "worked_example",
    ]
)
OLD_SAMPLING_CLASSES = frozenset({"Row", "Batch", "Request"})
CLOCK = frozenset({"time.time", "time.monotonic", "time.perf_counter", "time.process_time"})


@cache
def trees(*folders):
    """Parse the Python files of some folders, by path."""
    files = [file for folder in folders for file in sorted((REPOSITORY / folder).rglob("*.py"))]
    return {file.relative_to(REPOSITORY).as_posix(): ast.parse(file.read_text("utf-8")) for file in files}


def find(folders, matches):
    """List the places of the nodes for which ``matches(path, node)`` is true."""
    return [
        f"{path}:{getattr(node, 'lineno', 1)}"
        for path, tree in trees(*folders).items()
        for node in ast.walk(tree)
        if matches(path, node)
    ]


def docstring(node):
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    return (ast.get_docstring(node) or "") if isinstance(node, documented) else ""


def test_no_docstring_begins_with_say():
    guilty = find(["weft", "perf", "tools"], lambda _, node: re.match("Says? ", docstring(node)))
    assert not guilty


def test_few_objects_are_untyped():
    def is_untyped(_, node):
        return isinstance(node, ast.Subscript) and re.fullmatch(
            r"(dict|Mapping|MutableMapping)\[str, (Any|object)\]", ast.unparse(node)
        )

    guilty = find(["weft"], is_untyped)
    assert len(guilty) <= MAX_UNTYPED, guilty


def is_writing(node):
    """Return True for a call that opens a file to write, writes a whole file or renames it."""
    if not isinstance(node, ast.Call):
        return False
    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
    if name in {"write_text", "write_bytes", "mkstemp", "NamedTemporaryFile"}:
        return isinstance(node.func, ast.Attribute)
    if name in {"replace", "rename"}:  # of a path or of os; other methods have more arguments or keywords
        is_module = isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) == "os"
        return is_module or (len(node.args) == 1 and not node.keywords)
    modes = [value for value in [*node.args, *(word.value for word in node.keywords)] if is_mode(value)]
    return name == "open" and bool(modes)


def is_mode(node):
    return isinstance(node, ast.Constant) and bool(
        re.fullmatch(r"[rbt]*[waxb]*[wax+][bt+]*", str(node.value))
    )


def test_only_the_file_layer_writes_files():
    allowed = {FILE_LAYER, *OTHER_WRITERS}
    assert not find(["weft"], lambda path, node: path not in allowed and is_writing(node))


def test_every_exception_to_the_file_layer_is_needed():
    for path in OTHER_WRITERS:
        assert find(
            [path.rpartition("/")[0]], lambda place, node, path=path: place == path and is_writing(node)
        )


@pytest.mark.parametrize(
    "code",
    [
        'open(p, "w")',
        'p.open("ab")',
        'open(p, mode="x")',
        "p.write_text(s)",
        "p.replace(q)",
        "os.replace(p, q)",
    ],
)
def test_writing_is_recognised(code):
    assert is_writing(ast.parse(code).body[0].value)


@pytest.mark.parametrize("code", ["p.open()", 'p.open("rb")', 's.replace("a", "b")', "replace(record, a=1)"])
def test_calls_that_read_files_do_not_count_as_writing(code):
    assert not is_writing(ast.parse(code).body[0].value)


def bound_name(node):
    """Return the name that a definition, an argument or an assignment introduces."""
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return node.name
    if isinstance(node, ast.arg):
        return node.arg
    return node.id if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) else None


def test_old_names_are_gone():
    guilty = find(["weft", "perf", "tools"], lambda _, node: bound_name(node) in OLD_NAMES)
    guilty += find(
        ["weft/sampling"],
        lambda _, node: isinstance(node, ast.ClassDef) and node.name in OLD_SAMPLING_CLASSES,
    )
    assert not guilty


def test_no_test_depends_on_the_clock():
    guilty = find(["tests"], lambda _, node: isinstance(node, ast.Attribute) and ast.unparse(node) in CLOCK)
    assert not guilty


def test_examples_of_hypothesis_have_no_deadline():
    assert settings.default.deadline is None


def pages():
    return [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")]


def test_the_readme_is_short():
    assert len((REPOSITORY / "README.md").read_text("utf-8").splitlines()) <= MAX_README_LINES


def test_documentation_is_wrapped():
    guilty = []
    for page in pages():
        if page.name == "config.md":  # generated
            continue
        text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
        wide = [line for line in text.splitlines() if len(line) > MAX_COLUMNS]
        exempt = [line for line in wide if line.startswith("|") or "](" in line or "://" in line]
        guilty += [f"{page.name}: {line}" for line in wide if line not in exempt]
    assert not guilty

import json

import pytest

from weft.benchmarks import Score, Verdict
from weft.benchmarks.own import load_own_file
from weft.errors import ConfigError

GOOD = """
from weft.benchmarks import Score

INSTRUCTION = "One word."
QUESTIONS = [("France?", "Paris"), ("Peru?", ["Lima", 1])]

def score(generation, *, question, reference):
    return Score.from_credit(generation, float(generation == reference))
"""


def own(tmp_path, text):
    path = tmp_path / "mine.py"
    path.write_text(text)
    return load_own_file(path)


def test_the_example_judges_its_own_questions():
    example = load_own_file("examples/own_benchmark.py")
    question, reference = example.list_questions()[0]
    verdicts = [
        example.score(text, question=question, reference=reference).verdict
        for text in ("<answer>Lima</answer> no, <answer>nairobi</answer>", "<answer>Lima</answer>", "")
    ]
    assert verdicts == [Verdict.CORRECT, Verdict.WRONG, Verdict.WRONG]


def test_a_file_gives_instruction_questions_and_score(tmp_path):
    mine = own(tmp_path, GOOD)
    assert mine.instruction == "One word."
    assert mine.list_questions() == [("France?", "Paris"), ("Peru?", ["Lima", 1])]
    assert mine.score("Paris", question="France?", reference="Paris") == Score.from_credit("Paris", 1.0)


def test_questions_may_come_from_a_function_which_is_asked_for_no_more_than_needed(tmp_path):
    text = GOOD.replace("QUESTIONS = [", "OTHERS = [") + (
        "\ndef questions():\n    yield 'A?', 1\n    yield 'B?', 2\n    raise RuntimeError('too many')\n"
    )
    mine = own(tmp_path, text)
    assert mine.list_questions(2) == [("A?", 1), ("B?", 2)]
    with pytest.raises(ConfigError, match=r"mine.py, line 13: .*got RuntimeError: too many"):
        mine.list_questions()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('INSTRUCTION = "One word."', "", "INSTRUCTION must be a text, which may be empty, got no such name"),
        ('"One word."', "3", "INSTRUCTION must be a text, which may be empty, got 3"),
        ("QUESTIONS = [", "OTHERS = [", "QUESTIONS must be a list of .* got no such name"),
        ("def score(", "def judge(", "score must be a function .* got no such name"),
        ("*, question, reference", "", "score must be a function .* got another one .*question"),
        ("def score", "1 / 0\ndef score", r"mine.py, line 7: .* got ZeroDivisionError"),
        ("def score", "raise SystemExit(3)\ndef score", r"mine.py, line 7: .* got SystemExit: 3"),
        ("INSTRUCTION = ", "INSTRUCTION == (", "must run without an error, got SyntaxError"),
        ("from weft", "import no_such_library\nfrom weft", "line 2: .* got ModuleNotFoundError"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path, old, new, message):
    assert old in GOOD
    with pytest.raises(ConfigError, match=message):
        own(tmp_path, GOOD.replace(old, new))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere.py must be a Python file, found none"):
        load_own_file(tmp_path / "nowhere.py")


@pytest.mark.parametrize(
    ("questions", "message"),
    [
        ("[]", "at least 1 questions are needed, got 0"),
        ("[('A?', 1), ('A?', 2)]", "every question must come once, got 'A.' again"),
        ("['A?']", "question 1 must be a pair"),
        ("[(1, 'A?')]", "question 1 must be a pair"),
        ("[('A?', 1), (' ', 1)]", "question 2 must be a pair"),
        ("[('A?', {1, 2})]", "question 1 must be a pair of a text and a reference that JSON can hold"),
        ("[('A?', (1, 2))]", "question 1 must be a pair"),  # would come back as a list
        ("[('A?', {1: 2})]", "question 1 must be a pair"),  # would come back as text
        ("[('A?', float('nan'))]", "question 1 must be a pair"),
    ],
)
def test_questions_of_another_form_are_refused(tmp_path, questions, message):
    mine = own(tmp_path, GOOD + f"\nQUESTIONS = {questions}\n")
    with pytest.raises(ConfigError, match=message):
        mine.list_questions()


def test_too_few_questions_are_an_error(tmp_path):
    with pytest.raises(ConfigError, match="at least 3 questions are needed, got 2; add some, or lower"):
        own(tmp_path, GOOD).list_questions(3)


@pytest.mark.parametrize(
    "result",
    [
        "True",
        "None",
        "broken(extracted=3)",
        "broken(details={'a': 'b'})",
        "broken(details={'a': float('nan')})",
        "broken(weight=0.5)",
        "broken(weight=10**400)",
        "broken(verdict='banana')",
    ],
)
def test_a_rule_that_returns_something_else_stops(tmp_path, result):
    broken = """
def broken(**values):
    score = Score.from_credit("x", 1.0)
    for name, value in values.items():
        object.__setattr__(score, name, value)
    return score
"""
    text = GOOD + broken
    text = text.replace("Score.from_credit(generation, float(generation == reference))", result)
    mine = own(tmp_path, text)
    with pytest.raises(ConfigError, match=r"mine.py: score must return a weft.benchmarks.Score"):
        mine.score("x", question="France?", reference="Paris")


def test_a_reference_is_given_back_as_it_was(tmp_path):
    ((_, _), (_, reference)) = own(tmp_path, GOOD).list_questions()
    assert json.loads(json.dumps(reference)) == reference

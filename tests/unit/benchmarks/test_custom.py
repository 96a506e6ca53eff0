import json
from pathlib import Path

import pytest

from weft.benchmarks import Score, Verdict
from weft.benchmarks.custom import load_custom_benchmark
from weft.errors import ConfigError

GOOD = """
from weft.benchmarks import Score

INSTRUCTION = "One word."
QUESTIONS = [("France?", "Paris"), ("Peru?", ["Lima", 1])]

def score(generation, *, question, reference):
    return Score.from_credit(generation, float(generation == reference))
"""


def load(tmp_path, text):
    path = tmp_path / "mine.py"
    path.write_text(text)
    return load_custom_benchmark(path)


def test_the_example_judges_its_own_questions():
    example = load_custom_benchmark(Path("examples/custom_benchmark.py"))
    question, reference = example.list_questions()[0]
    verdicts = [
        example.score(text, question=question, reference=reference).verdict
        for text in ("<answer>Lima</answer> no, <answer>nairobi</answer>", "<answer>Lima</answer>", "")
    ]
    assert verdicts == [Verdict.CORRECT, Verdict.WRONG, Verdict.WRONG]


def test_a_file_gives_instruction_questions_and_score(tmp_path):
    mine = load(tmp_path, GOOD)
    assert mine.instruction == "One word."
    assert mine.list_questions() == [("France?", "Paris"), ("Peru?", ["Lima", 1])]
    assert mine.score("Paris", question="France?", reference="Paris") == Score.from_credit("Paris", 1.0)


def test_questions_may_come_from_a_function_which_is_asked_for_no_more_than_needed(tmp_path):
    text = GOOD.replace("QUESTIONS = [", "OTHERS = [") + (
        "\ndef questions():\n    yield 'A?', 1\n    yield 'B?', 2\n    raise RuntimeError('too many')\n"
    )
    mine = load(tmp_path, text)
    assert mine.list_questions(2) == [("A?", 1), ("B?", 2)]
    with pytest.raises(ConfigError, match=r"mine.py, line 13: .*RuntimeError: too many"):
        mine.list_questions()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('INSTRUCTION = "One word."', "", "INSTRUCTION .* no such name"),
        ('"One word."', "3", "INSTRUCTION .* got 3"),
        ("QUESTIONS = [", "OTHERS = [", "QUESTIONS .* no such name"),
        ("def score(", "def judge(", "score .* no such name"),
        ("*, question, reference", "", "score .*question"),
        ("def score", "1 / 0\ndef score", "mine.py, line 7: .*ZeroDivisionError"),
        ("def score", "raise SystemExit(3)\ndef score", "mine.py, line 7: .*SystemExit: 3"),
        ("INSTRUCTION = ", "INSTRUCTION == (", "mine.py.*SyntaxError"),
        ("from weft", "import no_such_library\nfrom weft", "mine.py, line 2: .*ModuleNotFoundError"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path, old, new, message):
    assert old in GOOD
    with pytest.raises(ConfigError, match=message):
        load(tmp_path, GOOD.replace(old, new))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere.py"):
        load_custom_benchmark(tmp_path / "nowhere.py")


def test_questions_of_another_form_are_refused(tmp_path):
    for questions, message in {
        "[]": "at least 1 .*got 0",
        "[('A?', 1), ('A?', 2)]": "got 'A.' again",
        "['A?']": "question 1",
        "[(1, 'A?')]": "question 1",
        "[('A?', 1), (' ', 1)]": "question 2",
        "[('A?', {1, 2})]": "question 1",
        "[('A?', (1, 2))]": "question 1",  # JSON would restore it as a list
        "[('A?', {1: 2})]": "question 1",  # JSON would restore the key as text
        "[('A?', float('nan'))]": "question 1",
    }.items():
        benchmark = load(tmp_path, GOOD + f"\nQUESTIONS = {questions}\n")
        with pytest.raises(ConfigError, match=f"mine.py: .*{message}"):
            benchmark.list_questions()


SCORER_OF_WEFT = """
from weft.benchmarks.gsm8k import score_strict as score

INSTRUCTION = ""
QUESTIONS = [("3 * 6?", 18), ("3 * 7?", "21")]
"""
WRAPPED_SCORER = """
from weft.benchmarks.gsm8k import score_strict

INSTRUCTION = ""
QUESTIONS = [("3 * 6?", 18), ("3 * 7?", "21")]

def score(generation, *, question, reference):
    return score_strict(generation, question=question, reference=reference)
"""


@pytest.mark.parametrize("text", [SCORER_OF_WEFT, WRAPPED_SCORER])
def test_a_reference_that_the_scorer_does_not_accept_is_an_error(tmp_path, text):
    with pytest.raises(ConfigError, match=r"mine.py: question 2: .* got '21'; .*: write 21$"):
        load(tmp_path, text).list_questions()
    assert len(load(tmp_path, text.replace('"21"', "21")).list_questions()) == 2


def test_a_function_that_fails_on_an_empty_answer_does_not_make_the_questions_wrong(tmp_path):
    for failure in ("generation[0]", "raise SystemExit(1)", "return None"):
        text = GOOD.replace("    return Score", f"    {failure}\n    return Score")
        assert len(load(tmp_path, text).list_questions()) == 2


def test_too_few_questions_are_an_error(tmp_path):
    with pytest.raises(ConfigError, match=r"at least 3 .*got 2.*num_examples"):
        load(tmp_path, GOOD).list_questions(3)


@pytest.mark.parametrize("result", ["True", "None", "('Paris', 1.0)"])
def test_a_function_that_returns_no_score_is_an_error(tmp_path, result):
    text = GOOD.replace("Score.from_credit(generation, float(generation == reference))", result)
    with pytest.raises(ConfigError, match=r"mine.py: .*weft.benchmarks.Score"):
        load(tmp_path, text).score("x", question="France?", reference="Paris")


def test_a_credit_may_be_a_boolean(tmp_path):
    benchmark = load(tmp_path, GOOD.replace("float(generation == reference)", "generation == reference"))
    score = benchmark.score("Paris", question="France?", reference="Paris")
    assert (score.credit, type(score.credit)) == (1.0, float)


def test_a_reference_is_restored_as_it_was(tmp_path):
    ((_, _), (_, reference)) = load(tmp_path, GOOD).list_questions()
    assert json.loads(json.dumps(reference)) == reference

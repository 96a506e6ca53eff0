import pytest

from weft.benchmarks.question_text import questions_text
from weft.config.places import CHECKOUT
from weft.errors import ConfigError

TEXT = '''\
"""Sums."""
from weft.records import Score

INSTRUCTION = "Add."


def shared(text):
    return text.strip()


def questions():
    yield shared(" 1+1 "), "2"


def helper(text):
    return inner(text)


def inner(text):
    return shared(text).lower()


# A remark.
def score(generation, *, question, reference):
    return Score.from_credit(helper(generation), 1.0)


LAST = 1
'''
WITHOUT = TEXT[: TEXT.index("def helper")] + "\n\n# A remark.\n\n\nLAST = 1\n"


@pytest.fixture
def read(tmp_path):
    def call(text):
        file = tmp_path / "sums.py"
        file.write_text(text)
        return questions_text(file)

    return call


def squeezed(text):
    return [line for line in text.splitlines() if line]


def test_the_functions_that_only_the_scoring_uses_are_left_out(read):
    assert squeezed(read(TEXT)) == squeezed(WITHOUT)


@pytest.mark.parametrize(
    ("old", "new"),
    [("1.0)", "0.5)"), ("lower()", "upper()"), ("    return Score", "    # why\n    return Score"),
     ("def score", "@staticmethod\ndef score")],
)  # fmt: skip
def test_a_change_of_the_scoring_changes_nothing(read, old, new):
    assert old in TEXT
    assert read(TEXT.replace(old, new, 1)) == read(TEXT)


@pytest.mark.parametrize(
    ("old", "new"),
    [("1+1", "1+2"), ("text.strip()", "text.lstrip()"), ('"Add."', '"Add!"'), ("# A remark.", "# Other."),
     ("LAST = 1", "LAST = 2")],
)  # fmt: skip
def test_a_change_of_anything_else_changes_the_text(read, old, new):
    assert old in TEXT
    assert read(TEXT.replace(old, new, 1)) != read(TEXT)


@pytest.mark.parametrize(
    "text",
    [
        TEXT + "def score(): pass\n",  # defined twice
        TEXT.replace("def score(", "class score:\n  def score("),
        TEXT + "checked = score('', question='', reference='')\n",
        TEXT.replace("LAST = 1", "LAST = globals()"),
        TEXT.replace("LAST = 1", "import inspect"),
        TEXT.replace("LAST = 1", "from sys import modules"),
        TEXT + "def\n",
        "from weft.benchmarks.gsm8k import score_strict as score\n",
    ],
)
def test_the_whole_text_counts_if_the_parts_cannot_be_told(read, text):
    assert read(text) == text


def test_a_helper_that_the_questions_use_as_well_stays(read):
    text = TEXT.replace("LAST = 1", "LAST = helper('A')")
    assert "def helper" in read(text)
    assert "def inner" in read(text)
    assert "def score" not in read(text)


def test_the_shipped_example_keeps_its_questions_only():
    text = questions_text(CHECKOUT / "examples/custom_benchmark.py")
    assert "QUESTIONS" in text
    assert "def score" not in text


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(
        ConfigError, match=r"none.py: expected a file, got none; correct the path of the cust"
    ):
        questions_text(tmp_path / "none.py")

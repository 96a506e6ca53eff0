from pathlib import Path

import pytest

from weft.data.checks import check_examples, describe_check, require_no_test_question
from weft.errors import DataError
from weft.records import Example, Question

ASKED = {
    Path("questions/sums.jsonl"): [
        Question(example_id="1", benchmark="sums", question=" What is 1+1?\n", prompt="", reference="2"),
        Question(example_id="2", benchmark="sums", question="What is 2+2?", prompt="", reference="4"),
    ],
    Path("questions/none.jsonl"): [],
}


def check(*questions):
    examples = [
        Example(example_id=str(n), question=text, answer="4", source="") for n, text in enumerate(questions)
    ]
    return check_examples(
        "mine",
        examples,
        ASKED,
        longest_prompts={"sums": 9, "none": 0},
        name_place=lambda example: f"mine, line {int(example.example_id) + 1}",
    )


def test_examples_that_end_with_a_test_question_are_counted_and_named():
    found = check("What is 3+3?", "Answer: What is 2+2?", *["What is 1+1? "] * 12)
    assert found.num_with_test_question == 13
    assert found.num_questions == {"sums": 2, "none": 0}
    assert found.places == tuple(f"mine, line {n}" for n in range(2, 12))
    assert (found.first_question, found.first_benchmark) == ("What is 2+2?", "sums")
    sentence = "13 of 14 training examples contain a test question: mine, lines 2, 3, 4"
    assert describe_check(found).startswith(sentence)
    with pytest.raises(DataError, match=f"must differ, but {sentence}.* and 3 more .*; remove them, or set"):
        require_no_test_question(found)


def test_other_examples_pass():
    found = check("What is 3+3?", "What is 2+2? Think.")
    assert (found.num_with_test_question, found.places, found.first_question) == (0, (), None)
    assert describe_check(found) == "none of 2 training examples contains one of 2 test questions"
    require_no_test_question(found)


def test_without_questions_nothing_is_found():
    assert check().num_with_test_question == 0

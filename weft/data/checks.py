"""Compare training examples with test questions, and check that the questions can be asked."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from weft.data.datasets import find_leaks
from weft.errors import DataError
from weft.records import DataCheck, Example, Question
from weft.records.checks import MAX_PLACES, join_places


def check_examples(
    dataset: str,
    examples: Sequence[Example],
    questions: Mapping[Path, Sequence[Question]],
    *,
    longest_prompts: Mapping[str, int],
    name_place: Callable[[Example], str],
) -> DataCheck:
    """Compare every user turn of a training set with the test questions.

    Args:
        dataset: name of the training set.
        examples: the training examples.
        questions: file of each benchmark, which has its name, -> its test questions.
        longest_prompts: tokens of the longest prompt of each benchmark.
        name_place: returns the place of an example, such as "FILE, line N".

    Returns:
        What was found.
    """
    asked = [question for of_file in questions.values() for question in of_file]
    ids = {*find_leaks(examples, [question.question for question in asked])} if asked else set()
    leaked = [example for example in examples if example.example_id in ids]
    check = DataCheck(
        dataset=dataset,
        num_examples=len(examples),
        num_questions={file.stem: len(of_file) for file, of_file in questions.items()},
        longest_prompts=dict(longest_prompts),
        num_with_test_question=len(leaked),
    )
    if not leaked:
        return check
    first = next(question for question in asked if find_leaks(leaked[:1], [question.question]))
    details = {
        "places": tuple(name_place(example) for example in leaked[:MAX_PLACES]),
        "first_question": first.question.strip(),
        "first_benchmark": first.benchmark,
    }
    return check.model_copy(update=details)


def require_no_test_question(check: DataCheck) -> None:
    """Raise DataError if a training example contains a test question."""
    if check.num_with_test_question:
        raise DataError(
            f"training and test questions must differ, but {describe_check(check)}; remove them, or set "
            "forbid_test_questions: false to count them only"
        )


def describe_check(check: DataCheck) -> str:
    """Return a line of text with the number and the places of the examples that contain a test question."""
    if not check.num_with_test_question:
        return (
            f"none of {check.num_examples} training examples contains one of "
            f"{sum(check.num_questions.values())} test questions"
        )
    places = join_places(check.places, total=check.num_with_test_question)
    return (
        f"{check.num_with_test_question} of {check.num_examples} training examples contain a test question: "
        f"{places} (the first contains {check.first_question!r:.80} of {check.first_benchmark})"
    )

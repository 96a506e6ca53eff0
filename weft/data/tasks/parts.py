"""Texts of pretraining: the single steps of the problems, and no chain of three steps.

A base model that is trained on these texts can calculate, copy and answer questions of one or two steps.
It meets the questions of fine-tuning only with a direct answer, without steps. Fine-tuning on worked
examples then has something to unlock, as with LLaDA. No text contains a problem of the test or validation
split, and no worked answer has more than two steps that depend on each other.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from weft.benchmarks.sudoku_boards import list_boards
from weft.config.sources import Part
from weft.data.tasks import TASKS, countdown_problems, equations, sudoku_puzzles, word_problems
from weft.data.tasks.arithmetic import sample_step, split_step
from weft.data.tasks.problem import Problem, Split, join_answer, sample_of_split

LINES_PER_DOCUMENT = 14
STEPS_AFTER_QUESTION = 12
BOARDS_PER_DOCUMENT = 4
REMARK_SHARE = 0.6
MOST_REMARK_WORDS = 12
WORDS = (*word_problems.THINGS, *(verb for verbs in word_problems.VERBS.values() for verb in verbs))
"""Words of copies and remarks."""
QUESTIONS = {**TASKS, "countdown": countdown_problems.sample_problem}
"""Benchmark -> function that samples a problem for its question; Countdown problems need not be balanced."""
NAMED_STEPS = (("math500", "First", 0), ("countdown", "Rest", 0))
"""Steps that are asked for alone: benchmark, name in the question, index in the rationale."""


@dataclass(frozen=True, kw_only=True)
class Text:
    """A text of pretraining.

    Attributes:
        question: text of the user's turn; None for a document.
        remark: words after the question that have nothing to do with it.
        body: the document, or the answer to the question.
        has_separate_lines: whether the lines of the body are independent of each other and of the question.
    """

    question: str | None = None
    remark: str = ""
    body: str
    has_separate_lines: bool = False


def sample_text(part: Part, rng: random.Random, split: Split = "train") -> Text:
    """Sample a text of a kind about problems of a split, with a remark after most questions.

    The remarks vary the distance between a question and its answer. Without them, a model copies numbers
    from a fixed distance instead of looking for them, and cannot continue a longer answer.
    """
    text = PARTS[part](rng, split)
    if text.question is None or rng.random() >= REMARK_SHARE:
        return text
    words = rng.choices(WORDS, k=rng.randint(1, MOST_REMARK_WORDS))
    return replace(text, remark="\n" + " ".join(words))


def _document(
    rng: random.Random, _: Split, sample_line: Callable[[random.Random], str], num_lines: int
) -> Text:
    return Text(body="\n".join(sample_line(rng) for _ in range(num_lines)), has_separate_lines=True)


def _copies(rng: random.Random, _: Split) -> Text:
    """Repeat a line of random words, numbers and signs."""
    kinds: tuple[Callable[[], str], ...] = (
        lambda: str(rng.randint(1, 39)),
        lambda: str(rng.randint(1, 9)),
        lambda: rng.choice("+-*/=x,()"),
        lambda: rng.choice(WORDS),
    )
    items = [rng.choice(kinds)() for _ in range(rng.randint(3, 12))]
    return Text(body="\n".join([" ".join(items)] * (2 + 18 // len(items))), has_separate_lines=True)


def _steps_after_question(rng: random.Random, split: Split) -> Text:
    """Write steps that have nothing to do with the question above them."""
    benchmark = rng.choice(("gsm8k", "math500", "countdown"))
    question = sample_of_split(QUESTIONS[benchmark], split, rng).question
    steps = "\n".join(sample_step(rng) for _ in range(STEPS_AFTER_QUESTION))
    return Text(question=question, body=f"<reasoning>{steps}", has_separate_lines=True)


def _sheet(rng: random.Random, _: Split) -> Text:
    """Ask for the results of two or three unrelated operations."""
    steps = [sample_step(rng) for _ in range(rng.choice((2, 3, 3)))]
    return Text(question=f"Compute {_left_sides(steps)}.", body=join_answer("\n".join(steps), "done"))


def _linked_sheet(rng: random.Random, _: Split) -> Text:
    """Ask for the results of two unrelated operations, and of a third one that uses one of these results."""
    place, is_left = rng.randrange(2), rng.random() < 0.5
    while True:
        steps = [sample_step(rng) for _ in range(3)]
        left, sign, right = split_step(steps[2])
        if int(_result(steps[place])) == (left if is_left else right):
            break
    name = "AB"[place]
    linked = f"{name}{sign}{right}" if is_left else f"{left}{sign}{name}"
    question = f"Compute A={_left_side(steps[0])}, B={_left_side(steps[1])}, {linked}."
    return Text(question=question, body=join_answer("\n".join(steps), "done"))


def _story_expression(rng: random.Random, split: Split) -> Text:
    """Ask for the operations of a story without their results."""
    problem = sample_of_split(TASKS["gsm8k"], split, rng)
    first, *others = (_left_side(step) for step in problem.rationale.split("\n"))
    expression = first + "".join(step.lstrip("0123456789") for step in others)
    question = problem.question.replace("How many?", "Write it.")
    return Text(question=question, body=join_answer(expression, "done"))


def _single_step(rng: random.Random, split: Split) -> Text:
    """Ask for one named step of an equation or of a Countdown problem."""
    benchmark, name, number = rng.choice(NAMED_STEPS)
    problem = sample_of_split(QUESTIONS[benchmark], split, rng)
    step = problem.rationale.split("\n")[number]
    return Text(question=f"{name}: {problem.question}", body=join_answer(step, "done"))


def _problem(
    rng: random.Random,
    split: Split,
    sample_problem: Callable[[random.Random], Problem],
    *,
    is_direct: bool = False,
) -> Text:
    """Ask the question of a problem, and answer it with its rationale or directly."""
    problem = sample_of_split(sample_problem, split, rng)
    rationale = "" if is_direct else problem.rationale
    return Text(question=problem.question, body=join_answer(rationale, problem.answer))


def _left_side(step: str) -> str:
    return step.partition("=")[0]


def _result(step: str) -> str:
    return step.partition("=")[2]


def _left_sides(steps: list[str]) -> str:
    return ", ".join(map(_left_side, steps))


PARTS: dict[Part, Callable[[random.Random, Split], Text]] = {
    "steps": partial(_document, sample_line=sample_step, num_lines=LINES_PER_DOCUMENT),
    "boards": partial(
        _document, sample_line=lambda rng: rng.choice(list_boards()), num_lines=BOARDS_PER_DOCUMENT
    ),
    "copies": _copies,
    "steps_after_question": _steps_after_question,
    "sheets": _sheet,
    "linked_sheets": _linked_sheet,
    "story_expressions": _story_expression,
    "single_steps": _single_step,
    "two_numbers": partial(
        _problem, sample_problem=partial(countdown_problems.sample_problem, num_numbers=2)
    ),
    "three_numbers": partial(
        _problem, sample_problem=partial(countdown_problems.sample_problem, num_numbers=3)
    ),
    "one_step_stories": partial(_problem, sample_problem=partial(word_problems.sample_problem, num_steps=1)),
    "two_step_stories": partial(_problem, sample_problem=partial(word_problems.sample_problem, num_steps=2)),
    "one_step_equations": partial(_problem, sample_problem=equations.sample_one_step),
    "two_step_equations": partial(_problem, sample_problem=equations.sample_two_steps),
    "easy_sudoku": partial(
        _problem,
        sample_problem=partial(sudoku_puzzles.sample_problem, empty_cells=sudoku_puzzles.FEW_EMPTY_CELLS),
    ),
    "direct_gsm8k": partial(_problem, sample_problem=word_problems.sample_problem, is_direct=True),
    "direct_math500": partial(_problem, sample_problem=equations.sample_problem, is_direct=True),
}
"""Kind of text -> function that samples one."""

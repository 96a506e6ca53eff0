import itertools
import random
from fractions import Fraction

import pytest

from weft.benchmarks import find_scorer
from weft.data.examples import worked_example
from weft.data.tasks import TASKS, draw_problems, split_of
from weft.data.tasks.algebra import to_latex
from weft.data.tasks.countdown import solutions
from weft.data.tasks.sudoku import all_boards, count_completions
from weft.errors import DataError


def draw(task, split, count=60, seed=1):
    return list(itertools.islice(draw_problems(TASKS[task], split=split, seed=seed), count))


@pytest.mark.parametrize("task", TASKS)
def test_train_and_test_share_no_key_and_no_question(task):
    train, test = draw(task, "train"), draw(task, "test")
    assert not {p.key for p in train} & {p.key for p in test}
    assert not {p.question for p in train} & {p.question for p in test}
    assert all(split_of(task, p.key) == "test" for p in test)


@pytest.mark.parametrize("task", TASKS)
def test_the_same_seed_gives_the_same_problems(task):
    assert draw(task, "train", 20) == draw(task, "train", 20)
    assert draw(task, "train", 20) != draw(task, "train", 20, seed=2)


@pytest.mark.parametrize("task", TASKS)
def test_worked_answers_are_judged_correct_by_the_benchmarks_own_rules(task):
    for problem in draw(task, "train"):
        answer = worked_example(problem).answer.removeprefix("<reasoning>")
        score = find_scorer(task, "d1")(answer, question=problem.question, reference=problem.reference)
        assert score.verdict == "correct", (problem, score)


@pytest.mark.parametrize("task", ["countdown", "gsm8k"])
def test_every_step_of_the_working_is_true(task):
    for problem in draw(task, "train"):
        for step in problem.working.split(", "):
            left, right = step.split("=")
            assert find_scorer("countdown", "d1")(
                rf"\boxed{{{left}}}", question="", reference=[numbers(left), int(right)]
            ).credit, step


def numbers(expression):
    return [int(n) for n in expression.replace("+", " ").replace("-", " ").replace("*", " ").split()]


def test_there_are_288_boards_and_every_puzzle_has_one_completion():
    assert len(all_boards()) == 288
    assert all(count_completions(problem.key) == 1 for problem in draw("sudoku", "train", 20))


def test_countdown_solutions_by_hand():
    assert solutions((1, 2, 3))[9] == ("2+1=3, 3*3=9", "(2+1)*3")
    assert solutions((2, 2, 2))[8] == ("2+2=4, 4*2=8", "(2+2)*2")


@pytest.mark.parametrize(
    ("value", "text"), [(Fraction(4), "4"), (Fraction(-3), "-3"), (Fraction(-4, 6), r"-\frac{2}{3}")]
)
def test_fractions_in_the_form_of_math(value, text):
    assert to_latex(value) == text


def test_an_exhausted_task_says_so():
    def always_the_same(rng):
        return TASKS["sudoku"](random.Random(0))

    stream = draw_problems(always_the_same, split=split_of("sudoku", always_the_same(None).key), seed=1)
    next(stream)
    with pytest.raises(DataError, match="at most 1 different sudoku problems"):
        next(stream)

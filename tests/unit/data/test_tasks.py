import hashlib
import itertools
import random
from collections import Counter
from fractions import Fraction

import pytest

from weft.benchmarks import find_scorer
from weft.benchmarks.sudoku_boards import find_completions
from weft.data.tasks import TASKS, draw_problems, find_generator, split_of
from weft.data.tasks.countdown_problems import find_solutions
from weft.data.tasks.equations import to_latex
from weft.data.tasks.examples import generate_examples, generate_mixture, join_answer, make_example
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
def test_generated_answers_are_correct_by_the_scorer_of_the_benchmark(task):
    for problem in draw(task, "train"):
        answer = make_example(problem).answer.removeprefix("<reasoning>")
        score = find_scorer(task, "d1")(answer, question=problem.question, reference=problem.reference)
        assert score.verdict == "correct", (problem, score)


@pytest.mark.parametrize("task", ["countdown", "gsm8k"])
def test_every_step_of_a_rationale_is_true(task):
    for problem in draw(task, "train"):
        for step in problem.rationale.split(", "):
            left, right = step.split("=")
            assert find_scorer("countdown", "d1")(
                rf"\boxed{{{left}}}", question="", reference=[numbers(left), int(right)]
            ).credit, step


def numbers(expression):
    return [int(n) for n in expression.replace("+", " ").replace("-", " ").replace("*", " ").split()]


def test_a_generated_puzzle_has_exactly_one_completion():
    assert all(len(find_completions(problem.key)) == 1 for problem in draw("sudoku", "train", 20))


def test_countdown_solutions_by_hand():
    assert find_solutions((1, 2, 3))[9] == ("2+1=3, 3*3=9", "(2+1)*3")
    assert find_solutions((2, 2, 2))[8] == ("2+2=4, 4*2=8", "(2+2)*2")


@pytest.mark.parametrize(
    ("value", "text"), [(Fraction(4), "4"), (Fraction(-3), "-3"), (Fraction(-4, 6), r"-\frac{2}{3}")]
)
def test_fractions_in_the_form_of_math(value, text):
    assert to_latex(value) == text


def test_a_benchmark_without_a_generator_is_an_error():
    with pytest.raises(DataError, match=r"must be one of \['countdown', .*got 'boolq'"):
        find_generator("boolq")


def test_an_exhausted_task_is_an_error():
    def always_the_same(rng):
        return TASKS["sudoku"](random.Random(0))

    stream = draw_problems(always_the_same, split=split_of("sudoku", always_the_same(None).key), seed=1)
    next(stream)
    with pytest.raises(DataError, match="sudoku generator has at most 1 different"):
        next(stream)


def test_generated_examples_are_distinct_and_have_the_layout_of_the_paper():
    examples = generate_examples({"sudoku": 5, "gsm8k": 7}, seed=1)
    assert Counter(example.source for example in examples) == {"generated/sudoku": 5, "generated/gsm8k": 7}
    assert len({example.question for example in examples}) == 12
    assert join_answer("1+1=2", "2") == "<reasoning>1+1=2</reasoning>\n<answer>2</answer>"


def test_a_mixture_follows_its_shares():
    shares = {"sudoku": 3.0, "gsm8k": 1.0}
    examples = list(generate_mixture(shares, rationale_share=0.0, num_examples=400, seed=1))
    assert all(example.answer.startswith("<reasoning></reasoning>") for example in examples)
    assert 250 < sum("sudoku" in example.source for example in examples) < 350


def test_generated_texts_and_ids_stay_the_same():
    """The shipped base model was trained on these texts; its tokenizer depends on every byte of them."""
    shares = {"sudoku": 1.0, "countdown": 1.2, "gsm8k": 1.0, "math500": 0.8}
    examples = generate_mixture(shares, rationale_share=0.5, num_examples=1000, seed=7)
    text = "".join(example.as_line() for example in examples)
    assert (
        hashlib.sha256(text.encode()).hexdigest()
        == "12d189bc69af4e449deb76508d668bf4dcc587d149f64ec8d4b41f08847a5129"
    )

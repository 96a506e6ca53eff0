import itertools
import random
import re
from collections import Counter

import pytest

from weft.benchmarks import find_scorer
from weft.benchmarks.arithmetic import evaluate_exactly
from weft.benchmarks.sudoku_boards import find_completions
from weft.data.tasks import (
    TASKS,
    countdown_problems,
    draw_problems,
    equations,
    find_generator,
    split_of,
    sudoku_puzzles,
    word_problems,
)
from weft.data.tasks.arithmetic import (
    LARGEST_OPERAND,
    LARGEST_VALUE,
    calculate,
    is_step,
    sample_step,
    split_step,
    write_check,
)
from weft.data.tasks.examples import digest_generators, generate_examples, make_example
from weft.data.tasks.parts import MOST_REMARK_WORDS, PARTS, sample_text
from weft.data.tasks.problem import Problem, join_answer
from weft.errors import DataError

LONGEST_WORKED_PART = 2
"""Steps of the longest chain in the texts of pretraining; fine-tuning has three."""


def draw(task, split, count=60, seed=1):
    return list(itertools.islice(draw_problems(TASKS[task], split=split, seed=seed), count))


def texts(part, count=200):
    rng = random.Random(5)
    return [sample_text(part, rng) for _ in range(count)]


def lines_of(body):
    """Return the lines between the reasoning tags of an answer, or all lines of a document."""
    return [line for line in body.split("</reasoning>")[0].removeprefix("<reasoning>").split("\n") if line]


@pytest.mark.parametrize("task", TASKS)
def test_the_splits_share_no_key_and_no_question(task):
    splits = [draw(task, split) for split in ("train", "validation", "test")]
    for first, second in itertools.combinations(splits, 2):
        assert not {p.key for p in first} & {p.key for p in second}
        assert not {p.question for p in first} & {p.question for p in second}
    assert [{split_of(task, p.key) == "train" for p in split} for split in splits] == [
        {True},
        {False},
        {False},
    ]


def reorder(problem):
    """Return the orders of the numbers of a Countdown problem or a story that lead to the same result."""
    if problem.benchmark == "countdown":
        numbers, target = problem.reference
        for order in itertools.permutations(numbers):
            if any(calculate(order[0], sign, order[1]) + sum(order[2:]) == target for sign in "+-*"):
                yield order, target
    else:
        steps = [split_step(step) for step in problem.rationale.split("\n")]
        terms = [("+", steps[0][0]), *((operation, operand) for _, operation, operand in steps)]
        for order in itertools.permutations(terms):
            value = 0
            for operation, operand in order:
                value = calculate(value, operation, operand)
            if value == problem.reference:
                yield order


@pytest.mark.parametrize(
    ("task", "num_train", "num_test"), [("countdown", 3000, 1800), ("gsm8k", 3000, 1000)]
)
def test_no_test_question_is_a_training_question_in_another_order(task, num_train, num_test):
    """More problems than any experiment uses, most of the test problems of Countdown, and all orders."""
    train = {order for problem in draw(task, "train", num_train) for order in reorder(problem)}
    test = {order for problem in draw(task, "test", num_test) for order in reorder(problem)}
    assert len(train) > 2 * num_train
    assert not train & test


def test_either_operation_of_a_countdown_problem_is_possible_and_about_equally_frequent():
    signs = Counter()
    for problem in draw("countdown", "train", 900):
        (first, second, *others), _ = problem.reference
        operation = split_step(problem.rationale.split("\n")[-1])[1]
        signs[first > LARGEST_OPERAND, operation] += 1
        other = next(sign for sign in ("+-" if first > LARGEST_OPERAND else "+*") if sign != operation)
        result = calculate(first, other, second)
        assert 1 <= result <= LARGEST_VALUE
        assert result != calculate(first, operation, second)
        assert result + sum(others[:-1]) <= LARGEST_VALUE
    assert set(signs) == {(True, "+"), (True, "-"), (False, "+"), (False, "*")}
    assert max(signs[True, "+"], signs[True, "-"]) < 0.6 * (signs[True, "+"] + signs[True, "-"])
    assert max(signs[False, "+"], signs[False, "*"]) < 0.65 * (signs[False, "+"] + signs[False, "*"])


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


@pytest.mark.parametrize("task", ["countdown", "gsm8k", "math500"])
def test_a_rationale_has_three_true_steps(task):
    for problem in draw(task, "train"):
        steps = problem.rationale.split("\n")
        assert len(steps) == LONGEST_WORKED_PART + 1
        assert all(is_true(step) for step in steps), problem


def is_true(step):
    left, right = step.split("=")
    operation = next(sign for sign in "+-*/" if sign in left)
    a, b = map(int, left.split(operation))
    return {"+": a + b, "-": a - b, "*": a * b, "/": a / b}[operation] == int(right)


@pytest.fixture(scope="module")
def all_steps():
    rng = random.Random(3)
    return {sample_step(rng) for _ in range(40_000)}


def test_steps_are_true_and_few_enough_to_learn_by_heart(all_steps):
    assert all(is_true(step) for step in all_steps)
    assert 600 < len(all_steps) < 750


def test_is_step_describes_the_sampled_steps(all_steps):
    described = {
        (left, operation, right)
        for left, operation, right in itertools.product(range(-1, 45), "+-*/", range(-1, 12))
        if is_step(left, operation, right)
    }
    assert described == {split_step(step) for step in all_steps}


@pytest.mark.parametrize("sample", [equations.sample_two_steps, equations.sample_problem])
def test_each_step_of_an_equation_continues_with_the_last_result_and_is_known(sample, all_steps):
    rng = random.Random(4)
    for problem in (sample(rng) for _ in range(300)):
        steps = lines_of(problem.rationale)
        assert set(steps) <= all_steps
        assert [split_step(step)[0] for step in steps[1:]] == [int(s.split("=")[1]) for s in steps[:-1]]
        assert problem.question.endswith(f"={split_step(steps[0])[0]}")


@pytest.mark.parametrize(
    "sample", [equations.sample_one_step, equations.sample_two_steps, equations.sample_problem]
)
def test_the_solution_satisfies_the_equation(sample):
    rng = random.Random(5)
    for problem in (sample(rng) for _ in range(300)):
        left, right = problem.question.removeprefix("Solve ").split("=")
        with_signs = re.sub(r"(\d)(?=[x(])", r"\1*", left)
        assert evaluate_exactly(with_signs.replace("x", problem.reference)) == int(right), problem


@pytest.mark.parametrize(
    ("step", "check"),
    [
        ("12+5=17", "17-5=12"), ("9-4=5", "5+4=9"), ("14*2=28", "28/2=14"), ("24/3=8", "8*3=24"),
        ("3*7=21", "7*3=21"), ("9*5=45", "5*9=45"),
    ],
)  # fmt: skip
def test_a_step_is_checked_by_a_step_that_the_base_model_knows(step, check, all_steps):
    assert write_check(step) == check
    assert check in all_steps


@pytest.mark.parametrize("task", TASKS)
def test_checked_answers_are_longer_and_have_the_same_questions_and_results(task):
    short, long = (generate_examples({task: 30}, seed=1, is_checked=checked) for checked in (False, True))
    assert [example.question for example in short] == [example.question for example in long]
    for first, second in zip(short, long, strict=True):
        assert first.answer.split("<answer>")[1] == second.answer.split("<answer>")[1]
        lines, longer = lines_of(first.answer), lines_of(second.answer)
        assert longer[::2] == (lines or longer)
        assert all(is_true(step) for step in longer if task != "sudoku")
        assert len(longer) == (2 * len(lines) or 1)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("examples.write_check", lambda step: step),
        ("word_problems.LARGEST_VALUE", 20),
        ("problem.TEST_SHARE", 0.3),
    ],
)
def test_the_digest_of_the_generators_changes_with_what_they_make(name, value, monkeypatch):
    compute = digest_generators.__wrapped__  # without the cache
    before = compute()
    assert compute() == before
    monkeypatch.setattr(f"weft.data.tasks.{name}", value)
    assert compute() != before


def test_a_division_with_a_remainder_is_an_error():
    with pytest.raises(ValueError, match="must be exact, got 7/2"):
        calculate(7, "/", 2)


def test_a_generated_puzzle_has_exactly_one_completion():
    assert all(len(find_completions(problem.key)) == 1 for problem in draw("sudoku", "train", 20))


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


@pytest.mark.parametrize("part", PARTS)
def test_pretraining_contains_no_chain_of_fine_tuning(part):
    """A worked answer of pretraining has at most two steps that depend on each other."""
    for text in texts(part):
        if text.has_separate_lines:
            continue
        steps = lines_of(text.body)
        if part == "story_expressions":
            assert len(steps) == 1, text
            assert "=" not in steps[0], "operations without any result"
            continue
        is_list = text.question.startswith("Compute ")  # these steps stand in the question
        assert is_list or len(steps) <= LONGEST_WORKED_PART, text
        assert all(is_true(step) for step in steps)
        assert not (part.startswith("direct") and steps)


@pytest.fixture
def made(monkeypatch):
    """All problems that the generators make, also those that are rejected later."""
    problems = []

    def record(**fields):
        problems.append(Problem(**fields))
        return problems[-1]

    for module in (countdown_problems, equations, sudoku_puzzles, word_problems):
        monkeypatch.setattr(module, "Problem", record)
    return problems


def splits_of_texts(part, made, *split):
    """Return the splits of the problems that are in texts; the last one made for a text is not rejected."""
    rng, splits = random.Random(6), set()
    for _ in range(100):
        made.clear()
        sample_text(part, rng, *split)
        splits |= {split_of(problem.benchmark, problem.key) for problem in made[-1:]}
    return splits


@pytest.mark.parametrize("part", PARTS)
def test_the_problems_of_pretraining_are_of_the_training_split(part, made):
    has_problems = part not in ("steps", "boards", "copies", "sheets", "linked_sheets")
    assert splits_of_texts(part, made) == ({"train"} if has_problems else set())
    assert splits_of_texts(part, made, "test") == ({"test"} if has_problems else set()), "the test can fail"


def test_at_most_two_steps_of_a_sheet_depend_on_each_other():
    for text in texts("linked_sheets"):
        *unrelated, linked = text.question.removeprefix("Compute ").removesuffix(".").split(", ")
        assert [part[:2] for part in unrelated] == ["A=", "B="]
        assert sum(name in linked for name in "AB") == 1
        results = [line.split("=")[1] for line in lines_of(text.body)]
        written = linked.replace("A", results[0]).replace("B", results[1])
        assert lines_of(text.body)[2] == f"{written}={results[2]}"


def test_remarks_vary_the_distance_between_question_and_answer():
    remarks = [text.remark for text in texts("three_numbers")]
    assert {len(remark.split()) for remark in remarks} == set(range(MOST_REMARK_WORDS + 1))
    assert not any(character.isdigit() for remark in remarks for character in remark)
    assert not any(text.remark for text in texts("steps")), "a document has no question"


@pytest.mark.parametrize("part", PARTS)
def test_the_texts_of_a_part_depend_on_the_random_numbers_only(part):
    assert texts(part, 20) == texts(part, 20)
    assert len({text.body for text in texts(part, 20)}) > 1

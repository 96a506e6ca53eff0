"""Training examples made from generated problems."""

import itertools
import random
from collections.abc import Iterator, Mapping

from weft.config.sources import Task
from weft.data.tasks import TASKS
from weft.data.tasks.problem import Problem, draw_problems
from weft.records import Example


def join_answer(rationale: str, answer: str) -> str:
    """Return rationale and final answer between the tags that the paper uses."""
    return f"<reasoning>{rationale}</reasoning>\n<answer>{answer}</answer>"


def chain_of_thought(problem: Problem) -> Example:
    """Return a problem as an example with its rationale."""
    return Example(
        example_id=problem.example_id,
        question=problem.question,
        answer=join_answer(problem.rationale, problem.answer),
        source=f"generated/{problem.benchmark}",
    )


def direct_answer(problem: Problem) -> Example:
    """Return a problem as an example with an empty rationale."""
    return Example(
        example_id=problem.example_id,
        question=problem.question,
        answer=join_answer("", problem.answer),
        source=f"generated/{problem.benchmark}/terse",
    )


def generate_mixture(
    shares: Mapping[Task, float], *, rationale_share: float, num_examples: int, seed: int
) -> Iterator[Example]:
    """Generate training examples of several tasks. A question may occur more than once.

    Args:
        shares: task -> share of the examples; any positive numbers.
        rationale_share: probability that an example has its rationale.
        num_examples: number of examples.
        seed: seed of problems, order and rationales.

    Yields:
        The examples.
    """
    rng = random.Random(seed)
    streams = {
        task: draw_problems(TASKS[task], split="train", seed=rng.randrange(2**32), distinct=False)
        for task in shares
    }
    for task in rng.choices(list(shares), weights=list(shares.values()), k=num_examples):
        make_example = chain_of_thought if rng.random() < rationale_share else direct_answer
        yield make_example(next(streams[task]))


def generate_examples(counts: Mapping[Task, int], *, seed: int) -> list[Example]:
    """Generate distinct training examples with rationales, shuffled.

    Args:
        counts: task -> number of examples.
        seed: seed of problems and order.
    """
    examples = [
        chain_of_thought(problem)
        for task, count in counts.items()
        for problem in itertools.islice(draw_problems(TASKS[task], split="train", seed=seed), count)
    ]
    random.Random(seed).shuffle(examples)
    return examples

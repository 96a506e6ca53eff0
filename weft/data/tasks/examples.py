"""Training examples with generated problems."""

import itertools
import random
from collections.abc import Iterator, Mapping

from weft.config.sources import Task
from weft.data.tasks import find_generator
from weft.data.tasks.problem import Problem, draw_problems
from weft.records import Example


def join_answer(rationale: str, answer: str) -> str:
    """Return rationale and final answer between the tags that the paper uses."""
    return f"<reasoning>{rationale}</reasoning>\n<answer>{answer}</answer>"


def make_example(problem: Problem, *, has_rationale: bool = True) -> Example:
    """Return a problem as a training example with its rationale or with an empty rationale."""
    source = f"generated/{problem.benchmark}"
    return Example(
        example_id=problem.example_id,
        question=problem.question,
        answer=join_answer(problem.rationale if has_rationale else "", problem.answer),
        source=source if has_rationale else f"{source}/terse",
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
        task: draw_problems(find_generator(task), split="train", seed=rng.randrange(2**32), distinct=False)
        for task in shares
    }
    for task in rng.choices(list(shares), weights=list(shares.values()), k=num_examples):
        has_rationale = rng.random() < rationale_share
        yield make_example(next(streams[task]), has_rationale=has_rationale)


def generate_examples(counts: Mapping[Task, int], *, seed: int) -> list[Example]:
    """Generate distinct training examples with rationales in random order; ``counts`` gives their number."""
    examples = [
        make_example(problem)
        for task, count in counts.items()
        for problem in itertools.islice(draw_problems(find_generator(task), split="train", seed=seed), count)
    ]
    random.Random(seed).shuffle(examples)
    return examples

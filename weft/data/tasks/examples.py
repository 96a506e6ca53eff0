"""Training examples with generated problems."""

import itertools
import random
from collections.abc import Mapping

from weft.config.sources import Task
from weft.data.tasks import find_generator
from weft.data.tasks.problem import Problem, draw_problems, join_answer
from weft.records import Example


def make_example(problem: Problem) -> Example:
    """Return a problem with its rationale as a training example."""
    return Example(
        example_id=problem.example_id,
        question=problem.question,
        answer=join_answer(problem.rationale, problem.answer),
        source=f"generated/{problem.benchmark}",
    )


def generate_examples(counts: Mapping[Task, int], *, seed: int) -> list[Example]:
    """Generate distinct training examples in random order; ``counts`` gives their number for each task."""
    examples = [
        make_example(problem)
        for task, count in counts.items()
        for problem in itertools.islice(draw_problems(find_generator(task), split="train", seed=seed), count)
    ]
    random.Random(seed).shuffle(examples)
    return examples

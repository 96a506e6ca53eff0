"""Training examples with generated problems."""

import functools
import hashlib
import itertools
import random
from collections.abc import Mapping
from dataclasses import asdict

from weft.config.sources import Task
from weft.data.tasks import TASKS, find_generator
from weft.data.tasks.arithmetic import write_check
from weft.data.tasks.problem import SPLITS, Problem, canonical, draw_problems, join_answer
from weft.records import Example

DIGEST_PROBLEMS = 100
"""Problems of each generator and split from which the digest of the generators is computed."""


def make_example(problem: Problem, *, is_checked: bool = False) -> Example:
    """Return a problem with its rationale, or with the longer one of `check_rationale`, as an example."""
    rationale = check_rationale(problem) if is_checked else problem.rationale
    return Example(
        example_id=problem.example_id,
        question=problem.question,
        answer=join_answer(rationale, problem.answer),
        source=f"generated/{problem.benchmark}",
    )


def check_rationale(problem: Problem) -> str:
    """Return a rationale in which each step is followed by a check (`write_check`).

    A problem without steps gets its answer as rationale, so that the answer is written twice.
    """
    if not problem.rationale:
        return problem.answer
    steps = problem.rationale.split("\n")
    return "\n".join(line for step in steps for line in (step, write_check(step)))


def generate_examples(counts: Mapping[Task, int], *, seed: int, is_checked: bool = False) -> list[Example]:
    """Generate distinct training examples in random order.

    Args:
        counts: task -> number of examples.
        seed: seed of problems and order.
        is_checked: check each step of a rationale, see `check_rationale`; the problems stay the same.

    Returns:
        The examples.
    """
    examples = [
        make_example(problem, is_checked=is_checked)
        for task, count in counts.items()
        for problem in itertools.islice(draw_problems(find_generator(task), split="train", seed=seed), count)
    ]
    random.Random(seed).shuffle(examples)
    return examples


@functools.cache
def digest_generators() -> str:
    """Return a digest of what the generators make from a fixed seed.

    It changes if other problems, answers or splits are generated, and not if only the source code changes.
    """
    problems = [
        (asdict(problem), check_rationale(problem))
        for sample_problem in TASKS.values()
        for split in SPLITS
        for problem in itertools.islice(draw_problems(sample_problem, split=split, seed=0), DIGEST_PROBLEMS)
    ]
    return hashlib.sha256(canonical(problems).encode()).hexdigest()[:16]

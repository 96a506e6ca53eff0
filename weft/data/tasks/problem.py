"""Generated problems, and their division into training, validation and test problems.

The *key* of a problem is its mathematical content without names or wording. The *unordered key* is the same
for all problems with the same numbers and the same result in any order. A hash of a key assigns it to a
split. The unordered key decides in which split a problem may be used, so that no test question is a training
question in another order, whatever the seeds and the sizes. The key decides whether a problem may be used in
pretraining; validation and test problems may not.
"""

import hashlib
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

from weft.errors import DataError
from weft.records.ids import question_id

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)

TEST_SHARE = 0.25
"""Share of the keys that are reserved for testing."""
VALIDATION_SHARE = 0.1
"""Share of the keys on which settings are chosen and learning curves are measured."""

MAX_REJECTIONS = 10_000
"""Number of consecutive rejected samples after which a task counts as exhausted."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A question with its reference answer and a rationale.

    Attributes:
        benchmark: name of the benchmark that scores the answers.
        key: mathematical content; decides whether the problem is used in pretraining.
        unordered_key: the same for all orders of the numbers with the same result; decides the split.
        question: text of the user's turn.
        reference: right answer in the form that the scorer expects, d1's ``ground_truth``.
        rationale: worked solution without tags, a line per step.
        answer: final answer, without tags.
    """

    benchmark: str
    key: str
    unordered_key: str
    question: str
    reference: Any
    rationale: str
    answer: str

    @property
    def example_id(self) -> str:
        """Id of the question."""
        return question_id(self.benchmark, self.question)


def split_of(benchmark: str, key: str) -> Split:
    """Return the split that a key belongs to."""
    digest = hashlib.sha256(f"{benchmark}|{key}".encode()).digest()
    place = int.from_bytes(digest[:4]) / 2**32
    if place < TEST_SHARE:
        return "test"
    return "validation" if place < TEST_SHARE + VALIDATION_SHARE else "train"


def sample_of_split(
    sample_problem: Callable[[random.Random], Problem], split: Split, rng: random.Random
) -> Problem:
    """Sample a problem that belongs to a split by its key."""
    while True:
        problem = sample_problem(rng)
        if split_of(problem.benchmark, problem.key) == split:
            return problem


def is_of_split(problem: Problem, split: Split) -> bool:
    """Return whether a problem may be used in a split: by its unordered key, and by its use in pretraining.

    Pretraining uses problems whose key belongs to training. A training problem may be among them; a
    validation or test problem must not.
    """
    is_pretrained = split_of(problem.benchmark, problem.key) == "train"
    return split_of(problem.benchmark, problem.unordered_key) == split and is_pretrained == (split == "train")


def draw_problems(
    sample_problem: Callable[[random.Random], Problem], *, split: Split, seed: int
) -> Iterator[Problem]:
    """Yield different random problems of a split (`is_of_split`) in a sequence that depends on the seed.

    Other problems and repeated questions are rejected. A DataError is raised after more than
    `MAX_REJECTIONS` rejections in a row.
    """
    rng = random.Random(f"{seed}/{split}")
    seen: set[str] = set()
    num_rejected = 0
    while True:
        problem = sample_problem(rng)
        if not is_of_split(problem, split) or problem.question in seen:
            num_rejected += 1
            if num_rejected > MAX_REJECTIONS:
                raise DataError(
                    f"the {problem.benchmark} generator has at most {len(seen)} different problems for the "
                    f"{split} split; reduce their number in the experiment file"
                )
            continue
        num_rejected = 0
        seen.add(problem.question)
        yield problem


def join_answer(rationale: str, answer: str) -> str:
    """Return rationale and final answer between the tags that the paper uses."""
    return f"<reasoning>{rationale}</reasoning>\n<answer>{answer}</answer>"


def canonical(value: object) -> str:
    """Return a value as compact JSON, for use as a key."""
    return json.dumps(value, separators=(",", ":"), sort_keys=True)

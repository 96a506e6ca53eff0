"""What a generated task hands out, and how train and test are kept apart.

A problem has a *key*, its mathematical content without names, order or wording.  The key alone
decides, through a hash, whether the problem may serve for testing or for training.  Train and test
are therefore disjoint by construction, whatever the seeds and sizes, also for data generated later.
"""

import hashlib
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from weft.errors import DataError

Split = Literal["train", "test"]

TEST_SHARE = 0.2
"""Share of all keys that is kept for testing (no unit)."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One question with its reference answer and a worked solution.

    Attributes:
        benchmark: name of the benchmark whose rules score it.
        key: the mathematical content; decides the split.
        question: text of the user's turn.
        reference: what the scorer compares with, in the form of d1's ``ground_truth``.
        working: the worked reasoning, without tags.
        answer: the final answer, without tags.
    """

    benchmark: str
    key: str
    question: str
    reference: Any
    working: str
    answer: str

    @property
    def example_id(self) -> str:
        """Sixteen hex digits that name this question, equal in every run."""
        return question_id(self.benchmark, self.question)


def question_id(benchmark: str, question: str) -> str:
    """Name a question of a benchmark by sixteen hex digits."""
    return hashlib.sha256(f"{benchmark}\n{question}".encode()).hexdigest()[:16]


def split_of(benchmark: str, key: str) -> Split:
    """Say whether a key belongs to the training or to the test side."""
    digest = hashlib.sha256(f"{benchmark}|{key}".encode()).digest()
    return "test" if int.from_bytes(digest[:4]) / 2**32 < TEST_SHARE else "train"


def draw_problems(
    propose: Callable[[random.Random], Problem], *, split: Split, seed: int, distinct: bool = True
) -> Iterator[Problem]:
    """Yield problems of one split, without end.

    Args:
        propose: makes one random problem of any split.
        split: which side of the hash to keep.
        seed: seed of the stream; equal seeds give equal streams.
        distinct: give every question at most once.

    Yields:
        Problems of the split.

    Raises:
        DataError: ten thousand proposals in a row brought nothing new, so the task is exhausted.
    """
    rng = random.Random(f"{seed}/{split}")
    seen: set[str] = set()
    idle = 0
    while True:
        problem = propose(rng)
        fresh = split_of(problem.benchmark, problem.key) == split and problem.question not in seen
        idle = 0 if fresh else idle + 1
        if idle > 10_000:
            raise DataError(
                f"at most {len(seen)} different {problem.benchmark} problems can be drawn for the {split} "
                "side; ask for fewer of them in the experiment file"
            )
        if not fresh:
            continue
        if distinct:
            seen.add(problem.question)
        yield problem


def canonical(value: Any) -> str:
    """Write a key as compact JSON."""
    return json.dumps(value, separators=(",", ":"), sort_keys=True)

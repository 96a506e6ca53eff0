"""Generated problems, and their division into training and test problems.

The *key* of a problem is its mathematical content without names, order or wording. A hash of the key
assigns the problem to training or to testing. The two splits are therefore disjoint for all seeds and
sizes, even if more data are generated later.
"""

import hashlib
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from weft.errors import DataError
from weft.records.ids import question_id

Split = Literal["train", "test"]

TEST_SHARE = 0.2
"""Share of the keys that are reserved for testing."""

MAX_REJECTIONS = 10_000
"""Number of consecutive rejected samples after which a task counts as exhausted."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A question with its reference answer and a rationale.

    Attributes:
        benchmark: name of the benchmark that scores the answers.
        key: mathematical content; determines the split.
        question: text of the user's turn.
        reference: right answer in the form that the scorer expects, d1's ``ground_truth``.
        rationale: worked solution, without tags.
        answer: final answer, without tags.
    """

    benchmark: str
    key: str
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
    return "test" if int.from_bytes(digest[:4]) / 2**32 < TEST_SHARE else "train"


def draw_problems(
    sample_problem: Callable[[random.Random], Problem], *, split: Split, seed: int, distinct: bool = True
) -> Iterator[Problem]:
    """Yield random problems of a split in an endless sequence that depends on the seed.

    Problems of the other split and, if ``distinct``, repeated questions are rejected. A DataError is raised
    after more than `MAX_REJECTIONS` rejections in a row.
    """
    rng = random.Random(f"{seed}/{split}")
    seen: set[str] = set()
    num_rejected = 0
    while True:
        problem = sample_problem(rng)
        if split_of(problem.benchmark, problem.key) != split or problem.question in seen:
            num_rejected += 1
            if num_rejected > MAX_REJECTIONS:
                raise DataError(
                    f"the {problem.benchmark} generator has at most {len(seen)} different problems for the "
                    f"{split} split; reduce their number in the experiment file"
                )
            continue
        num_rejected = 0
        if distinct:
            seen.add(problem.question)
        yield problem


def canonical(value: object) -> str:
    """Return a value as compact JSON, for use as a key."""
    return json.dumps(value, separators=(",", ":"), sort_keys=True)

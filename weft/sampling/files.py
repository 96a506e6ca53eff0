"""The files of a sampling job: test questions to read, generations to write.

A running job appends generations to a hidden file in the folder of the output, the store, in the order in
which they are finished. When all are finished, it writes the output in the order of the questions. The store
is kept, because Snakemake deletes the output before it runs the job again; it is replaced by the store of the
next settings that are finished.
"""

from collections.abc import Sequence
from pathlib import Path

from weft.benchmarks import SCORERS
from weft.benchmarks.references import find_problem
from weft.errors import SamplingError
from weft.layout import answer_store, answer_stores
from weft.records import Generation, Question
from weft.records.files import (
    MAKE_AGAIN,
    LineAppender,
    numbered_lines,
    parse_record,
    read_text,
    write_lines,
)


def read_questions(path: Path) -> dict[str, Question]:
    """Read test questions by their ids, in file order; raise SamplingError if the file is not valid.

    Blank lines are skipped. The scorers of the benchmark must accept the references, because a reference in
    another form would be noticed only after all answers have been sampled.
    """
    questions: dict[str, Question] = {}
    text = read_text(path, error=SamplingError, remedy=MAKE_AGAIN)
    for place, line in numbered_lines(path, text):
        if not line.strip():
            continue
        question = parse_record(line, Question, place=place, error=SamplingError, remedy=MAKE_AGAIN)
        _check_reference(question, place)
        if question.example_id in questions:
            raise SamplingError(f"{place}: example_id must be unique, got {question.example_id!r} again")
        try:
            question.prompt.encode()
        except UnicodeEncodeError as error:
            raise SamplingError(
                f"{place}: prompt must be valid Unicode, got {error.object[error.start]!r} in "
                f"{question.example_id!r}; correct the file"
            ) from error
        questions[question.example_id] = question
    return questions


def _check_reference(question: Question, place: str) -> None:
    """Raise SamplingError if a scorer of the question's benchmark does not accept the reference."""
    for scorer in SCORERS.get(question.benchmark, {}).values():
        problem = find_problem(scorer, question=question.question, reference=question.reference)
        if problem is not None:
            raise SamplingError(f"{place}: {problem}")


class GenerationWriter(LineAppender[Generation]):
    """Append generations to the store of a job, and write its output at the end.

    Args:
        out: the file to write.
        digest: digest of everything that the generations depend on; part of the store's name.

    Attributes:
        done: generations of this job so far by example, including those of an interrupted run.
    """

    def __init__(self, out: Path, *, digest: str) -> None:
        super().__init__(answer_store(out, digest), Generation)
        self.out = out
        self.done = {generation.example_id: generation for generation in self.records}

    def append(self, record: Generation) -> None:
        """Write a generation and force it to disk."""
        assert record.example_id not in self.done, "run_job skips answered examples"
        super().append(record)
        self.done[record.example_id] = record

    def finish(self, order: Sequence[str]) -> None:
        """Write the output in the given order of examples, and remove the stores of other digests."""
        write_lines(self.out, [self.done[example_id] for example_id in order])
        for store in answer_stores(self.out):
            if store != self.path:
                store.unlink()

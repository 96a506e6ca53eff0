"""The files of a sampling job: test questions to read, generations to write.

A running job appends generations to a hidden file in the folder of the output, the store, in the order in
which they are finished. When all are finished, it writes the output in the order of the questions. The store
is kept, because Snakemake deletes the output before it runs the job again; it is replaced by the store of the
next settings that are finished.
"""

from collections.abc import Sequence
from pathlib import Path

from weft.errors import SamplingError
from weft.layout import answer_store, answer_stores
from weft.records import Generation, Question
from weft.records.files import LineAppender, read_lines, write_lines


def read_questions(path: Path) -> dict[str, Question]:
    """Read test questions by their ids, in file order; raise SamplingError if the file is not valid."""
    questions: dict[str, Question] = {}
    for question in read_lines(path, Question, error=SamplingError):
        if question.example_id in questions:
            raise SamplingError(f"{path}: example_id must be unique, got {question.example_id!r} again")
        try:
            question.prompt.encode()
        except UnicodeEncodeError as error:
            raise SamplingError(
                f"{path}: prompt must be valid Unicode, got {error.object[error.start]!r} in "
                f"{question.example_id!r}; correct the file"
            ) from error
        questions[question.example_id] = question
    return questions


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

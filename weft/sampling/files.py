"""The files of a sampling job: test questions to read, generations to write.

A running job appends generations to a hidden file in the folder of the output, the store, in the order in
which they are finished. When all are finished, it writes the output in the order of the questions. The store
is kept, because Snakemake deletes the output before it runs the job again; it is replaced by the store of the
next settings that are finished. Its name stands for settings and model. Answers in it to questions that are
asked no longer are kept as well, so that a change of the questions asks the new ones only.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from weft.benchmarks import SCORERS
from weft.benchmarks.references import find_problem
from weft.errors import SamplingError, show
from weft.layout import answer_store, answer_stores
from weft.provenance import digest, stored_digest
from weft.records import Generation, Question
from weft.records.files import (
    MAKE_AGAIN,
    LineAppender,
    numbered_lines,
    parse_record,
    read_text,
    write_lines,
)

MAX_ID_CHARACTERS = 200
"""Length of the longest id of a question; weft's own have 16 characters."""


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
        if not question.example_id.isprintable() or len(question.example_id) > MAX_ID_CHARACTERS:
            raise SamplingError(
                f"{place}: example_id must be a printable text of at most {MAX_ID_CHARACTERS} characters, "
                f"got {show(question.example_id)}; correct the file"
            )
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


def prompts_digest(questions: Path, *, attend_padding: bool) -> str:
    """Return a digest of what the prompts of a file have in common, such as the instruction.

    An answer depends on its own prompt, and on the other prompts only if padding is attended: the digest is
    then that of the whole file. The same holds if the prompts have nothing in common, because an answer is
    found by its question, whose prompt may have become that of another question.
    """
    rows = read_questions(questions).values()
    forms = {_form(row) for row in rows}
    return stored_digest(questions) if attend_padding or len(forms) > 1 else digest(sorted(forms))


def _form(row: Question) -> str:
    """Return the prompt of a question with a mark in place of its text, which comes last in weft's files."""
    if not row.question or row.question not in row.prompt:
        return row.prompt
    return "\0".join(row.prompt.rsplit(row.question, maxsplit=1))


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
        digest: digest of settings and model; part of the store's name.
        questions: the questions by example.

    Attributes:
        done: generations of these questions so far by example, including those of earlier jobs.
    """

    def __init__(self, out: Path, *, digest: str, questions: Mapping[str, Question]) -> None:
        super().__init__(answer_store(out, digest), Generation)
        self.out = out
        self.done = {
            generation.example_id: _with_reference(generation, questions[generation.example_id])
            for generation in self.records
            if _answers(generation, questions.get(generation.example_id))
        }

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


def _answers(generation: Generation, question: Question | None) -> bool:
    """Return True if a generation is the answer to a question; equal ids do not suffice in a user's files."""
    if question is None:
        return False
    return (generation.benchmark, generation.question) == (question.benchmark, question.question)


def _with_reference(generation: Generation, question: Question) -> Generation:
    """Return the generation with the reference of the question, which may have been corrected."""
    return generation.model_copy(update={"reference": question.reference})

"""The files of a sampling job: test questions to read, generations to write.

A running job appends generations to a hidden file in the folder of the output, the store, in the order in
which they are finished. When all are finished, it writes the output in the order of the questions. The store
is kept, because Snakemake deletes the output before it runs the job again; it is replaced by the store of the
next settings that are finished. Its name stands for settings and model. Answers in it to questions that are
asked no longer are kept as well, so that a change of the questions asks the new ones only.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from weft.benchmarks import SCORERS
from weft.benchmarks.references import find_problem
from weft.errors import SamplingError, show
from weft.layout import answer_store, answer_stores, provenance_file
from weft.provenance import digest, stored_digest
from weft.records import Generation, Question
from weft.records.files import (
    MAKE_AGAIN,
    LineAppender,
    move,
    numbered_lines,
    parse_record,
    read_text,
    write_lines,
)
from weft.sampling.stored import StoredAnswer, tokens_source

LOG = logging.getLogger(__name__)

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


class GenerationWriter(LineAppender[StoredAnswer]):
    """Append generations to the store of a job, and write its output at the end.

    Answers of an unfinished job are used only if the same code has computed them; the others stay in the
    store. Damaged lines, and answers without the right digest or that are not those of the job, are set
    aside; the answers behind them are used.

    Args:
        out: the file to write.
        digest: digest of settings and model; part of the store's name.
        questions: the questions by example.
        is_valid: tells whether a generation is one that the job makes.

    Attributes:
        done: generations of these questions so far by example, including those of earlier jobs.
    """

    def __init__(
        self,
        out: Path,
        *,
        digest: str,
        questions: Mapping[str, Question],
        is_valid: Callable[[Generation], bool],
    ) -> None:
        super().__init__(answer_store(out, digest), StoredAnswer)
        self.out, self.source = out, tokens_source()
        self._set_unsound_aside(is_valid)
        usable = [record for record in self.records if record.source in (None, self.source)]
        if len(usable) < len(self.records):
            LOG.warning(
                "%s: %d answers of an interrupted job are not used, because other code has computed them; "
                "their questions are asked again",
                self.path,
                len(self.records) - len(usable),
            )
        self.done = {
            record.example_id: _with_reference(record.answer(), questions[record.example_id])
            for record in usable
            if _answers(record, questions.get(record.example_id))
        }

    def append(self, record: Generation) -> None:
        """Write a generation and force it to disk."""
        assert record.example_id not in self.done, "run_job skips answered examples"
        super().append(StoredAnswer.seal(record, self.source))
        self.done[record.example_id] = record

    def finish(self, order: Sequence[str]) -> None:
        """Write the output in the given order of examples, and remove the stores of other digests.

        The store keeps all usable answers, also those to other questions, for later versions of weft as well.
        """
        generations = [self.done[example_id] for example_id in order]
        usable = [record.answer() for record in self.records if record.source in (None, self.source)]
        self._file.close()
        write_lines(self.path, [StoredAnswer.seal(generation, None) for generation in usable])
        write_lines(self.out, generations)
        _aside(self.path).unlink(missing_ok=True)
        for store in answer_stores(self.out):
            if store != self.path:
                store.unlink()

    def _set_unsound_aside(self, is_valid: Callable[[Generation], bool]) -> None:
        """Rename a store with unsound answers, and go on with a new one that has the sound answers."""
        # A store without any digest is that of an earlier version; it counts if its output was finished.
        is_old = all(record.check is None for record in self.records)
        is_old = is_old and provenance_file(self.out).exists()
        sound = [record for record in self.records if (is_old or record.is_intact) and is_valid(record)]
        total = len(self.records) + self.num_damaged
        if len(sound) == total:
            return
        LOG.warning(
            "%s: %d of %d answers are not those that this job has written; their questions are asked again, "
            "and the file is kept as %s until the job has ended",
            self.path,
            total - len(sound),
            total,
            _aside(self.path).name,
        )
        self._file.close()
        move(self.path, _aside(self.path))
        write_lines(self.path, sound)
        super().__init__(self.path, StoredAnswer)


def _aside(store: Path) -> Path:
    """Return the path to which a store with unsound answers is renamed."""
    return store.with_suffix(".damaged")


def _answers(generation: Generation, question: Question | None) -> bool:
    """Return True if a generation is the answer to a question; equal ids do not suffice in a user's files."""
    if question is None:
        return False
    return (generation.benchmark, generation.question) == (question.benchmark, question.question)


def _with_reference(generation: Generation, question: Question) -> Generation:
    """Return the generation with the reference of the question, which may have been corrected."""
    return generation.model_copy(update={"reference": question.reference})

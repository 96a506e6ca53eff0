"""Read the answers that belong to the scores, for the examples on the page and for the download."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from weft.benchmarks.generations import read_generations
from weft.config import Run
from weft.errors import ScoringError
from weft.records import Generation
from weft.report.score_files import SCORE_AGAIN, ScoreFile

FindFiles = Callable[[Run, str, int], Sequence[Path]]
"""Function from a run, a benchmark and a length to the paths of the files with the answers."""
Answers = Mapping[str, Generation]
"""Id of an example -> its answer."""
AnswerSource = Callable[[ScoreFile], Answers | None]
"""Function from a score file to the answers that it scores; None if their files do not exist."""


def answer_source(find_files: FindFiles) -> AnswerSource:
    """Return a function that reads the answers of a score file.

    Args:
        find_files: finds the files with the answers.

    Returns:
        The function. It raises a `ScoringError` if a file is malformed or lacks an answer that has a score.
    """

    def read(file: ScoreFile) -> Answers | None:
        paths = find_files(file.run, file.benchmark, file.gen_length)
        if not paths or not all(path.is_file() for path in paths):
            return None
        answers = {
            answer.example_id: answer for path in paths for answer in read_generations(path, file.benchmark)
        }
        missing = next((name for name in file.columns.example_ids if name not in answers), None)
        if missing is not None:
            raise ScoringError(
                f"{paths[0]}: expected an answer to example {missing!r}, which has a score, got none; "
                f"{SCORE_AGAIN}"
            )
        return answers

    return read

"""Read score files as arrays, since a report has millions of scores and needs few of their fields.

Arrow parses a whole file at once. A file that it does not accept, or that does not hold what is expected, is
read again line by line as records, which find the first error.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weft.config import Run
from weft.errors import ScoringError
from weft.records import ScoredExample, Verdict
from weft.records.base import MAX_COUNT
from weft.records.files import read_lines

SCORE_AGAIN = "score the answers again"
TEXTS, NUMBERS = ("example_id", "benchmark", "rules", "verdict", "reason"), ("credit", "weight")
"""Fields that every line of a score file has."""
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ScoreColumns:
    """The scores of a file, in file order.

    Attributes:
        example_ids: ids of the questions.
        credit: credit of each answer, from 0 to 1.
        weight: number of units of each question.
        is_correct: True where the verdict is correct.
        is_unscorable: True where the scorer has no verdict.
        details: name of a count beyond the verdict -> its values, NaN where an answer has none.
    """

    example_ids: tuple[str, ...]
    credit: Floats
    weight: Floats
    is_correct: NDArray[np.bool_]
    is_unscorable: NDArray[np.bool_]
    details: Mapping[str, Floats]

    @classmethod
    def of(cls, scores: Sequence[ScoredExample]) -> "ScoreColumns":
        """Return the columns of records."""
        names = dict.fromkeys(name for score in scores for name in score.details)
        return cls(
            example_ids=tuple(score.example_id for score in scores),
            credit=_floats(score.credit for score in scores),
            weight=_floats(score.weight for score in scores),
            is_correct=np.array([score.verdict is Verdict.CORRECT for score in scores], dtype=np.bool_),
            is_unscorable=np.array([score.verdict is Verdict.UNSCORABLE for score in scores], dtype=np.bool_),
            details={name: _floats(score.details.get(name) for score in scores) for name in names},
        )

    @property
    def accuracy(self) -> float:
        """Number of right units divided by the number of units."""
        num_units = self.weight.sum()
        return math.fsum(self.credit * self.weight) / float(num_units) if num_units else 0.0

    @property
    def verdicts(self) -> list[Verdict]:
        """Verdict on each answer."""
        return [
            Verdict.CORRECT if is_correct else Verdict.UNSCORABLE if is_unscorable else Verdict.WRONG
            for is_correct, is_unscorable in zip(self.is_correct, self.is_unscorable, strict=True)
        ]

    def __len__(self) -> int:
        return len(self.example_ids)


@dataclass(frozen=True)
class ScoreFile:
    """The scores of one run on one benchmark at one generation length.

    Attributes:
        run: the run.
        benchmark: name of the benchmark.
        gen_length: length of the answers, in tokens.
        scoring: name of the scoring rules of the experiment; a custom benchmark has the same scores under
            each of them.
        path: path of the file.
        columns: the scores, without texts.
    """

    run: Run
    benchmark: str
    gen_length: int
    scoring: str
    path: Path
    columns: ScoreColumns

    @property
    def scores(self) -> list[ScoredExample]:
        """The scores as records with all fields, read from the file each time."""
        return read_lines(self.path, ScoredExample, error=ScoringError, remedy=SCORE_AGAIN)


def read_score_columns(
    path: Path, *, benchmark: str, scoring: str, num_questions: int | None = None
) -> ScoreColumns:
    """Read a score file.

    Args:
        path: the file.
        benchmark: benchmark of all its scores.
        scoring: scoring rules of all its scores.
        num_questions: number of its scores, if it is known.

    Returns:
        The columns.

    Raises:
        ScoringError: the file is missing or malformed, has scores of another benchmark or scoring, lacks the
            score of a question, or has two of them.
    """
    columns = _parse(path, benchmark, scoring)
    if columns is None:
        scores = read_lines(path, ScoredExample, error=ScoringError, remedy=SCORE_AGAIN)
        _check_origin(scores, path, benchmark, scoring)
        columns = ScoreColumns.of(scores)
    ids = columns.example_ids
    if len(set(ids)) < len(ids):
        repeated = next(name for index, name in enumerate(ids) if name in ids[:index])
        raise ScoringError(
            f"{path}: every example must have exactly one score, got several of {repeated!r}; {SCORE_AGAIN}"
        )
    if not ids or num_questions not in (None, len(ids)):
        raise ScoringError(
            f"{path}: expected {num_questions or 'at least 1'} scores, got {len(ids)}; {SCORE_AGAIN}"
        )
    return columns


def _check_origin(scores: Sequence[ScoredExample], path: Path, benchmark: str, scoring: str) -> None:
    for number, score in enumerate(scores, start=1):
        if (score.benchmark, score.scoring) != (benchmark, scoring):
            raise ScoringError(
                f"{path}, line {number}: expected a score of {benchmark} by {scoring}, got one of "
                f"{score.benchmark} by {score.scoring}; {SCORE_AGAIN}"
            )


def _parse(path: Path, benchmark: str, scoring: str) -> ScoreColumns | None:
    """Parse a file with Arrow; return None unless it is exactly as expected."""
    import pyarrow as pa
    import pyarrow.json

    fields = [pa.field(name, pa.string()) for name in (*TEXTS, "extracted")]
    schema = pa.schema([*fields, pa.field("credit", pa.float64()), pa.field("weight", pa.int64())])
    try:
        content = path.read_bytes()
        table = pyarrow.json.read_json(
            pa.BufferReader(content),
            read_options=pyarrow.json.ReadOptions(use_threads=False),
            parse_options=pyarrow.json.ParseOptions(explicit_schema=schema),
        )
    except (OSError, pa.ArrowInvalid):
        return None
    num_lines = content.count(b"\n") + (not content.endswith(b"\n"))
    if table.num_rows != num_lines or "details" not in table.column_names:
        return None
    if any(table[name].null_count for name in (*TEXTS, *NUMBERS, "details")):
        return None
    if table["benchmark"].unique().to_pylist() != [benchmark] or table["rules"].unique().to_pylist() != [
        scoring
    ]:
        return None
    return _convert(table)


def _convert(table: Any) -> ScoreColumns | None:
    """Convert an Arrow table to columns; return None if a value is not allowed."""
    import pyarrow as pa

    credit = table["credit"].to_numpy()
    weight = table["weight"].to_numpy()
    verdict = table["verdict"].to_numpy()
    is_correct, is_unscorable = verdict == Verdict.CORRECT, verdict == Verdict.UNSCORABLE
    details = table["details"].combine_chunks()
    kinds = {field.type for field in details.type}
    is_allowed = (
        ((credit >= 0) & (credit <= 1)).all()
        and ((weight >= 0) & (weight <= MAX_COUNT)).all()
        and (is_correct | is_unscorable | (verdict == Verdict.WRONG)).all()
        and (is_correct == (credit == 1)).all()
        and not credit[is_unscorable].any()
        and kinds <= {pa.int64(), pa.bool_(), pa.null()}
    )
    if not is_allowed:
        return None
    counts = {
        field.name: column.cast(pa.int64()).cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        for field, column in zip(details.type, details.flatten(), strict=True)
    }
    if any((np.abs(values) > MAX_COUNT).any() for values in counts.values()):
        return None
    ids = tuple(table["example_id"].to_pylist())
    return ScoreColumns(ids, credit, weight.astype(np.float64), is_correct, is_unscorable, counts)


def _floats(values: Iterable[float | None]) -> Floats:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)

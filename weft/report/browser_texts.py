"""Collect the texts of the example browser, as many as fit into the page."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from weft.config import Run
from weft.records import Generation, ScoredExample
from weft.report.answer_files import AnswerSource
from weft.report.browser_data import SheetTexts, packed_size
from weft.report.examples import Comparison
from weft.report.score_files import ScoreFile
from weft.report.shown_text import cut_middle, printable, reference_text, shorten_tokens

LIMITS = (16_000, 8_000, 4_000, 3_000, 2_000, 1_500, 1_000, 500)
"""Numbers of characters to which longer texts may be cut; the largest is used that makes the first
comparison fit into the page."""
SHORT_SHARE = 4
"""Gold answers, extracted answers and reasons are cut to the limit divided by this number."""

QuestionKey = tuple[str, str]
"""Benchmark and id of a question."""
SheetKey = tuple[Run, int]
"""Run and length."""


@dataclass(frozen=True)
class Texts:
    """The texts that fit into the page.

    Attributes:
        limit: number of characters to which longer texts are cut.
        questions: text and gold answer of each question whose answers were read.
        sheets: texts of the runs' answers.
        num_missing: number of score files whose answers do not exist.
    """

    limit: int
    questions: dict[QuestionKey, tuple[str, str]] = field(default_factory=dict)
    sheets: dict[SheetKey, SheetTexts] = field(default_factory=dict)
    num_missing: int = 0


@dataclass(frozen=True)
class _Given:
    """An answer to a shown question, uncut; the generation is None if its file does not exist."""

    score: ScoredExample
    generation: Generation | None


_Answers = dict[QuestionKey, _Given]


def collect_texts(
    comparisons: Sequence[Comparison],
    chosen: Mapping[str, Sequence[str]],
    answers: AnswerSource,
    *,
    max_bytes: int,
) -> Texts:
    """Read the answers, comparison by comparison, until the next ones would make the page too large.

    Long texts are cut, as far as the first comparison requires it.

    Args:
        comparisons: the comparisons, the most important first.
        chosen: ids of the shown questions by benchmark.
        answers: reads the answers.
        max_bytes: largest size of the texts in the page.

    Returns:
        The texts.
    """
    texts, size = Texts(LIMITS[0]), 0
    for comparison in comparisons:
        columns, num_missing = _read_columns(comparison, chosen, answers, known=texts.sheets)
        limits = LIMITS if comparison is comparisons[0] else [texts.limit]
        for limit in limits:
            questions = _show_questions(columns, limit, known=texts.questions)
            sheets = {key: _show_sheet(column, chosen, limit) for key, column in columns.items()}
            added = packed_size([list(questions.values()), [asdict(sheet) for sheet in sheets.values()]])
            if size + added <= max_bytes:
                break
        else:
            if comparison is not comparisons[0]:
                return texts
        size += added
        texts = Texts(
            limit, texts.questions | questions, texts.sheets | sheets, texts.num_missing + num_missing
        )
    return texts


def _read_columns(
    comparison: Comparison,
    chosen: Mapping[str, Sequence[str]],
    answers: AnswerSource,
    *,
    known: Mapping[SheetKey, SheetTexts],
) -> tuple[dict[SheetKey, _Answers], int]:
    """Read the answers of the runs that are not yet known, and count the files that do not exist."""
    columns: dict[SheetKey, _Answers] = {}
    num_missing = 0
    for column in comparison.columns:
        if column.key in known:
            continue
        columns[column.key] = {}
        for benchmark, file in column.files.items():
            given, is_missing = _read_file(file, set(chosen[benchmark]), answers)
            columns[column.key] |= given
            num_missing += is_missing
    return columns, num_missing


def _read_file(file: ScoreFile, chosen: set[str], answers: AnswerSource) -> tuple[_Answers, bool]:
    """Return the answers to the chosen questions, and True if their file does not exist."""
    read = answers(file)
    given = {
        (file.benchmark, score.example_id): _Given(score, None if read is None else read[score.example_id])
        for score in file.scores
        if score.example_id in chosen
    }
    return given, read is None


def _show_questions(
    columns: Mapping[SheetKey, _Answers], limit: int, *, known: Mapping[QuestionKey, tuple[str, str]]
) -> dict[QuestionKey, tuple[str, str]]:
    shown: dict[QuestionKey, tuple[str, str]] = {}
    for column in columns.values():
        for key, given in column.items():
            if given.generation is not None and key not in known and key not in shown:
                gold = reference_text(given.generation.reference)
                shown[key] = (_show(given.generation.question, limit), _show(gold, limit // SHORT_SHARE))
    return shown


def _show_sheet(column: _Answers, chosen: Mapping[str, Sequence[str]], limit: int) -> SheetTexts:
    sheet = SheetTexts([], [], [])
    for benchmark, ids in chosen.items():
        for example_id in ids:
            given = column.get((benchmark, example_id))
            generation = None if given is None else given.generation
            extracted = None if given is None else given.score.extracted
            sheet.answers.append(None if generation is None else _show(generation.generation, limit))
            sheet.extracted.append(None if extracted is None else _show(extracted, limit // SHORT_SHARE))
            sheet.reasons.append("" if given is None else _show(given.score.reason, limit // SHORT_SHARE))
    return sheet


def _show(text: str, limit: int) -> str:
    return printable(cut_middle(shorten_tokens(text), limit))

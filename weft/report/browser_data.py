"""The data of the example browser, which its script reads."""

import base64
import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass

NOT_ASKED = "-"
"""Sign in place of a verdict for a question that a run did not answer."""


@dataclass(frozen=True)
class ShownQuestion:
    """A question on the page.

    Attributes:
        benchmark: index of the benchmark.
        example_id: id of the question.
        text: the question; None if no file with an answer to it was read.
        gold: the right answer; None in the same cases.
        is_first: True for the first question of its benchmark.
    """

    benchmark: int
    example_id: str
    text: str | None
    gold: str | None
    is_first: bool


@dataclass(frozen=True)
class SheetTexts:
    """Texts of a run's answers to the shown questions; None or empty where a question was not asked.

    Attributes:
        answers: the answers, with shortened special tokens; None if their file does not exist.
        extracted: the answers that the scorer extracted; None if it found none.
        reasons: why the verdicts are not correct.
    """

    answers: list[str | None]
    extracted: list[str | None]
    reasons: list[str]


@dataclass(frozen=True)
class Sheet:
    """A run's answers to the shown questions at one length.

    Attributes:
        label: name of the method, with its training set and seed.
        verdicts: the first letter of the verdict of each question, or `NOT_ASKED`.
        trace: link to the page that shows answers step by step; None if there is none.
        texts: texts of the answers; None if they are left out.
    """

    label: str
    verdicts: str
    trace: str | None
    texts: SheetTexts | None


@dataclass(frozen=True)
class ShownComparison:
    """Sheets that stand side by side.

    Attributes:
        dataset: training set; None for stored generations.
        gen_length: length of the answers, in tokens.
        seed: training seed; None for stored generations.
        sheets: indices of the sheets.
        totals: for each benchmark the number of all questions by kind, see `Comparison.kinds`.
    """

    dataset: str | None
    gen_length: int
    seed: int | None
    sheets: list[int]
    totals: list[Mapping[str, int]]


@dataclass(frozen=True)
class BrowserData:
    """Everything that the script shows.

    Attributes:
        columns: names of the methods that stand side by side.
        pair: columns of treatment and control; None if there is a single model.
        filters: kind and label of each filter by verdict; the kind of the first is empty.
        benchmarks: names of the benchmarks.
        trace_length: length of the answers on the pages that show answers step by step.
        questions: the questions.
        sheets: answers of the runs.
        comparisons: sheets that stand side by side.
    """

    columns: list[str]
    pair: tuple[int, int] | None
    filters: list[tuple[str, str]]
    benchmarks: list[str]
    trace_length: int
    questions: list[ShownQuestion]
    sheets: list[Sheet]
    comparisons: list[ShownComparison]


def pack_data(data: BrowserData) -> str:
    """Return the data for the page as text without any character that has a meaning in HTML.

    The text is JSON, compressed by zlib, in base64.
    """
    return base64.b64encode(_compress(asdict(data))).decode()


def packed_size(content: object) -> int:
    """Return about how many characters a JSON value adds to the page."""
    return len(_compress(content)) * 4 // 3


def _compress(content: object) -> bytes:
    return zlib.compress(json.dumps(content, separators=(",", ":")).encode("ascii"))

"""The example browser of the page: its data, its script, and the sentences that explain it.

The script is the only one that the content security policy of the page allows, by the hash of its text. It
shows all texts as text, never as HTML.
"""

import base64
import hashlib
import importlib.resources
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from weft.config import Experiment, Run
from weft.layout import ResultLayout
from weft.report.answer_files import AnswerSource
from weft.report.browser_data import NOT_ASKED, BrowserData, Sheet, ShownComparison, ShownQuestion, pack_data
from weft.report.browser_texts import LIMITS, Texts, collect_texts
from weft.report.examples import (
    MAX_QUESTIONS,
    Column,
    Comparison,
    choose_questions,
    list_columns,
    list_comparisons,
    list_filters,
    list_questions,
)
from weft.report.labels import benchmark_label, method_label, run_label
from weft.report.results import Results
from weft.report.shown_text import END_SIGN, MASK_SIGN

MAX_BYTES = 3_000_000
"""Largest size of the texts in the page; tables and figures have 2 MB of a page of 5 MB."""


@dataclass(frozen=True)
class Browser:
    """The example browser in the form that the template shows.

    Attributes:
        data: the data of the script, see `weft.report.browser_data.pack_data`.
        script: the script.
        script_hash: source expression for the script in the content security policy.
        notes: sentences that say what is shown.
        download: link to the file with all answers.
    """

    data: str
    script: str
    script_hash: str
    notes: list[str]
    download: str


def make_browser(
    experiment: Experiment,
    results: Results,
    answers: AnswerSource,
    *,
    max_questions: int = MAX_QUESTIONS,
    max_bytes: int = MAX_BYTES,
) -> Browser:
    """Make the example browser; the same inputs give the same text.

    Args:
        experiment: the experiment.
        results: its results.
        answers: reads the answers; only those of the compared models are read.
        max_questions: largest number of questions to show.
        max_bytes: largest size of the texts in the page.

    Returns:
        The browser.

    Raises:
        ScoringError: a file with answers is malformed or lacks an answer that has a score.
    """
    comparisons = list_comparisons(experiment, results)
    questions = list_questions(experiment, comparisons)
    chosen = choose_questions(questions, limit=max_questions)
    texts = collect_texts(comparisons, chosen, answers, max_bytes=max_bytes)
    script = importlib.resources.files("weft.report").joinpath("templates/examples.js").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return Browser(
        data=pack_data(_arrange(experiment, results, comparisons, chosen, texts)),
        script=script,
        script_hash=f"sha256-{digest}",
        notes=list(_describe(experiment, comparisons, questions, chosen, texts)),
        download=ResultLayout.of("").all_answers.name,
    )


def _arrange(
    experiment: Experiment,
    results: Results,
    comparisons: Sequence[Comparison],
    chosen: Mapping[str, Sequence[str]],
    texts: Texts,
) -> BrowserData:
    """Return the data of the script."""
    columns = {column.key: column for comparison in comparisons for column in comparison.columns}
    places = {key: index for index, key in enumerate(columns)}
    return BrowserData(
        columns=[method_label(name) for name in list_columns(experiment)],
        filters=[(choice.kind, choice.label) for choice in list_filters(experiment)],
        pair=comparisons[0].pair,
        benchmarks=[benchmark_label(experiment, name) for name in chosen],
        trace_length=min(experiment.gen_lengths),
        questions=list(_list_questions(comparisons, chosen, texts)),
        sheets=[
            Sheet(
                label=run_label(column.run),
                verdicts=_verdicts(column, chosen),
                trace=trace_link(column.run) if column.run in results.traces else None,
                texts=texts.sheets.get(column.key),
            )
            for column in columns.values()
        ],
        comparisons=[_arrange_comparison(comparison, chosen, places) for comparison in comparisons],
    )


def trace_link(run: Run) -> str:
    """Return the link from the page to the page with a run's answers step by step."""
    layout = ResultLayout.of("")
    return layout.trace(run.run_id).relative_to(layout.page.parent).as_posix()


def _arrange_comparison(
    comparison: Comparison, chosen: Mapping[str, Sequence[str]], places: Mapping[tuple[Run, int], int]
) -> ShownComparison:
    return ShownComparison(
        dataset=comparison.dataset,
        gen_length=comparison.gen_length,
        seed=comparison.seed,
        sheets=[places[column.key] for column in comparison.columns],
        totals=[dict(comparison.count_kinds(benchmark)) for benchmark in chosen],
    )


def _list_questions(
    comparisons: Sequence[Comparison], chosen: Mapping[str, Sequence[str]], texts: Texts
) -> Iterator[ShownQuestion]:
    for number, (benchmark, ids) in enumerate(chosen.items()):
        first = comparisons[0].columns[0].files[benchmark].columns.example_ids[0]
        for example_id in ids:
            text, gold = texts.questions.get((benchmark, example_id), (None, None))
            yield ShownQuestion(number, example_id, text, gold, is_first=example_id == first)


def _verdicts(column: Column, chosen: Mapping[str, Sequence[str]]) -> str:
    letters = []
    for benchmark, ids in chosen.items():
        scores = column.files[benchmark].columns
        verdicts = dict(zip(scores.example_ids, scores.verdicts, strict=True))
        letters += [str(verdicts.get(example_id, NOT_ASKED))[0] for example_id in ids]
    return "".join(letters)


def _describe(
    experiment: Experiment,
    comparisons: Sequence[Comparison],
    questions: Mapping[str, Sequence[str]],
    chosen: Mapping[str, Sequence[str]],
    texts: Texts,
) -> Iterator[str]:
    """Yield the sentences that say what is shown."""
    num_chosen, num_all = (sum(map(len, ids.values())) for ids in (chosen, questions))
    unscorable = "" if comparisons[0].pair is None else "; an unscorable answer counts as wrong"
    yield f"The verdicts are those of the {experiment.scoring[0]} scoring{unscorable}."
    if num_chosen < num_all:
        yield (
            f"The page shows {num_chosen:,} of {num_all:,} questions, chosen by a hash of their ids, as "
            "equally as possible from all benchmarks; the counts on the buttons are of the questions shown "
            "and of all."
        )
    num_models = len({run.method for run in experiment.runs}) - len(comparisons[0].columns)
    if not experiment.trained_runs and num_models > 0:
        yield f"The answers of {num_models} other models are in the file with all answers only."
    num_left_out = sum(
        any(column.key not in texts.sheets for column in comparison.columns) for comparison in comparisons
    )
    if num_left_out:
        yield (
            f"For {num_left_out} of {len(comparisons)} combinations of training set, length and seed, the "
            "page has the verdicts only, because the answers would make it too large."
        )
    if texts.limit < LIMITS[0]:
        yield f"Texts of more than {texts.limit:,} characters are cut in the middle."
    if texts.num_missing:
        yield (
            f"The answers to a benchmark at one length were not found in {texts.num_missing} cases, so that "
            "only their verdicts are shown."
        )
    yield f"{END_SIGN} stands for an end-of-text token, {MASK_SIGN} for a mask."

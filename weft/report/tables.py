"""Compute the tables from the results, and write them as CSV and Markdown; the paper's table also as LaTeX.

The CSV files are meant for programs: they contain fractions and identifiers, except for the headline tables,
which contain percentages. The other formats contain percentages and labels for readers. If sampling is
approximate, the last column of each CSV file, ``sampling``, describes the approximation.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from weft.config import BASE_RUN, Experiment, FineTuning
from weft.records.files import write_text
from weft.report.answers import (
    count_answers,
    count_equal_verdicts,
    count_timed_out,
    list_unscorable,
)
from weft.report.cells import name_custom_scoring
from weft.report.costs import summarise_costs
from weft.report.counterparts import TABLE_1_LENGTHS, has_paper_lengths
from weft.report.gains import compute_gains
from weft.report.labels import percent, percent_spread
from weft.report.learning_curves import summarise_curves
from weft.report.learning_speed import measure_speed
from weft.report.markup import to_markdown
from weft.report.outputs import PAPER_TABLE, list_headlines, list_tables
from weft.report.paper_latex import paper_latex
from weft.report.paper_table import compute_paper_table
from weft.report.presentation import headline_headings, headline_key, present
from weft.report.published_numbers import (
    D1,
    MIXED,
    NUM_QUESTIONS,
    WEFT_PAPER,
    PublishedNumbers,
)
from weft.report.ratios import summarise_ratios
from weft.report.results import Results
from weft.stats import AVERAGE, Aggregate, LengthMix

DECIMALS = 6
"""Number of decimals in all tables."""

Tables = Mapping[str, pd.DataFrame]


def compute_tables(
    experiment: Experiment, results: Results, names: Iterable[str] | None = None
) -> dict[str, pd.DataFrame]:
    """Compute tables of an experiment; intervals are computed only for tables that show them.

    Args:
        experiment: the experiment.
        results: its results.
        names: names of the tables; by default all of `weft.report.outputs.list_tables`.

    Returns:
        The tables by name, in the order of the names. Accuracies are fractions, except in the headline
        tables, which hold text.

    Raises:
        ScoringError: two runs differ in their questions or in the weight of a question.
    """
    aggregates = {name: _aggregate(experiment, results, name) for name in list_headlines(experiment).values()}
    names = list_tables(experiment) if names is None else names
    return {name: _round(_compute_table(name, experiment, results, aggregates)) for name in names}


def _compute_table(
    name: str, experiment: Experiment, results: Results, aggregates: Mapping[str, Aggregate]
) -> pd.DataFrame:
    if name in _MEASURED:
        return _MEASURED[name](experiment, results)
    if name in {"scores", "rules"}:
        scores = _scores(experiment, results, aggregates)
        return scores if name == "scores" else _compare_scorings(experiment, scores)
    if name in _SUMMARISED:
        return _SUMMARISED[name](experiment, aggregates[experiment.scoring[0]])
    if name in {"methods", "contrasts"}:
        frames = {scoring: getattr(result, name) for scoring, result in aggregates.items()}
        stacked = _stack(experiment, frames)
        return stacked if name == "methods" else _limit_tests(stacked, str(experiment.scoring[0]))
    scoring = list_headlines(experiment)[name]
    headline = _headline(experiment, aggregates[scoring].methods, scoring)
    if not experiment.is_sampled and scoring == experiment.scoring[0]:
        scores = _scores(experiment, results, aggregates)
        known = scores[scores["rules"] == scoring]
        if known["published_accuracy"].notna().any():
            row = _published_row(known, experiment.runs[0].method)
            headline = pd.concat([headline, row], ignore_index=True)
    return headline


def write_table(experiment: Experiment, name: str, frame: pd.DataFrame, out: Path) -> None:
    """Write a table in its formats; the same numbers give the same bytes.

    Args:
        experiment: the experiment.
        name: name of the table.
        frame: its numbers.
        out: folder to write to.
    """
    csv = name_custom_scoring(experiment, frame)
    if experiment.approximation is not None:
        csv = csv.assign(sampling=f"approximate: {experiment.approximation}")
    table = present(experiment, name, frame)
    text = csv.to_csv(index=False, float_format=f"%.{DECIMALS}f", lineterminator="\n")
    write_text(out / f"{name}.csv", text)
    write_text(out / f"{name}.md", to_markdown(table))
    if name == PAPER_TABLE:
        assert isinstance(experiment, FineTuning), "only a fine-tuning has this table"
        write_text(
            out / f"{name}.tex",
            paper_latex(experiment, frame, label=f"{experiment.name}-{name}", notes=table.notes),
        )


def _round(frame: pd.DataFrame) -> pd.DataFrame:
    """Round all numbers, so that all formats and figures show the numbers of the CSV file."""
    numbers = frame.select_dtypes("float").columns
    return frame.assign(**{str(column): frame[column].round(DECIMALS) + 0.0 for column in numbers})


def _aggregate(experiment: Experiment, results: Results, scoring: str) -> Aggregate:
    return results.aggregate(
        scoring,
        contrasts=experiment.comparisons,
        confidence=experiment.statistics.confidence,
        mix=LengthMix(MIXED, TABLE_1_LENGTHS) if has_paper_lengths(experiment) else None,
        num_questions=None if experiment.is_sampled else NUM_QUESTIONS,
    )


def _stack(experiment: Experiment, frames: Tables) -> pd.DataFrame:
    """Concatenate the tables of all scorings; the column ``rules`` follows the length.

    Custom benchmarks, whose scores do not depend on the scoring, are in the first part only.
    """
    named: list[pd.DataFrame] = []
    for scoring, of_all in frames.items():
        is_repeated = of_all["benchmark"].isin(experiment.custom_benchmarks) & bool(named)
        frame = of_all[~is_repeated]
        columns = [name for name in frame.columns if name != "rules"]
        columns.insert(columns.index("gen_length") + 1, "rules")
        named.append(frame.assign(rules=scoring)[columns])
    stacked = pd.concat(named, ignore_index=True)
    stacked["dataset"] = stacked["dataset"].astype(object).where(stacked["dataset"].notna(), None)
    return stacked


def _limit_tests(contrasts: pd.DataFrame, scoring: str) -> pd.DataFrame:
    """Remove the corrected p-values and conclusions of all other scorings."""
    is_tested = contrasts["rules"] == scoring
    tests = {
        "p_holm": contrasts["p_holm"].where(is_tested),
        "conclusion": contrasts["conclusion"].where(is_tested, ""),
    }
    return contrasts.assign(**tests)


def _scores(experiment: Experiment, results: Results, aggregates: Mapping[str, Aggregate]) -> pd.DataFrame:
    """Return the scores by all scorings; those of stored generations include the published accuracies."""
    scores = _stack(experiment, {scoring: result.scores for scoring, result in aggregates.items()})
    timed_out = count_timed_out(results)
    counts = scores.merge(timed_out, how="left", validate="one_to_one")["num_timed_out"]
    scores = scores.assign(num_timed_out=counts.to_numpy())
    if experiment.is_sampled:
        return scores
    published, model = PublishedNumbers(experiment), experiment.runs[0].method
    places = zip(scores["benchmark"], scores["gen_length"], strict=True)
    known = pd.Series([published.accuracy(D1, model, (None, *place)) for place in places], dtype=float)
    # The other scorings have no published values, because their accuracies may count other units.
    return scores.assign(published_accuracy=known.where(scores["rules"] == experiment.scoring[0]))


def _list_gradients(experiment: FineTuning, results: Results) -> pd.DataFrame:
    """Concatenate the gradient studies of all data sets, with a first column ``dataset``."""
    studies = [frame.assign(dataset=dataset) for dataset, frame in results.gradients.items()]
    stacked = pd.concat(studies, ignore_index=True)
    return stacked[["dataset", *stacked.columns.drop("dataset")]]


def _list_words(experiment: FineTuning, results: Results) -> pd.DataFrame:
    """Concatenate the ranked words of all data sets, with first columns ``dataset`` and ``kind``."""
    rankings = results.word_rankings.items()
    frames = [ranking.words.assign(dataset=dataset, kind=ranking.kind) for dataset, ranking in rankings]
    stacked = pd.concat(frames, ignore_index=True)
    return stacked[["dataset", "kind", "rank", "word", "count", "mean_entropy"]]


def _headline(experiment: Experiment, summary: pd.DataFrame, scoring: str) -> pd.DataFrame:
    """Return the summary of the methods in percent, with a row per method and data set."""
    rows: dict[tuple[Any, Any], dict[str, str]] = {}
    for cell in summary.to_dict("records"):
        row = rows.setdefault((cell["method"], cell["dataset"]), {})
        row[headline_key(cell["benchmark"], cell["gen_length"])] = percent_spread(cell["mean"], cell["sd"])
    columns = list(headline_headings(experiment, scoring))
    identities = pd.DataFrame(list(rows), columns=["method", "dataset"], dtype=object)
    return pd.concat([identities, pd.DataFrame(list(rows.values()), columns=columns)], axis="columns")


def _gains(experiment: FineTuning, aggregates: Aggregate) -> pd.DataFrame:
    control = experiment.gain_control
    # Without a control that is a method, no gain is relative to it, and the table of intervals is empty.
    intervals = aggregates.relative_gains(control or BASE_RUN, BASE_RUN)
    return compute_gains(experiment, aggregates.methods, intervals)


def _published_comparison(experiment: Experiment, aggregates: Aggregate) -> pd.DataFrame:
    """Return our accuracies with the published ones, as fractions."""
    summary = aggregates.methods
    published = PublishedNumbers(experiment)
    identity = ["method", "dataset", "benchmark", "gen_length", "num_seeds"]
    rows = []
    for cell in summary.to_dict("records"):
        row = {name: cell[name] for name in identity} | {"ours": cell["mean"], "ours_sd": cell["sd"]}
        place = cell["dataset"], cell["benchmark"], cell["gen_length"]
        row["weft_paper"] = published.accuracy(WEFT_PAPER, cell["method"], place)
        row["d1"] = published.accuracy(D1, cell["method"], place)
        rows.append(row)
    frame = pd.DataFrame(rows)
    frame["dataset"] = pd.Series([row["dataset"] for row in rows], dtype=object)  # None stays None
    return frame


def _compare_scorings(experiment: Experiment, scores: pd.DataFrame) -> pd.DataFrame:
    """Return the published accuracy and the accuracy by each scoring, with a row per benchmark and length."""
    first, *further = experiment.scoring
    parts = {
        scoring: scores[scores["rules"] == scoring].reset_index(drop=True) for scoring in experiment.scoring
    }
    table = parts[first][["benchmark", "gen_length", "n", "published_accuracy"]].copy()
    for scoring, frame in parts.items():
        for column in ("accuracy", "ci_low", "ci_high", "num_unscorable"):
            table[f"{column}_{scoring}"] = frame[column]
    for scoring in further:
        table[f"difference_{scoring}"] = table[f"accuracy_{scoring}"] - table[f"accuracy_{first}"]
    return table


def _published_row(scores: pd.DataFrame, model: str) -> pd.DataFrame:
    """Return the published accuracies as a row of the headline table."""
    row: dict[str, str | None] = {"method": f"{model}, as published", "dataset": None}
    for length in scores["gen_length"].unique().tolist():
        cells = scores[scores["gen_length"] == length]
        for benchmark, accuracy in zip(cells["benchmark"], cells["published_accuracy"], strict=True):
            row[headline_key(benchmark, length)] = percent(accuracy)
        if len(cells) > 1:
            row[headline_key(AVERAGE, length)] = percent(cells["published_accuracy"].mean(skipna=False))
    return pd.DataFrame([row], dtype=object)


_SUMMARISED: Mapping[str, Callable[[Any, Aggregate], pd.DataFrame]] = {
    PAPER_TABLE: lambda experiment, aggregates: compute_paper_table(
        experiment, aggregates.methods, _gains(experiment, aggregates)
    ),
    "published": _published_comparison,
    "gains": _gains,
    "seeds": lambda _, aggregates: aggregates.seeds,
}
"""Tables that are computed from the accuracies of the methods by the first scoring."""
_MEASURED: Mapping[str, Callable[[Any, Results], pd.DataFrame]] = {
    "answers": count_answers,
    "agreement": count_equal_verdicts,
    "unscorable": list_unscorable,
    "ratios": summarise_ratios,
    "learning_curves": summarise_curves,
    "learning_speed": measure_speed,
    "costs": summarise_costs,
    "gradients": _list_gradients,
    "words": _list_words,
}
"""Tables that do not depend on the aggregated scores."""

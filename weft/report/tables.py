"""The tables: computed from the scores, written as CSV, Markdown and LaTeX.

The CSV files hold fractions and plain names, for programs, the other two percent and labels.  Only
headline.csv is meant for readers too and holds percent.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from weft.config import FineTuning, StoredGenerations
from weft.report.labels import percent, percent_spread
from weft.report.load import load_scores
from weft.report.markup import to_latex, to_markdown
from weft.report.outputs import AnyExperiment, is_paper, list_tables
from weft.report.presentation import headline_headings, headline_key, present
from weft.report.published import (
    D1,
    WEFT_PAPER,
    find_published,
    load_published,
    mixed_averages,
    published_model,
)
from weft.stats import AVERAGE, Aggregate, aggregate

DECIMALS = 6  # of the fractions in the CSV files


def make_tables(experiment: AnyExperiment, root: Path, out: Path) -> None:
    """Compute an experiment's tables and write them.

    Args:
        experiment: the experiment.
        root: its results folder, with scores/.
        out: folder for the files of `weft.report.outputs.table_files`.

    Raises:
        ScoringError: a score file is missing, cut off or does not fit the others.
    """
    statistics = experiment.statistics
    result = aggregate(
        load_scores(experiment, root, rules=experiment.rules[0]),
        contrast=experiment.contrast if isinstance(experiment, FineTuning) else None,
        confidence=statistics.confidence,
        num_resamples=statistics.num_resamples,
        seed=statistics.seed,
    )
    if isinstance(experiment, StoredGenerations):
        frames = _stored_frames(experiment, result)
    else:
        frames = _fine_tuning_frames(experiment, result)
    out.mkdir(parents=True, exist_ok=True)
    for name in list_tables(experiment):
        write_table(experiment, name, frames[name], out)


def write_table(experiment: AnyExperiment, name: str, frame: pd.DataFrame, out: Path) -> None:
    """Write one table in its three forms; the same numbers give the same bytes."""
    numbers = frame.select_dtypes("float").columns
    rounded = frame.assign(**{str(column): frame[column].round(DECIMALS) + 0.0 for column in numbers})
    csv = rounded.to_csv(index=False, float_format=f"%.{DECIMALS}f", lineterminator="\n")
    table = present(experiment, name, rounded)
    for ending, text in (("csv", csv), ("md", to_markdown(table)), ("tex", to_latex(table))):
        (out / f"{name}.{ending}").write_text(text, encoding="utf-8", newline="\n")


def _fine_tuning_frames(experiment: FineTuning, result: Aggregate) -> dict[str, pd.DataFrame]:
    summary = result.methods
    frames = {"scores": result.scores, "methods": result.methods, "contrasts": result.contrasts}
    if is_paper(experiment):
        summary = pd.concat([summary, mixed_averages(result.scores)], ignore_index=True)
        frames["published"] = _published_comparison(summary)
    return frames | {"headline": _headline(experiment, summary)}


def _headline(experiment: AnyExperiment, summary: pd.DataFrame) -> pd.DataFrame:
    """Turn the summary of the methods into one row per method and data set, in percent."""
    rows: dict[tuple[Any, Any], dict[str, str]] = {}
    for cell in summary.to_dict("records"):
        row = rows.setdefault((cell["method"], cell["dataset"]), {})
        row[headline_key(cell["benchmark"], cell["gen_length"])] = percent_spread(cell["mean"], cell["sd"])
    columns = list(headline_headings(experiment))
    identities = pd.DataFrame(list(rows), columns=["method", "dataset"], dtype=object)
    return pd.concat([identities, pd.DataFrame(list(rows.values()), columns=columns)], axis="columns")


def _published_comparison(summary: pd.DataFrame) -> pd.DataFrame:
    """Put the published numbers beside ours, as fractions."""
    published = load_published()
    identity = ["method", "dataset", "benchmark", "gen_length", "num_seeds"]
    rows = []
    for cell in summary.to_dict("records"):
        row = {name: cell[name] for name in identity} | {"ours": cell["mean"], "ours_sd": cell["sd"]}
        for column, source in (("weft_paper", WEFT_PAPER), ("d1", D1)):
            row[column] = _published_fraction(published, source, published_model(cell["method"]), cell)
        rows.append(row)
    frame = pd.DataFrame(rows)
    frame["dataset"] = pd.Series([row["dataset"] for row in rows], dtype=object)  # None stays None
    return frame


def _published_fraction(
    published: pd.DataFrame, source: str, model: str | None, cell: Mapping[Any, Any]
) -> float:
    """Look up a published accuracy as a fraction; NaN where it is not known."""
    if model is None:
        return float("nan")
    place = {name: cell[name] for name in ("dataset", "benchmark", "gen_length")}
    found = find_published(published, source, model=model, **place)
    return float("nan") if found is None else found / 100


def _stored_frames(experiment: StoredGenerations, result: Aggregate) -> dict[str, pd.DataFrame]:
    """Put d1's own table beside the scores of its generations."""
    published, model = load_published(), experiment.generations.model
    cells = result.scores.to_dict("records")
    known = [_published_fraction(published, D1, model, cell) for cell in cells]
    scores = result.scores.assign(published_accuracy=known)
    headline = _headline(experiment, result.methods)
    if scores["published_accuracy"].notna().any():
        headline = pd.concat([headline, _published_row(scores, model)], ignore_index=True)
    return {"scores": scores, "headline": headline}


def _published_row(scores: pd.DataFrame, model: str) -> pd.DataFrame:
    row: dict[str, str | None] = {"method": f"{model}, as published", "dataset": None}
    for length in scores["gen_length"].unique().tolist():
        cells = scores[scores["gen_length"] == length]
        for benchmark, accuracy in zip(cells["benchmark"], cells["published_accuracy"], strict=True):
            row[headline_key(benchmark, length)] = percent(accuracy)
        if len(cells) > 1:
            row[headline_key(AVERAGE, length)] = percent(cells["published_accuracy"].mean(skipna=False))
    return pd.DataFrame([row], dtype=object)

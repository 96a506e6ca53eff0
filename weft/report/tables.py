"""The tables: computed from the scores, written as CSV, Markdown and LaTeX.

The CSV files hold fractions and plain names, for programs; the other two hold percent and labels.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from weft.config import FineTuning, StoredGenerations
from weft.report.labels import percent, percent_spread
from weft.report.load import load_scores
from weft.report.markup import to_latex, to_markdown
from weft.report.outputs import is_paper, list_tables
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


def make_tables(experiment: FineTuning | StoredGenerations, root: Path, out: Path) -> None:
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
        load_scores(experiment, root),
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


def write_table(
    experiment: FineTuning | StoredGenerations, name: str, frame: pd.DataFrame, out: Path
) -> None:
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


def _headline(experiment: FineTuning | StoredGenerations, summary: pd.DataFrame) -> pd.DataFrame:
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
    rows = []
    for cell in summary.to_dict("records"):
        model, dataset = published_model(cell["method"]), cell["dataset"]
        theirs = {
            column: _published_fraction(
                published, source, model, dataset, cell["benchmark"], cell["gen_length"]
            )
            for column, source in (("weft_paper", WEFT_PAPER), ("d1", D1))
        }
        identity = {
            name: cell[name] for name in ("method", "dataset", "benchmark", "gen_length", "num_seeds")
        }
        rows.append(identity | {"ours": cell["mean"], "ours_sd": cell["sd"]} | theirs)
    return pd.DataFrame(rows)


def _published_fraction(
    published: pd.DataFrame,
    source: str,
    model: str | None,
    dataset: str | None,
    benchmark: str,
    gen_length: int | str,
) -> float:
    """Look up a published accuracy as a fraction; NaN where it is not known."""
    if model is None:
        return float("nan")
    found = find_published(
        published, source, model=model, dataset=dataset, benchmark=benchmark, gen_length=gen_length
    )
    return float("nan") if found is None else found / 100


def _stored_frames(experiment: StoredGenerations, result: Aggregate) -> dict[str, pd.DataFrame]:
    """Put d1's own table beside the scores of its generations."""
    published, scores = load_published(), result.scores
    model = experiment.generations.model
    cells = zip(scores["benchmark"], scores["gen_length"], strict=True)
    known = [
        _published_fraction(published, D1, model, None, benchmark, length) for benchmark, length in cells
    ]
    scores = scores.assign(published_accuracy=known)
    headline = _headline(experiment, result.methods)
    if scores["published_accuracy"].notna().any():
        headline = pd.concat([headline, _published_row(scores, model)], ignore_index=True)
    return {"scores": scores, "headline": headline}


def _published_row(scores: pd.DataFrame, model: str) -> pd.DataFrame:
    row = {"method": f"{model}, as published", "dataset": None} | dict(_published_cells(scores))
    return pd.DataFrame([row], dtype=object)


def _published_cells(scores: pd.DataFrame) -> Iterator[tuple[str, str]]:
    for length, rows in scores.groupby("gen_length", sort=False):
        for benchmark, accuracy in zip(rows["benchmark"], rows["published_accuracy"], strict=True):
            yield headline_key(benchmark, length), percent(accuracy)
        if len(rows) > 1:
            yield headline_key(AVERAGE, length), percent(rows["published_accuracy"].mean(skipna=False))

"""The tables: computed from the scores, written as CSV, Markdown and LaTeX.

The CSV files hold fractions and plain names, for programs, the other two percent and labels.  Only
headline.csv is meant for readers too and holds percent.  Where sampling is approximate all have a last
column, sampling, that says how; exact ones do not.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from weft.config import FineTuning, StoredGenerations
from weft.report.answers import count_answers
from weft.report.costs import compare_costs
from weft.report.labels import percent, percent_spread
from weft.report.load import load_gradients, load_scores, load_timings
from weft.report.markup import to_latex, to_markdown
from weft.report.outputs import (
    AnyExperiment,
    has_ablations,
    has_gradients,
    is_paper,
    list_headlines,
    list_tables,
)
from weft.report.presentation import headline_headings, headline_key, present
from weft.report.published import (
    D1,
    WEFT_PAPER,
    find_published,
    load_published,
    mixed_averages,
    published_model,
)
from weft.report.ratios import summarise_ratios
from weft.stats import AVERAGE, Aggregate, aggregate

DECIMALS = 6  # of the fractions in the CSV files


def make_tables(experiment: AnyExperiment, root: Path, out: Path) -> None:
    """Compute an experiment's tables and write them.

    Args:
        experiment: the experiment.
        root: its results folder, with scores/; of a fine-tuning also probe/, runs/ and gradients/, as
            far as there are tables of these.
        out: folder for the files of `weft.report.outputs.table_files`.

    Raises:
        DataError: a probe, timing or gradient file is missing or cut off.
        ScoringError: a score file is missing, cut off or does not fit the others.
    """
    results: dict[str, Aggregate] = {
        rules: _aggregate(experiment, root, rules) for rules in experiment.scoring
    }
    if isinstance(experiment, StoredGenerations):
        frames = _stored_frames(experiment, results)
    else:
        frames = _fine_tuning_frames(experiment, results) | _measured_frames(experiment, root)
    frames["answers"] = count_answers(experiment, root)
    out.mkdir(parents=True, exist_ok=True)
    for name in list_tables(experiment):
        write_table(experiment, name, frames[name], out)


def write_table(experiment: AnyExperiment, name: str, frame: pd.DataFrame, out: Path) -> None:
    """Write one table in its three forms; the same numbers give the same bytes."""
    numbers = frame.select_dtypes("float").columns
    rounded = frame.assign(**{str(column): frame[column].round(DECIMALS) + 0.0 for column in numbers})
    approximation = experiment.approximation
    told = {} if approximation is None else {"sampling": f"approximate: {approximation}"}
    csv = rounded.assign(**told).to_csv(index=False, float_format=f"%.{DECIMALS}f", lineterminator="\n")
    table = present(experiment, name, rounded)
    for ending, text in (("csv", csv), ("md", to_markdown(table)), ("tex", to_latex(table))):
        (out / f"{name}.{ending}").write_text(text, encoding="utf-8", newline="\n")


def _aggregate(experiment: AnyExperiment, root: Path, rules: str) -> Aggregate:
    """Compute the tables of one set of rules; they do not depend on the other sets."""
    statistics = experiment.statistics
    return aggregate(
        load_scores(experiment, root, rules=rules),
        contrasts=experiment.contrasts if isinstance(experiment, FineTuning) else (),
        confidence=statistics.confidence,
        num_resamples=statistics.num_resamples,
        seed=statistics.seed,
    )


def _stack(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Put a table of every set of rules below each other, and name the rules behind the length."""
    named = []
    for rules, frame in frames.items():
        if "rules" not in frame:
            columns = list(frame.columns)
            columns.insert(columns.index("gen_length") + 1, "rules")
            named.append(frame.assign(rules=rules)[columns])
        else:
            named.append(frame)
    stacked = pd.concat(named, ignore_index=True)
    stacked["dataset"] = stacked["dataset"].astype(object).where(stacked["dataset"].notna(), None)
    return stacked


def _fine_tuning_frames(experiment: FineTuning, results: Mapping[str, Aggregate]) -> dict[str, pd.DataFrame]:
    frames = {
        "scores": _stack({rules: result.scores for rules, result in results.items()}),
        "methods": _stack({rules: result.methods for rules, result in results.items()}),
        "contrasts": _stack({rules: result.contrasts for rules, result in results.items()}),
    }
    for name, rules in list_headlines(experiment).items():
        summary = results[rules].methods
        if is_paper(experiment):
            summary = pd.concat([summary, mixed_averages(results[rules].scores)], ignore_index=True)
        frames[name] = _headline(experiment, summary, rules)
        if is_paper(experiment) and rules == experiment.scoring[0]:
            frames["published"] = _published_comparison(summary)
    return frames


def _measured_frames(experiment: FineTuning, root: Path) -> dict[str, pd.DataFrame]:
    """Make the tables that do not come from scores."""
    frames = {"ratios": summarise_ratios(experiment, root)}
    if has_ablations(experiment):
        frames["costs"] = compare_costs(experiment, load_timings(experiment, root))
    if has_gradients(experiment):
        frames["gradients"] = load_gradients(experiment, root)
    return frames


def _headline(experiment: AnyExperiment, summary: pd.DataFrame, rules: str) -> pd.DataFrame:
    """Turn the summary of the methods into one row per method and data set, in percent."""
    rows: dict[tuple[Any, Any], dict[str, str]] = {}
    for cell in summary.to_dict("records"):
        row = rows.setdefault((cell["method"], cell["dataset"]), {})
        row[headline_key(cell["benchmark"], cell["gen_length"])] = percent_spread(cell["mean"], cell["sd"])
    columns = list(headline_headings(experiment, rules))
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


def _stored_frames(
    experiment: StoredGenerations, results: Mapping[str, Aggregate]
) -> dict[str, pd.DataFrame]:
    """Put d1's own table beside the scores of its generations."""
    published, model = load_published(), experiment.generations.model
    scores = _stack({rules: result.scores for rules, result in results.items()})
    cells = scores.to_dict("records")
    known = pd.Series([_published_fraction(published, D1, model, cell) for cell in cells], dtype=float)
    # Beside the first rules only: a share of cells says nothing about a share of boards.
    scores = scores.assign(published_accuracy=known.where(scores["rules"] == experiment.scoring[0]))
    frames = {"scores": scores, "rules": _rules_beside_each_other(experiment, scores)}
    for name, rules in list_headlines(experiment).items():
        frames[name] = _headline(experiment, results[rules].methods, rules)
    if scores["published_accuracy"].notna().any():
        published_row = _published_row(scores[scores["rules"] == experiment.scoring[0]], model)
        frames["headline"] = pd.concat([frames["headline"], published_row], ignore_index=True)
    return frames


def _rules_beside_each_other(experiment: StoredGenerations, scores: pd.DataFrame) -> pd.DataFrame:
    """Make a row per benchmark and length: the published accuracy, and that by every set of rules."""
    first, *further = experiment.scoring
    by_rules = {
        rules: scores[scores["rules"] == rules].reset_index(drop=True) for rules in experiment.scoring
    }
    table = by_rules[first][["benchmark", "gen_length", "n", "published_accuracy"]].copy()
    for rules, frame in by_rules.items():
        for column in ("accuracy", "ci_low", "ci_high", "num_unscorable"):
            table[f"{column}_{rules}"] = frame[column]
    for rules in further:
        table[f"difference_{rules}"] = table[f"accuracy_{rules}"] - table[f"accuracy_{first}"]
    return table


def _published_row(scores: pd.DataFrame, model: str) -> pd.DataFrame:
    row: dict[str, str | None] = {"method": f"{model}, as published", "dataset": None}
    for length in scores["gen_length"].unique().tolist():
        cells = scores[scores["gen_length"] == length]
        for benchmark, accuracy in zip(cells["benchmark"], cells["published_accuracy"], strict=True):
            row[headline_key(benchmark, length)] = percent(accuracy)
        if len(cells) > 1:
            row[headline_key(AVERAGE, length)] = percent(cells["published_accuracy"].mean(skipna=False))
    return pd.DataFrame([row], dtype=object)

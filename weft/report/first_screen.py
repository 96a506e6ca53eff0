"""What the first screen of the page shows beside the result in a sentence: a figure and a small table."""

from collections.abc import Collection
from dataclasses import replace

import numpy as np
import pandas as pd

from weft.config import BASE_RUN, Evaluation, Experiment, FineTuning
from weft.report.counterparts import is_contrast_of_the_paper
from weft.report.downloads import table_files
from weft.report.examples import list_columns
from weft.report.labels import (
    group_label,
    level_text,
    method_label,
    percent,
    percent_interval,
    percent_spread,
    summary_benchmark,
)
from weft.report.page_tables import PageTable
from weft.report.presentation import at_main_length, length_text, main_rows, present
from weft.report.published_numbers import paper_averages
from weft.report.tables import Tables

OTHER_MODEL = "paper: LLaDA-8B on s1K, %"
OTHER_MODEL_NOTE = (
    " The last column shows the paper's averages, of another model on other data and questions, for the size "
    "of its gains only."
)
FIRST_FIGURES = ("forest", "contrasts", "accuracy", "training_loss")
"""Names of figures; the first one that an experiment has is shown first."""


def first_figure(names: Collection[str]) -> str:
    """Return the name of the figure on the first screen, given the names of all figures."""
    return next(name for name in FIRST_FIGURES if name in names)


def first_table(experiment: Experiment, tables: Tables) -> PageTable:
    """Return the table of the first screen: base model, control and treatment, with average and gain.

    Args:
        experiment: the experiment.
        tables: its tables.

    Returns:
        For a fine-tuning, a row for the base model and for the methods of the main contrast on each
        training set, at the lengths of the paper or, without these, at the largest length; without
        benchmarks, the costs of the training. For an evaluation, a row for each model, at the same length.
        For stored generations, the headline table.
    """
    if not experiment.benchmark_names:
        return replace(PageTable.of(present(experiment, "costs", tables["costs"])), notes="")
    if isinstance(experiment, Evaluation):
        return _model_averages(experiment, tables)
    if not isinstance(experiment, FineTuning):
        headline = PageTable.of(present(experiment, "headline", tables["headline"]))
        return replace(headline, notes="")
    rows = _main_averages(experiment, tables)
    table = {
        "method": [group_label(method, dataset) for method, dataset in _groups(experiment, rows)],
        "average, %": [percent_spread(*pair) for pair in zip(rows["mean"], rows["sd"], strict=True)],
        "gain, points": [percent(gain, is_signed=True) for gain in rows["gain"]],
    }
    notes = _notes(experiment, rows["gen_length"].tolist()[0])
    if rows["published"].notna().any():
        table["paper, %"] = [percent(value) for value in rows["published"]]
    elif len(rows) == 3 and is_contrast_of_the_paper(experiment):
        table[OTHER_MODEL] = [percent(value) for value in paper_averages("s1k")]
        notes += OTHER_MODEL_NOTE
    cells = pd.DataFrame(table)
    files = table_files("gains")
    return PageTable(
        "Averages of the main methods", list(cells.columns), cells.to_numpy().tolist(), notes, files
    )


def _model_averages(experiment: Evaluation, tables: Tables) -> PageTable:
    """Return the accuracy of each model with its interval: the average, or that on the only benchmark."""
    rows = at_main_length(main_rows(experiment, tables["methods"]))
    intervals = zip(rows["ci_low"], rows["ci_high"], strict=True)
    cells = pd.DataFrame(
        {
            "model": [method_label(name) for name in rows["method"]],
            "average, %" if len(experiment.benchmark_names) > 1 else "accuracy, %": rows["mean"].map(percent),
            f"{level_text(experiment.statistics.confidence)} interval": [
                percent_interval(*interval) for interval in intervals
            ],
        }
    )
    number = len(experiment.benchmark_names)
    average = f"Mean over {number} benchmarks" if number > 1 else "Accuracy on the only benchmark"
    notes = (
        f"{average}, {length_text(rows['gen_length'].tolist()[0])}; intervals cover the choice of questions."
    )
    return PageTable(
        "Averages of the models",
        list(cells.columns),
        cells.to_numpy().tolist(),
        notes,
        table_files("methods"),
    )


def _main_averages(experiment: FineTuning, tables: Tables) -> pd.DataFrame:
    """Return the rows of base model, control and treatment, with the gain and the published average."""
    methods = tables["methods"]
    is_main = methods["method"].isin([BASE_RUN, *list_columns(experiment)])
    is_average = methods["benchmark"] == summary_benchmark(experiment)
    rows = at_main_length(methods[is_main & is_average & (methods["rules"] == experiment.scoring[0])])
    keys = ["method", "dataset", "gen_length"]
    rows = rows.merge(tables["gains"][[*keys, "gain"]], on=keys, how="left")
    order = [None, *experiment.dataset_names]
    places = [order.index(dataset if isinstance(dataset, str) else None) for dataset in rows["dataset"]]
    rows = rows.iloc[np.argsort(places, kind="stable")]
    if "published" not in tables:
        return rows.assign(published=float("nan"))
    published = tables["published"].rename(columns={"weft_paper": "published"})
    return rows.merge(published[[*keys, "benchmark", "published"]], on=[*keys, "benchmark"], how="left")


def _groups(experiment: FineTuning, rows: pd.DataFrame) -> list[tuple[str, str | None]]:
    """Return method and training set of each row; the training set only if there are several."""
    has_several = len(experiment.dataset_names) > 1
    return [
        (method, dataset if has_several and isinstance(dataset, str) else None)
        for method, dataset in zip(rows["method"], rows["dataset"], strict=True)
    ]


def _notes(experiment: FineTuning, length: int | str) -> str:
    number = len(experiment.benchmark_names)
    average = f"Mean over {number} benchmarks" if number > 1 else "Accuracy on the only benchmark"
    spread = " ± standard deviation over training seeds" if len(experiment.seeds) > 1 else ""
    return f"{average}{spread}, {length_text(length)}; gain over the base model."

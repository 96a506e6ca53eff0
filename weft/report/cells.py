"""Helpers that convert columns of tables to text."""

from collections.abc import Callable, Iterable
from typing import Any

import pandas as pd

from weft.config import CUSTOM_SCORING, Experiment
from weft.report.labels import (
    benchmark_label,
    group_label,
    level_text,
    method_label,
    percent_interval,
)

Cells = dict[str, pd.Series | list[str]]
"""Heading -> cells of a column, as text."""


def place_cells(experiment: Experiment, frame: pd.DataFrame) -> Cells:
    """Return the cells with benchmark and generation length, and the scoring rules if there are several."""
    places = zip(frame["benchmark"], frame["rules"], strict=True)
    cells: Cells = {
        "benchmark": [benchmark_label(experiment, name, scoring=scoring) for name, scoring in places],
        "length": frame["gen_length"].astype(str),
    }
    if len(experiment.applied_scorings) > 1:
        cells["scoring"] = frame["rules"]
    return cells


def group_labels(frame: pd.DataFrame) -> list[str]:
    """Return the name of each row's method, with its training set."""
    groups = zip(frame["method"], frame["dataset"], strict=True)
    return [group_label(method, dataset) for method, dataset in groups]


def short_labels(frame: pd.DataFrame) -> list[str]:
    """Return the names of the methods, with the training set only if there are several."""
    if frame["dataset"].nunique() == 1:
        return [method_label(method) for method in frame["method"]]
    return group_labels(frame)


def interval_heading(experiment: Experiment) -> str:
    """Return the heading of a column with intervals."""
    return f"{level_text(experiment.statistics.confidence)} interval"


def format_intervals(frame: pd.DataFrame, *, is_signed: bool = False, suffix: str = "") -> list[str]:
    """Format the intervals of a table in percent; ``suffix`` ends the names of their columns."""
    bounds = zip(frame[f"ci_low{suffix}"], frame[f"ci_high{suffix}"], strict=True)
    return [percent_interval(low, high, is_signed=is_signed) for low, high in bounds]


def format_known(values: Iterable[Any], form: Callable[[float], str]) -> list[str]:
    """Format numbers; missing numbers become empty texts."""
    return ["" if pd.isna(value) else form(float(value)) for value in values]


def name_custom_scoring(experiment: Experiment, frame: pd.DataFrame) -> pd.DataFrame:
    """Replace the name of the scoring in the rows of custom benchmarks, which have a scoring of their own."""
    if "rules" not in frame or not experiment.custom_benchmarks:
        return frame
    is_custom = frame["benchmark"].isin(experiment.custom_benchmarks)
    return frame.assign(rules=frame["rules"].mask(is_custom, CUSTOM_SCORING))

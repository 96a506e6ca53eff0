"""Captions made from the numbers of a figure, so that they say what these are, whatever they are."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pandas as pd

from weft.config import FineTuning
from weft.report.gradient_figures import one_row_per_method
from weft.report.labels import method_label, percent
from weft.report.outputs import AnyExperiment
from weft.report.presentation import corrected_rows, count_readings
from weft.report.ratios import LARGE

Frames = Mapping[str, pd.DataFrame]


def caption(experiment: AnyExperiment, figure: str, tables: Frames) -> str:
    """Say in sentences what a figure's numbers are.

    Args:
        experiment: the experiment.
        figure: one of `weft.report.outputs.list_figures`.
        tables: the experiment's tables by name.

    Returns:
        The sentences; none for a figure that has no such caption.
    """
    if not isinstance(experiment, FineTuning) or figure not in _CAPTIONS:
        return ""
    return " ".join(filter(None, _CAPTIONS[figure](experiment, tables)))


def _contrasts(experiment: FineTuning, tables: Frames) -> Iterable[str]:
    rows = corrected_rows(experiment, tables["contrasts"])
    level = 1 - experiment.statistics.confidence
    num_found = int((rows["p_holm"] < level).sum())
    yield f"{len(rows)} comparisons on the average; their intervals: {count_readings(rows)}."
    yield f"Corrected for their number by Holm's method, {num_found} of {len(rows)} have p below {level:.2g}."


def _gradient_share(experiment: FineTuning, tables: Frames) -> Iterable[str]:
    for dataset, rows in tables["gradients"].groupby("dataset", sort=False):
        yield _where(experiment, str(dataset))
        distances = {str(method): _weight_distance(own) for method, own in rows.groupby("method", sort=False)}
        named = [name for name in reversed(experiment.contrast) if name in distances]
        farthest = max(distances, key=distances.__getitem__)
        shown = ", ".join(f"{method_label(one)} {percent(distances[one])}" for one in named)
        yield (
            "Largest distance, in points, of a quintile's share of the loss weight from its share of the "
            f"tokens, both among the five: {shown}; the largest of all methods: {method_label(farthest)} "
            f"{percent(distances[farthest])}."
        )
        for method in named:
            own = rows[rows["method"] == method].set_index("quintile")["gradient_share"]
            yield (
                f"Of {method_label(method)}'s mean gradient {percent(own.iloc[0])} % come from the surest "
                f"quintile and {percent(own.iloc[-1])} % from the least sure."
            )


def _weight_distance(rows: pd.DataFrame) -> float:
    """Return the largest distance between shares of weight and of tokens, both among the five quintiles."""
    weight = rows["weight_share"] / rows["weight_share"].sum()
    return float((weight - rows["num_tokens"] / rows["num_tokens"].sum()).abs().max())


def _gradient_variance(experiment: FineTuning, tables: Frames) -> Iterable[str]:
    for dataset, rows in one_row_per_method(tables["gradients"]).groupby("dataset", sort=False):
        yield _where(experiment, str(dataset))
        of = {row["method"]: row for row in rows.to_dict("records")}
        extremes = (min(of.values(), key=_variance), max(of.values(), key=_variance))
        low, high = (f"{method_label(row['method'])} ({_variance(row):.3g})" for row in extremes)
        yield f"The relative variance is smallest with {low} and largest with {high}."
        if set(experiment.contrast) <= set(of):
            yield _variance_sentence(*(of[name] for name in experiment.contrast))


def _variance(row: Mapping[Any, Any]) -> float:
    return float(row["relative_variance"])


def _variance_sentence(treatment: Mapping[Any, Any], control: Mapping[Any, Any]) -> str:
    if treatment["relative_variance_low"] > control["relative_variance_high"]:
        place = "above"
    elif treatment["relative_variance_high"] < control["relative_variance_low"]:
        place = "below"
    else:
        place = "overlapping"
    first, second = (
        f"{method_label(row['method'])} ({_variance(row):.3g}, {row['relative_variance_low']:.3g} to "
        f"{row['relative_variance_high']:.3g})"
        for row in (treatment, control)
    )
    if place == "overlapping":
        return f"The intervals of {first} and {second} overlap."
    return f"The whole interval of {first} lies {place} that of {second}."


def _ratios(experiment: FineTuning, tables: Frames) -> Iterable[str]:
    for dataset, rows in tables["ratios"].groupby("dataset", sort=False):
        yield _where(experiment, str(dataset))
        cells = rows.set_index(["kind", "reference"])
        means, larges = (cells[name].to_dict() for name in ("mean", "share_large"))
        if "padding" not in set(rows["kind"]):
            yield "There is no padding, so that both references are the same."
        yield (
            f"With padding in the mean the answer tokens' mean ratio is {means['answer', 'all']:.2f} instead "
            f"of {means['answer', 'answer']:.2f}, and {percent(larges['answer', 'all'])} % instead of "
            f"{percent(larges['answer', 'answer'])} % of them have a ratio above {LARGE:g}."
        )


def _where(experiment: FineTuning, dataset: str) -> str:
    return f"{dataset}:" if len(experiment.datasets) > 1 else ""


_CAPTIONS: Mapping[str, Callable[[FineTuning, Frames], Iterable[str]]] = {
    "contrasts": _contrasts,
    "ratios": _ratios,
    "gradient_share": _gradient_share,
    "gradient_variance": _gradient_variance,
}

"""The tables as readers see them: percent and labels; made from the tables as numbers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from weft.config import FineTuning, StoredGenerations
from weft.report import notes
from weft.report.labels import (
    MINUS,
    benchmark_label,
    benchmark_name,
    full_caption,
    group_label,
    level_text,
    method_label,
    p_value_text,
    percent,
    percent_interval,
    percent_spread,
)
from weft.report.outputs import AnyExperiment, is_paper, list_headlines
from weft.report.published import D1, MIXED, NUM_QUESTIONS, WEFT_PAPER
from weft.report.ratios import LARGE, QUANTILES, REFERENCES
from weft.stats import AVERAGE

READINGS = ("above zero", "below zero", "not distinguishable from zero")
TEXT_HEADINGS = {
    "run",
    "model",
    "method",
    "training set",
    "benchmark",
    "interval by",
    "contrast",
    "reading",
    "rules",
    "tokens",
    "mean over",
}
"""Headings of the columns that are set flush left."""


@dataclass(frozen=True)
class Table:
    """A table for readers.

    Attributes:
        name: its file name without ending.
        experiment: the experiment's title.
        subject: what the table shows, a few words.
        cells: text only, a column per heading.
        caption: what the numbers are and are not.
        notes: what a reader must know, a sentence each.
    """

    name: str
    experiment: str
    subject: str
    cells: pd.DataFrame
    caption: str
    notes: tuple[str, ...] = field(default=())

    @property
    def title(self) -> str:
        """Experiment and subject in one line."""
        return f"{self.experiment}: {self.subject}"


def present(experiment: AnyExperiment, name: str, frame: pd.DataFrame) -> Table:
    """Make a table readable.

    Args:
        experiment: where it comes from.
        name: one of `weft.report.outputs.list_tables`.
        frame: its numbers.
    """
    rules = list_headlines(experiment).get(name)
    if rules is not None:
        show, subject, tell = _headline_presentation(experiment, rules)
    else:
        show, subject, tell = _PRESENTATIONS[name]
    return Table(
        name=name,
        experiment=experiment.title,
        subject=subject,
        cells=show(experiment, frame),
        caption=full_caption(experiment),
        notes=tell(experiment, frame),
    )


def headline_headings(experiment: AnyExperiment, rules: str) -> dict[str, str]:
    """Give the headline's columns their headings by some rules: key, such as sudoku_48, to label."""
    lengths = (
        experiment.sampling.gen_lengths if isinstance(experiment, FineTuning) else experiment.gen_lengths
    )
    names = [str(benchmark) for benchmark in experiment.benchmarks]
    if len(names) > 1:
        names.append(AVERAGE)
    headings = {
        headline_key(name, length): benchmark_label(experiment, name, rules=rules)
        + (f", {length}" if len(lengths) > 1 else "")
        for name in names
        for length in lengths
    }
    if is_paper(experiment):
        headings[headline_key(AVERAGE, MIXED)] = "average, lengths of the paper"
    return headings


def headline_key(benchmark: str, gen_length: int | str) -> str:
    """Name a column of the headline table."""
    return f"{benchmark}_{gen_length}"


def _show_scores(experiment: AnyExperiment, frame: pd.DataFrame) -> pd.DataFrame:
    cells = pd.DataFrame(
        {
            "run": frame["run"],
            **_place(experiment, frame),
            "n": frame["n"].astype(str),
            "correct": frame["num_correct"].astype(str),
            "unscorable": frame["num_unscorable"].astype(str),
            "accuracy, %": frame["accuracy"].map(percent),
            f"{level_text(experiment.statistics.confidence)} interval": _intervals(frame),
            "interval by": frame["interval"],
        }
    )
    if "published_accuracy" in frame:
        cells["run"] = frame["method"]
        cells = cells.rename(columns={"run": "model"})
        sizes = frame["benchmark"].map(NUM_QUESTIONS).astype(str)
        cells["n"] = frame["n"].astype(str) + " of " + sizes
        cells.insert(
            list(cells.columns).index("accuracy, %") + 1,
            "published, %",
            frame["published_accuracy"].map(percent),
        )
    return cells


def _show_methods(experiment: AnyExperiment, frame: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "method": frame["method"].map(method_label),
            "training set": frame["dataset"].fillna(""),
            **_place(experiment, frame),
            "seeds": frame["num_seeds"].astype(str),
            "mean, %": frame["mean"].map(percent),
            "sd": frame["sd"].map(percent),
            "minimum": frame["minimum"].map(percent),
            "maximum": frame["maximum"].map(percent),
            f"{level_text(experiment.statistics.confidence)} interval": _intervals(frame),
        }
    )


def _show_contrasts(experiment: AnyExperiment, frame: pd.DataFrame) -> pd.DataFrame:
    pairs = zip(frame["treatment"], frame["control"], strict=True)
    return pd.DataFrame(
        {
            "contrast": [f"{method_label(one)} minus {method_label(other)}" for one, other in pairs],
            "training set": frame["dataset"],
            **_place(experiment, frame),
            "difference, points": [percent(one, is_signed=True) for one in frame["difference"]],
            f"{level_text(experiment.statistics.confidence)} interval": _intervals(frame, is_signed=True),
            "p": frame["p_value"].map(p_value_text),
            **({"p, Holm": _p_values(frame["p_holm"])} if "p_holm" in frame else {}),
            "reading": [
                reading(low, high) for low, high in zip(frame["ci_low"], frame["ci_high"], strict=True)
            ],
        }
    )


def _place(experiment: AnyExperiment, frame: pd.DataFrame) -> dict[str, Any]:
    """Give the columns that say where a number belongs; the rules only if there are several."""
    cells = zip(frame["benchmark"], frame["rules"], strict=True)
    place = {
        "benchmark": [benchmark_label(experiment, name, rules=rules) for name, rules in cells],
        "length": frame["gen_length"].astype(str),
    }
    return place | ({"rules": frame["rules"]} if len(experiment.scoring) > 1 else {})


def reading(low: float, high: float) -> str:
    """Say on which side of zero an interval lies."""
    return "above zero" if low > 0 else "below zero" if high < 0 else "not distinguishable from zero"


def count_readings(rows: pd.DataFrame) -> str:
    """Say how many intervals lie on which side of zero."""
    found = [reading(low, high) for low, high in zip(rows["ci_low"], rows["ci_high"], strict=True)]
    return ", ".join(f"{found.count(one)} {one}" for one in READINGS)


def corrected_rows(experiment: AnyExperiment, contrasts: pd.DataFrame) -> pd.DataFrame:
    """Select the rows of several contrasts whose p-values are corrected, by the first rules."""
    return contrasts[contrasts["p_holm"].notna() & (contrasts["rules"] == experiment.scoring[0])]


def _headline_presentation(experiment: AnyExperiment, rules: str) -> "_Presentation":
    by_rules = f" by the rules {rules}" if len(experiment.scoring) > 1 else ""
    return (
        lambda experiment, frame: _show_headline(experiment, frame, rules),
        f"accuracy{by_rules}",
        lambda experiment, frame: notes.on_headline(experiment, rules),
    )


def _show_headline(experiment: AnyExperiment, frame: pd.DataFrame, rules: str) -> pd.DataFrame:
    rows = zip(frame["method"], frame["dataset"], strict=True)
    if isinstance(experiment, StoredGenerations):
        cells = {"model": pd.Series([f"{method}{dataset or ''}" for method, dataset in rows])}
    else:
        cells = {"method": pd.Series([group_label(method, dataset) for method, dataset in rows])}
    for key, heading in headline_headings(experiment, rules).items():
        cells[heading] = frame[key].fillna("").astype(str)
    return pd.DataFrame(cells)


def _show_published(experiment: AnyExperiment, frame: pd.DataFrame) -> pd.DataFrame:
    groups = zip(frame["method"], frame["dataset"], strict=True)
    ours = zip(frame["ours"], frame["ours_sd"], strict=True)
    return pd.DataFrame(
        {
            "method": [group_label(method, dataset) for method, dataset in groups],
            "benchmark": [benchmark_label(experiment, name) for name in frame["benchmark"]],
            "length": frame["gen_length"].astype(str),
            "seeds": frame["num_seeds"].astype(str),
            "ours, %": [percent_spread(mean, sd) for mean, sd in ours],
            f"{WEFT_PAPER}, %": frame["weft_paper"].map(percent),
            f"{D1}, %": frame["d1"].map(percent),
        }
    )


def _show_rules(experiment: AnyExperiment, frame: pd.DataFrame) -> pd.DataFrame:
    first, *further = experiment.scoring
    cells = {
        "benchmark": [benchmark_name(experiment, name) for name in frame["benchmark"]],
        "length": frame["gen_length"].astype(str),
        "n": frame["n"].astype(str),
        "published, %": frame["published_accuracy"].map(percent),
    }
    for rules in experiment.scoring:
        cells[f"{rules}, %"] = frame[f"accuracy_{rules}"].map(percent)
        bounds = zip(frame[f"ci_low_{rules}"], frame[f"ci_high_{rules}"], strict=True)
        level = level_text(experiment.statistics.confidence)
        cells[f"{rules}, {level} interval"] = [percent_interval(low, high) for low, high in bounds]
    for rules in further:
        differences = frame[f"difference_{rules}"]
        cells[f"{rules} minus {first}, points"] = [percent(one, is_signed=True) for one in differences]
    for rules in experiment.scoring:
        cells[f"unscorable by {rules}"] = frame[f"num_unscorable_{rules}"].astype(str)
    return pd.DataFrame(cells)


def _show_answers(experiment: AnyExperiment, frame: pd.DataFrame) -> pd.DataFrame:
    if isinstance(experiment, StoredGenerations):
        heading, who = "model", list(frame["method"])
    else:
        groups = zip(frame["method"], frame["dataset"], strict=True)
        heading, who = "method", [group_label(method, dataset) for method, dataset in groups]
    cells = {
        heading: who,
        "benchmark": [benchmark_name(experiment, name) for name in frame["benchmark"]],
        "length": frame["gen_length"].astype(str),
        "answers": frame["n"].astype(str),
        "tokens, mean": [_number(value) for value in frame["mean_length"]],
        "tokens, median": [_number(value) for value in frame["median_length"]],
        "no end": _counts(frame["num_no_end"]),
        "not closed": _counts(frame["num_unclosed"]),
        "puzzle copied": _counts(frame["num_copies"]),
        "with zeros": _counts(frame["num_with_zeros"]),
        "cells at 0, %": [_percent_or_nothing(value) for value in frame["zero_share"]],
        "cells right, %": [_percent_or_nothing(value) for value in frame["right_share"]],
        "boards solved": _counts(frame["num_solved"]),
    }
    return pd.DataFrame(cells)


def _show_costs(experiment: AnyExperiment, frame: pd.DataFrame) -> pd.DataFrame:
    ranges = zip(frame["ratio_low"], frame["ratio_high"], strict=True)
    return pd.DataFrame(
        {
            "method": _groups(frame),
            "seeds": frame["num_seeds"].astype(str),
            "seconds per step": [f"{value:.3g}" for value in frame["seconds_per_step"]],
            f"relative to {method_label(frame['control'].iloc[0])}": [f"{one:.2f}" for one in frame["ratio"]],
            "range over seeds": [f"{low:.2f} to {high:.2f}" for low, high in ranges],
        }
    )


def _show_gradients(experiment: AnyExperiment, frame: pd.DataFrame) -> pd.DataFrame:
    """The variance and the cosine are the same in all rows of a method; they stand in the first."""
    shares = zip(frame["gradient_share_low"], frame["gradient_share_high"], strict=True)
    variances = zip(
        frame["relative_variance"],
        frame["relative_variance_low"],
        frame["relative_variance_high"],
        strict=True,
    )
    is_first = frame["quintile"] == frame["quintile"].min()
    variance = [f"{value:.3g} ({low:.3g} to {high:.3g})" for value, low, high in variances]
    cosine = [
        "" if pd.isna(value) else f"{value:.2f}".replace("-", MINUS) for value in frame["cosine_to_sft"]
    ]
    return pd.DataFrame(
        {
            "method": _groups(frame),
            "quintile": frame["quintile"].astype(str),
            "answer tokens": frame["num_tokens"].astype(str),
            "entropy, nats": [f"{value:.2f}" for value in frame["mean_entropy"]],
            "masking rate": [f"{value:.2f}" for value in frame["mean_rate"]],
            "weight, %": frame["weight_share"].map(percent),
            "loss, %": frame["loss_share"].map(percent),
            "gradient, %": frame["gradient_share"].map(percent),
            "interval": [percent_interval(low, high) for low, high in shares],
            "relative variance": pd.Series(variance, index=frame.index).where(is_first, ""),
            "cosine to SFT": pd.Series(cosine, index=frame.index).where(is_first, ""),
        }
    )


def _show_ratios(experiment: AnyExperiment, frame: pd.DataFrame) -> pd.DataFrame:
    kinds = {"answer": "answer tokens", "padding": "padding"}
    several = isinstance(experiment, FineTuning) and len(experiment.datasets) > 1
    cells: dict[str, pd.Series] = {"training set": frame["dataset"]} if several else {}
    cells |= {
        "tokens": frame["kind"].map(kinds),
        "mean over": frame["reference"].map(REFERENCES),
        "number": frame["num_tokens"].astype(str),
        "mean": frame["mean"].map(_two_decimals),
    }
    for quantile in QUANTILES:
        cells[f"{100 * quantile:g} %"] = frame[f"q{100 * quantile:02.0f}"].map(_two_decimals)
    cells[f"r > {LARGE:g}, %"] = frame["share_large"].map(percent)
    return pd.DataFrame(cells)


def _groups(frame: pd.DataFrame) -> list[str]:
    """Name the methods, with the data set only if there are several."""
    if frame["dataset"].nunique() == 1:
        return [method_label(method) for method in frame["method"]]
    return [
        group_label(method, dataset)
        for method, dataset in zip(frame["method"], frame["dataset"], strict=True)
    ]


def _two_decimals(value: float) -> str:
    return f"{value:.2f}"


def _p_values(column: pd.Series) -> list[str]:
    return ["" if pd.isna(value) else p_value_text(float(value)) for value in column]


def _number(value: Any) -> str:
    return "" if pd.isna(value) else f"{value:.1f}"


def _percent_or_nothing(value: Any) -> str:
    return "" if pd.isna(value) else percent(float(value))


def _counts(column: pd.Series) -> list[str]:
    return ["" if pd.isna(value) else str(int(value)) for value in column]


def _intervals(frame: pd.DataFrame, *, is_signed: bool = False) -> list[str]:
    bounds = zip(frame["ci_low"], frame["ci_high"], strict=True)
    return [percent_interval(low, high, is_signed=is_signed) for low, high in bounds]


_Show = Callable[[AnyExperiment, pd.DataFrame], pd.DataFrame]
_Notes = Callable[[AnyExperiment, pd.DataFrame], tuple[str, ...]]
_Presentation = tuple[_Show, str, _Notes]
_PRESENTATIONS: Mapping[str, _Presentation] = {
    "scores": (_show_scores, "accuracy of every run", notes.on_scores),
    "methods": (_show_methods, "accuracy of every method over training seeds", notes.on_methods),
    "contrasts": (_show_contrasts, "paired comparison", notes.on_contrasts),
    "rules": (_show_rules, "the rules beside each other", notes.on_rules),
    "costs": (_show_costs, "cost of an optimiser step", notes.on_costs),
    "gradients": (_show_gradients, "where the gradient comes from", notes.on_gradients),
    "ratios": (_show_ratios, "masking-rate ratios", notes.on_ratios),
    "answers": (_show_answers, "how the answers end", notes.on_answers),
    "published": (_show_published, "beside the published numbers", notes.on_published),
}

"""Convert the tables to text for readers: numbers in percent, with labels and notes."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from weft.config import CUSTOM_SCORING, Experiment
from weft.report import notes
from weft.report.counterparts import has_paper_lengths
from weft.report.labels import (
    DASH,
    MINUS,
    benchmark_label,
    benchmark_name,
    custom_note,
    full_caption,
    group_label,
    join_words,
    level_text,
    method_label,
    p_value_text,
    percent,
    percent_interval,
    percent_spread,
    seconds_text,
    summary_benchmark,
)
from weft.report.outputs import PAPER_TABLE, list_headlines
from weft.report.paper_table import paper_cells
from weft.report.published_numbers import D1, MIXED, NUM_QUESTIONS, WEFT_PAPER
from weft.report.ratios import LARGE, QUANTILES, REFERENCES
from weft.report.words import NUM_SHOWN
from weft.stats import AVERAGE

TEXT_HEADINGS = {
    "run", "model", "method", "training set", "benchmark", "method of interval", "contrast", "conclusion",
    "tokens", "normalised over", "scoring", "question", "reason", "word",
}  # fmt: skip
"""Headings of left-aligned columns."""
MAY_BE_CONSTANT = ("model", "contrast", "training set", "length")
"""Headings of columns that are replaced by a sentence if all rows have the same value."""
MAY_BE_EMPTY = ("steps, mean", "sampling, s", "GPU hours")
"""Headings of columns that are left out if no value is known."""
INTERVALS = {
    "wilson": "Wilson",
    "wilson, clustered": "Wilson, by puzzle",
    "none": "none, all questions",
    "too few questions": "none, too few questions",
}
"""Kind of an interval in the scores table -> its description."""


@dataclass(frozen=True)
class Table:
    """A table for readers.

    Attributes:
        name: name of the table's files without their ending.
        experiment: title of the experiment.
        subject: what the table shows, in a few words.
        cells: the cells as text, with the headings as column names.
        caption: caption of the experiment.
        notes: sentences that define the numbers.
    """

    name: str
    experiment: str
    subject: str
    cells: pd.DataFrame
    caption: str
    notes: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Title of the experiment and subject of the table."""
        return f"{self.experiment}: {self.subject}"


def present(experiment: Experiment, name: str, frame: pd.DataFrame) -> Table:
    """Convert the numbers of a table to text.

    Args:
        experiment: the experiment.
        name: one of `weft.report.outputs.list_tables`.
        frame: the numbers.

    Returns:
        The table for readers.
    """
    scoring = list_headlines(experiment).get(name)
    if scoring is not None:
        by_scoring = f" ({scoring} scoring)" if len(experiment.applied_scorings) > 1 else ""
        subject, cells = f"accuracy{by_scoring}", _headline_cells(experiment, frame, scoring)
        sentences = notes.on_headline(experiment, scoring)
    else:
        subject, make_cells = _PRESENTATIONS[name]
        shown = name_custom_scoring(experiment, frame)
        cells, sentences = make_cells(experiment, shown), notes.table_notes(experiment, name, shown)
    if experiment.custom_benchmarks and (scoring is not None or "benchmark" in frame):
        sentences = (*sentences, custom_note(experiment))
    table, shared = _drop_constant(pd.DataFrame(cells))
    return Table(name, experiment.title, subject, table, full_caption(experiment), (*shared, *sentences))


def _drop_constant(cells: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Remove empty columns, and some with the same value in all rows; a sentence says what it is."""
    constant = {
        heading: cells[heading].iloc[0]
        for heading in MAY_BE_CONSTANT
        if heading in cells and len(cells) > 1 and cells[heading].nunique() == 1 and cells[heading].iloc[0]
    }
    texts = [
        f"the {heading} is {value}" + (" tokens" if heading == "length" else "")
        for heading, value in constant.items()
    ]
    empty = [name for name in MAY_BE_EMPTY if name in cells and len(cells) > 1 and cells[name].eq("").all()]
    return cells.drop(columns=[*constant, *empty]), (f"In all rows, {join_words(texts)}.",) if texts else ()


def name_custom_scoring(experiment: Experiment, frame: pd.DataFrame) -> pd.DataFrame:
    """Replace the name of the scoring in the rows of custom benchmarks, which have a scoring of their own."""
    if "rules" not in frame or not experiment.custom_benchmarks:
        return frame
    is_custom = frame["benchmark"].isin(experiment.custom_benchmarks)
    return frame.assign(rules=frame["rules"].mask(is_custom, CUSTOM_SCORING))


def headline_headings(experiment: Experiment, scoring: str) -> dict[str, str]:
    """Return the columns of a headline table as a mapping from key, such as sudoku_48, to heading."""
    lengths = experiment.gen_lengths
    names = list(experiment.benchmark_names)
    if len(names) > 1:
        names.append(AVERAGE)
    if scoring != experiment.scoring[0]:
        names = [name for name in names if name not in experiment.custom_benchmarks]
    headings = {
        headline_key(name, length): benchmark_label(experiment, name, scoring=scoring)
        + (f", {length}" if len(lengths) > 1 else "")
        for name in names
        for length in lengths
    }
    if has_paper_lengths(experiment):
        headings[headline_key(AVERAGE, MIXED)] = "average, lengths of the paper"
    return headings


def headline_key(benchmark: str, gen_length: int | str) -> str:
    """Return the name of a column of a headline table."""
    return f"{benchmark}_{gen_length}"


def main_rows(experiment: Experiment, contrasts: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the averages by the first scoring, or of the only benchmark."""
    is_main = contrasts["benchmark"] == summary_benchmark(experiment)
    return contrasts[is_main & (contrasts["rules"] == experiment.scoring[0])]


def length_text(gen_length: int | str) -> str:
    """Format the length of answers."""
    return "lengths of the paper" if gen_length == MIXED else f"{gen_length} tokens"


ALL = "all"
"""Name of the row and the column of totals."""
NO_CLEAR_GAIN = "any value"
"""Text in place of the interval of a relative gain if the control hardly gains."""
Cells = dict[str, pd.Series | list[str]]
"""Heading -> cells of a column, as text."""


def _headline_cells(experiment: Experiment, frame: pd.DataFrame, scoring: str) -> Cells:
    if not experiment.trained_runs:
        return _stored_headline_cells(experiment, frame, scoring)
    cells: Cells = {"method": _group_labels(frame)}
    for key, heading in headline_headings(experiment, scoring).items():
        cells[heading] = frame[key].fillna("").astype(str)
    return cells


def _stored_headline_cells(experiment: Experiment, frame: pd.DataFrame, scoring: str) -> Cells:
    """Return a row per benchmark, and the accuracies at each length, with the published ones, as columns."""
    names = [*experiment.benchmark_names, *([AVERAGE] if len(experiment.benchmark_names) > 1 else [])]
    cells: Cells = {"benchmark": [benchmark_label(experiment, name, scoring=scoring) for name in names]}
    for length in experiment.gen_lengths:
        keys = [headline_key(name, length) for name in names]
        for index, suffix in enumerate(("", " published")[: len(frame)]):
            cells[f"{length} tokens{suffix}, %"] = frame.iloc[index][keys].fillna("").astype(str).tolist()
    return cells


def _agreement_cells(experiment: Experiment, frame: pd.DataFrame) -> Cells:
    """Return a row per benchmark and for all of them, with the lengths as columns."""
    names = [*experiment.benchmark_names, ALL]
    cells: Cells = {"benchmark": [ALL if name == ALL else benchmark_name(experiment, name) for name in names]}
    at_lengths = {
        f"{length} tokens": frame[frame["gen_length"] == length] for length in experiment.gen_lengths
    }
    for heading, rows in (at_lengths | {"all lengths": frame}).items():
        parts = [rows if name == ALL else rows[rows["benchmark"] == name] for name in names]
        cells[heading] = [equal_text(part) or DASH for part in parts]
    return cells


def equal_text(rows: pd.DataFrame) -> str:
    """Format the number of equal verdicts in rows of the agreement table; empty if none can be compared."""
    num_equal, num_compared = (int(rows[name].sum()) for name in ("num_equal", "num_compared"))
    return f"{num_equal:,} of {num_compared:,}" if num_compared else ""


def _unscorable_cells(experiment: Experiment, frame: pd.DataFrame) -> Cells:
    return {
        "benchmark": [benchmark_name(experiment, name) for name in frame["benchmark"]],
        "length": frame["gen_length"].astype(str),
        "scoring": frame["rules"],
        "question": frame["example_id"],
        "reason": frame["reason"],
    }


def _score_cells(experiment: Experiment, frame: pd.DataFrame) -> Cells:
    is_stored = "published_accuracy" in frame
    sizes = frame["n"].astype(str)
    if is_stored:
        sizes += " of " + frame["benchmark"].map(NUM_QUESTIONS).astype(str)
    return {
        **({"model": frame["method"]} if is_stored else {"run": frame["run"]}),
        **_place_cells(experiment, frame),
        "n": sizes,
        "correct": frame["num_correct"].astype(str),
        "unscorable": frame["num_unscorable"].astype(str),
        "accuracy, %": frame["accuracy"].map(percent),
        **({"published, %": frame["published_accuracy"].map(percent)} if is_stored else {}),
        _interval_heading(experiment): _intervals(frame),
        "method of interval": frame["interval"].map(INTERVALS),
    }


def _method_cells(experiment: Experiment, frame: pd.DataFrame) -> Cells:
    return {
        "method": frame["method"].map(method_label),
        "training set": frame["dataset"].fillna(""),
        **_place_cells(experiment, frame),
        "seeds": frame["num_seeds"].astype(str),
        "mean, %": frame["mean"].map(percent),
        "sd": frame["sd"].map(percent),
        "minimum": frame["minimum"].map(percent),
        "maximum": frame["maximum"].map(percent),
        _interval_heading(experiment): _intervals(frame),
    }


def _contrast_cells(experiment: Experiment, frame: pd.DataFrame) -> Cells:
    pairs = zip(frame["treatment"], frame["control"], strict=True)
    return {
        "contrast": [
            f"{method_label(treatment)} minus {method_label(control)}" for treatment, control in pairs
        ],
        "training set": frame["dataset"],
        **_place_cells(experiment, frame),
        "difference, points": [percent(value, is_signed=True) for value in frame["difference"]],
        _interval_heading(experiment): _intervals(frame, is_signed=True),
        "p": _texts(frame["p_value"], p_value_text),
        "p, Holm": _texts(frame["p_holm"], p_value_text),
        "detectable, points": _texts(frame["minimum_detectable_difference"], percent),
        "conclusion": frame["conclusion"],
    }


def _seed_cells(experiment: Experiment, frame: pd.DataFrame) -> Cells:
    return {
        "training set": frame["dataset"],
        **_place_cells(
            experiment, name_custom_scoring(experiment, frame.assign(rules=str(experiment.scoring[0])))
        ),
        "seed": frame["seed"].astype(str),
        "difference, points": [percent(value, is_signed=True) for value in frame["difference"]],
        **{
            f"only {method_label(method)} correct": frame[name].astype(str)
            for method, name in zip(experiment.contrasts[0], ("only_treatment", "only_control"), strict=True)
        },
        "questions": frame["n"].astype(str),
    }


def _gain_cells(experiment: Experiment, frame: pd.DataFrame) -> Cells:
    control = experiment.contrasts[0][1]
    return {
        "method": _group_labels(frame),
        "length": frame["gen_length"].astype(str),
        "seeds": frame["num_seeds"].astype(str),
        "base model, %": frame["base"].map(percent),
        "mean, %": frame["mean"].map(percent),
        "gain, points": [percent(value, is_signed=True) for value in frame["gain"]],
        "relative gain, %": [percent(value, is_signed=True) for value in frame["relative_gain"]],
        _interval_heading(experiment): [
            (NO_CLEAR_GAIN if method != control else "")
            if pd.isna(low)
            else percent_interval(low, high, is_signed=True)
            for method, low, high in zip(
                frame["method"], frame["relative_gain_low"], frame["relative_gain_high"], strict=True
            )
        ],
    }


def _place_cells(experiment: Experiment, frame: pd.DataFrame) -> Cells:
    """Return the cells with benchmark and generation length, and the scoring rules if there are several."""
    places = zip(frame["benchmark"], frame["rules"], strict=True)
    cells: Cells = {
        "benchmark": [benchmark_label(experiment, name, scoring=scoring) for name, scoring in places],
        "length": frame["gen_length"].astype(str),
    }
    if len(experiment.applied_scorings) > 1:
        cells["scoring"] = frame["rules"]
    return cells


def _curve_cells(experiment: Experiment, frame: pd.DataFrame) -> Cells:
    keys = ["method", "dataset", "optimizer_step"]
    averages = frame[frame["benchmark"] == AVERAGE].reset_index(drop=True)
    cells: Cells = {"method": _group_labels(averages), "steps": averages["optimizer_step"].astype(str)}
    for name in [*experiment.curve_benchmarks, AVERAGE]:
        heading = f"{benchmark_label(experiment, name, scoring=experiment.scoring[0])}, %"
        part = averages[keys].merge(frame[frame["benchmark"] == name], on=keys)
        cells[heading] = [percent_spread(mean, sd) for mean, sd in zip(part["mean"], part["sd"], strict=True)]
    ends = zip(averages["minimum"], averages["maximum"], strict=True)
    return {**cells, "range of the average": [f"{percent(low)} to {percent(high)}" for low, high in ends]}


def _speed_cells(experiment: Experiment, frame: pd.DataFrame) -> Cells:
    averages = frame[frame["benchmark"] == AVERAGE]
    seeds = averages[[column for column in frame.columns if column.startswith("seed_")]]
    cells: Cells = {"method": _short_labels(averages)}
    for name in [*experiment.curve_benchmarks, AVERAGE]:
        part = frame[frame["benchmark"] == name]
        counts = zip(part["mean"], part["num_seeds"], strict=True)
        heading = benchmark_label(experiment, name, scoring=experiment.scoring[0])
        cells[heading] = [_speed_text(mean, count, seeds.shape[1]) for mean, count in counts]
    by_seed = [", ".join(_speed_text(step, 1, 1) for step in row) for row in seeds.itertuples(index=False)]
    return {**cells, "average, by seed": by_seed}


def _speed_text(step: float, num_reaching: int, num_seeds: int) -> str:
    """Format a number of steps, with the number of runs that reach the level unless all of them do."""
    if pd.isna(step):
        return DASH
    return f"{step:.0f}" if num_reaching == num_seeds else f"{step:.0f} ({num_reaching} of {num_seeds})"


def _published_cells(experiment: Experiment, frame: pd.DataFrame) -> Cells:
    ours = zip(frame["ours"], frame["ours_sd"], strict=True)
    return {
        "method": _group_labels(frame),
        "benchmark": [benchmark_label(experiment, name) for name in frame["benchmark"]],
        "length": frame["gen_length"].astype(str),
        "seeds": frame["num_seeds"].astype(str),
        "ours, %": [percent_spread(mean, sd) for mean, sd in ours],
        f"{WEFT_PAPER}, %": frame["weft_paper"].map(percent),
        f"{D1}, %": frame["d1"].map(percent),
    }


def _scoring_cells(experiment: Experiment, frame: pd.DataFrame) -> Cells:
    first, *further = experiment.scoring
    cells: Cells = {
        "benchmark": [benchmark_name(experiment, name) for name in frame["benchmark"]],
        "length": frame["gen_length"].astype(str),
        "n": frame["n"].astype(str),
        "published, %": frame["published_accuracy"].map(percent),
    }
    for scoring in experiment.scoring:
        cells[f"{scoring}, %"] = frame[f"accuracy_{scoring}"].map(percent)
        cells[f"{scoring}, {_interval_heading(experiment)}"] = _intervals(frame, suffix=f"_{scoring}")
    for scoring in further:
        differences = frame[f"difference_{scoring}"]
        cells[f"{scoring} minus {first}, points"] = [percent(value, is_signed=True) for value in differences]
    for scoring in experiment.scoring:
        cells[f"unscorable, {scoring}"] = frame[f"num_unscorable_{scoring}"].astype(str)
    return cells


def _answer_cells(experiment: Experiment, frame: pd.DataFrame) -> Cells:
    return {
        **({"method": _group_labels(frame)} if experiment.trained_runs else {"model": frame["method"]}),
        "benchmark": [benchmark_name(experiment, name) for name in frame["benchmark"]],
        "length": frame["gen_length"].astype(str),
        "answers": frame["n"].astype(str),
        "accuracy, %": _texts(frame["accuracy"], percent),
        "tokens, mean": _texts(frame["mean_length"], "{:.1f}".format),
        "tokens, median": _texts(frame["median_length"], "{:.1f}".format),
        "steps, mean": _texts(frame["mean_steps"], "{:.1f}".format),
        "length limit reached": _texts(frame["num_no_end"], "{:.0f}".format),
        "</answer> missing": _texts(frame["num_unclosed"], "{:.0f}".format),
        "puzzle copied": _texts(frame["num_copies"], "{:.0f}".format),
        "boards with blanks": _texts(frame["num_with_zeros"], "{:.0f}".format),
        "blank cells, %": _texts(frame["zero_share"], percent),
        "cells right, %": _texts(frame["right_share"], percent),
        "boards solved": _texts(frame["num_solved"], "{:.0f}".format),
    }


def _cost_cells(experiment: Experiment, frame: pd.DataFrame) -> Cells:
    ranges = zip(frame["ratio_low"], frame["ratio_high"], strict=True)
    control = method_label(frame["control"].iloc[0])
    return {
        "method": _short_labels(frame),
        "runs": frame["num_runs"].astype(str),
        "seconds per step": _texts(frame["seconds_per_step"], seconds_text),
        f"relative to {control}": _texts(frame["ratio"], "{:.2f}".format),
        "range over seeds": ["" if pd.isna(low) else f"{low:.2f} to {high:.2f}" for low, high in ranges],
        "operations, relative": _texts(frame["operations_ratio"], "{:.2f}".format),
        "of these probe, %": _texts(frame["probe_share"], percent),
        "training, s": _texts(frame["train_seconds"], "{:,.0f}".format),
        "sampling, s": _texts(frame["sampling_seconds"], "{:,.0f}".format),
        "GPU hours": _texts(frame["gpu_hours"], "{:,.1f}".format),
    }


def _gradient_cells(experiment: Experiment, frame: pd.DataFrame) -> Cells:
    """Return the cells; the variance and the cosine of a method are in its first row only."""
    shares = zip(frame["gradient_share_low"], frame["gradient_share_high"], strict=True)
    is_first = frame["quintile"] == frame["quintile"].min()
    return {
        "method": _short_labels(frame),
        "quintile": frame["quintile"].astype(str),
        "answer tokens": frame["num_tokens"].astype(str),
        "entropy, nats": frame["mean_entropy"].map("{:.2f}".format),
        "masking rate": frame["mean_rate"].map("{:.2f}".format),
        "weight, %": frame["weight_share"].map(percent),
        "loss, %": frame["loss_share"].map(percent),
        "gradient, %": frame["gradient_share"].map(percent),
        "interval": [percent_interval(low, high) for low, high in shares],
        "relative variance": _with_intervals(frame, "relative_variance", "{:.3g}").where(is_first, ""),
        "cosine to SFT": _with_intervals(frame, "cosine_to_sft", "{:.2f}").where(is_first, ""),
    }


def _with_intervals(frame: pd.DataFrame, name: str, form: str) -> pd.Series:
    """Format a column with its interval; missing numbers become empty texts."""
    values = zip(frame[name], frame[f"{name}_low"], frame[f"{name}_high"], strict=True)
    texts = [
        "" if pd.isna(value) else f"{form} ({form} to {form})".format(value, low, high)
        for value, low, high in values
    ]
    return pd.Series(texts, index=frame.index).str.replace("-", MINUS)


def _ratio_cells(experiment: Experiment, frame: pd.DataFrame) -> Cells:
    cells: Cells = {"training set": frame["dataset"]} if len(experiment.dataset_names) > 1 else {}
    cells |= {
        "tokens": frame["kind"].map({"answer": "answer tokens", "padding": "padding"}),
        "normalised over": frame["reference"].map(REFERENCES),
        "number": frame["num_tokens"].astype(str),
        "mean": frame["mean"].map("{:.2f}".format),
    }
    for quantile in QUANTILES:
        cells[f"{100 * quantile:g} %"] = frame[f"q{100 * quantile:02.0f}"].map("{:.2f}".format)
    cells[f"r > {LARGE:g}, %"] = frame["share_large"].map(percent)
    return cells


def _word_cells(experiment: Experiment, frame: pd.DataFrame) -> Cells:
    """Return the cells of both ends of each ranking; the CSV file has all words."""
    size = frame.groupby("dataset")["rank"].transform("size")
    shown = frame[(frame["rank"] <= NUM_SHOWN) | (frame["rank"] > size - NUM_SHOWN)]
    cells: Cells = {"training set": shown["dataset"]} if len(experiment.dataset_names) > 1 else {}
    return cells | {
        "rank": shown["rank"].astype(str),
        "word": shown["word"],
        "occurrences": shown["count"].map("{:,}".format),
        "mean entropy, nats": shown["mean_entropy"].map("{:.2f}".format),
    }


def _group_labels(frame: pd.DataFrame) -> list[str]:
    groups = zip(frame["method"], frame["dataset"], strict=True)
    return [group_label(method, dataset) for method, dataset in groups]


def _short_labels(frame: pd.DataFrame) -> list[str]:
    """Return the names of the methods, with the training set only if there are several."""
    if frame["dataset"].nunique() == 1:
        return [method_label(method) for method in frame["method"]]
    return _group_labels(frame)


def _interval_heading(experiment: Experiment) -> str:
    return f"{level_text(experiment.statistics.confidence)} interval"


def _intervals(frame: pd.DataFrame, *, is_signed: bool = False, suffix: str = "") -> list[str]:
    bounds = zip(frame[f"ci_low{suffix}"], frame[f"ci_high{suffix}"], strict=True)
    return [percent_interval(low, high, is_signed=is_signed) for low, high in bounds]


def _texts(values: Iterable[Any], form: Callable[[float], str]) -> list[str]:
    """Format numbers; missing numbers become empty texts."""
    return ["" if pd.isna(value) else form(float(value)) for value in values]


_PRESENTATIONS: Mapping[str, tuple[str, Callable[[Experiment, pd.DataFrame], Cells]]] = {
    PAPER_TABLE: ("accuracy and gain", paper_cells),
    "scores": ("accuracy of every run", _score_cells),
    "methods": ("accuracy of every method over training seeds", _method_cells),
    "gains": ("gain over the base model", _gain_cells),
    "contrasts": ("paired comparison", _contrast_cells),
    "seeds": ("differences by training seed", _seed_cells),
    "rules": ("comparison of the scorings", _scoring_cells),
    "learning_curves": ("accuracy on validation questions during training", _curve_cells),
    "learning_speed": ("optimiser steps to half of the gain", _speed_cells),
    "costs": ("costs", _cost_cells),
    "gradients": ("origin of the gradient", _gradient_cells),
    "ratios": ("masking-rate ratios", _ratio_cells),
    "words": ("words with the highest and the lowest entropy", _word_cells),
    "answers": ("format and length of the answers", _answer_cells),
    "agreement": ("verdicts that equal those of d1's own code", _agreement_cells),
    "unscorable": ("answers that cannot be scored", _unscorable_cells),
    "published": ("comparison with the published numbers", _published_cells),
}

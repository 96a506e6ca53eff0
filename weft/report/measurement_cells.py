"""Convert the tables of measurements to text: learning curves, answers, costs, gradients and entropies."""

import pandas as pd

from weft.config import Experiment
from weft.report.cells import (
    Cells,
    format_known,
    group_labels,
    short_labels,
)
from weft.report.costs import has_other_methods
from weft.report.labels import (
    DASH,
    MINUS,
    benchmark_label,
    benchmark_name,
    method_label,
    model_heading,
    percent,
    percent_interval,
    percent_spread,
    seconds_text,
)
from weft.report.ratios import LARGE, QUANTILES, REFERENCES
from weft.report.words import NUM_SHOWN
from weft.stats import AVERAGE


def curve_cells(experiment: Experiment, frame: pd.DataFrame) -> Cells:
    """Return the learning curves."""
    keys = ["method", "dataset", "optimizer_step"]
    averages = frame[frame["benchmark"] == AVERAGE].reset_index(drop=True)
    cells: Cells = {"method": group_labels(averages), "steps": averages["optimizer_step"].astype(str)}
    for name in [*experiment.curve_benchmarks, AVERAGE]:
        heading = f"{benchmark_label(experiment, name, scoring=experiment.scoring[0])}, %"
        part = averages[keys].merge(frame[frame["benchmark"] == name], on=keys)
        cells[heading] = [percent_spread(mean, sd) for mean, sd in zip(part["mean"], part["sd"], strict=True)]
    ends = zip(averages["minimum"], averages["maximum"], strict=True)
    return {**cells, "range of the average": [f"{percent(low)} to {percent(high)}" for low, high in ends]}


def speed_cells(experiment: Experiment, frame: pd.DataFrame) -> Cells:
    """Return the numbers of steps to half of the gain."""
    averages = frame[frame["benchmark"] == AVERAGE]
    seeds = averages[[column for column in frame.columns if column.startswith("seed_")]]
    cells: Cells = {"method": short_labels(averages)}
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


def answer_cells(experiment: Experiment, frame: pd.DataFrame) -> Cells:
    """Return format and length of the answers."""
    return {
        model_heading(experiment): group_labels(frame),
        "benchmark": [benchmark_name(experiment, name) for name in frame["benchmark"]],
        "length": frame["gen_length"].astype(str),
        "answers": frame["n"].astype(str),
        "accuracy, %": format_known(frame["accuracy"], percent),
        "tokens, mean": format_known(frame["mean_length"], "{:.1f}".format),
        "tokens, median": format_known(frame["median_length"], "{:.1f}".format),
        "steps, mean": format_known(frame["mean_steps"], "{:.1f}".format),
        "length limit reached": format_known(frame["num_no_end"], "{:.0f}".format),
        "</answer> missing": format_known(frame["num_unclosed"], "{:.0f}".format),
        "puzzle copied": format_known(frame["num_copies"], "{:.0f}".format),
        "boards with blanks": format_known(frame["num_with_zeros"], "{:.0f}".format),
        "blank cells, %": format_known(frame["zero_share"], percent),
        "cells right, %": format_known(frame["right_share"], percent),
        "boards solved": format_known(frame["num_solved"], "{:.0f}".format),
    }


def cost_cells(experiment: Experiment, frame: pd.DataFrame) -> Cells:
    """Return the costs of training and sampling."""
    ranges = zip(frame["ratio_low"], frame["ratio_high"], strict=True)
    control = method_label(frame["control"].iloc[0])
    relative: Cells = {
        f"relative to {control}": format_known(frame["ratio"], "{:.2f}".format),
        "range over seeds": ["" if pd.isna(low) else f"{low:.2f} to {high:.2f}" for low, high in ranges],
        "operations, relative": format_known(frame["operations_ratio"], "{:.2f}".format),
    }
    is_compared = has_other_methods(frame)
    return {
        "method": short_labels(frame),
        "runs": frame["num_runs"].astype(str),
        "seconds per step": format_known(frame["seconds_per_step"], seconds_text),
        **(relative if is_compared else {}),
        "of these probe, %" if is_compared else "probe, % of operations": format_known(
            frame["probe_share"], percent
        ),
        "training, s": format_known(frame["train_seconds"], "{:,.0f}".format),
        "sampling, s": format_known(frame["sampling_seconds"], "{:,.0f}".format),
        "GPU hours": format_known(frame["gpu_hours"], "{:,.1f}".format),
    }


def gradient_cells(experiment: Experiment, frame: pd.DataFrame) -> Cells:
    """Return the cells; the variance and the cosine of a method are in its first row only."""
    shares = zip(frame["gradient_share_low"], frame["gradient_share_high"], strict=True)
    is_first = frame["quintile"] == frame["quintile"].min()
    return {
        "method": short_labels(frame),
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


def ratio_cells(experiment: Experiment, frame: pd.DataFrame) -> Cells:
    """Return the distributions of the masking-rate ratios."""
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


def word_cells(experiment: Experiment, frame: pd.DataFrame) -> Cells:
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

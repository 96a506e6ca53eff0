"""Convert the tables of accuracies and verdicts to text."""

import pandas as pd

from weft.config import Experiment, FineTuning
from weft.report.cells import (
    Cells,
    format_intervals,
    format_known,
    group_labels,
    interval_heading,
    name_custom_scoring,
    place_cells,
)
from weft.report.labels import (
    DASH,
    benchmark_label,
    benchmark_name,
    method_label,
    model_heading,
    p_value_text,
    percent,
    percent_interval,
    percent_spread,
    unscorable_text,
)
from weft.report.published_numbers import D1, NUM_QUESTIONS, WEFT_PAPER

INTERVALS = {
    "wilson": "Wilson",
    "wilson, clustered": "Wilson, by puzzle",
    "none": "none, all questions",
    "too few questions": "none, too few questions",
}
"""Kind of an interval in the scores table -> its description."""
ALL = "all"
"""Name of the row and the column of totals."""
NO_CLEAR_GAIN = "any value"
"""Text in place of the interval of a relative gain if the control hardly gains."""


def agreement_cells(experiment: Experiment, frame: pd.DataFrame) -> Cells:
    """Return a row per benchmark and for all of them, with the lengths as columns."""
    names = [*experiment.benchmark_names, ALL]
    cells: Cells = {"benchmark": [ALL if name == ALL else benchmark_name(experiment, name) for name in names]}
    at_lengths = {
        f"{length} tokens": frame[frame["gen_length"] == length] for length in experiment.gen_lengths
    }
    for heading, rows in (at_lengths | {"all lengths": frame}).items():
        parts = [rows if name == ALL else rows[rows["benchmark"] == name] for name in names]
        cells[heading] = [_equal_text(part) or DASH for part in parts]
    return cells


def _equal_text(rows: pd.DataFrame) -> str:
    """Format the number of equal verdicts in rows of the agreement table; empty if none can be compared."""
    num_equal, num_compared = (int(rows[name].sum()) for name in ("num_equal", "num_compared"))
    return f"{num_equal:,} of {num_compared:,}" if num_compared else ""


def unscorable_cells(experiment: Experiment, frame: pd.DataFrame) -> Cells:
    """Return the answers that cannot be scored, with the reasons."""
    return {
        "benchmark": [benchmark_name(experiment, name) for name in frame["benchmark"]],
        "length": frame["gen_length"].astype(str),
        "scoring": frame["rules"],
        "question": frame["example_id"],
        "reason": frame["reason"],
    }


def score_cells(experiment: Experiment, frame: pd.DataFrame) -> Cells:
    """Return the accuracies of all runs."""
    is_stored = "published_accuracy" in frame
    sizes = frame["n"].astype(str)
    if is_stored:
        sizes += " of " + frame["benchmark"].map(NUM_QUESTIONS).astype(str)
    return {
        **({"run": frame["run"]} if experiment.trained_runs else {"model": group_labels(frame)}),
        **place_cells(experiment, frame),
        "n": sizes,
        "correct": frame["num_correct"].astype(str),
        "unscorable": [
            unscorable_text(*counts)
            for counts in zip(frame["num_unscorable"], frame["num_timed_out"], strict=True)
        ],
        "accuracy, %": frame["accuracy"].map(percent),
        **({"published, %": frame["published_accuracy"].map(percent)} if is_stored else {}),
        interval_heading(experiment): format_intervals(frame),
        "method of interval": frame["interval"].map(INTERVALS),
    }


def method_cells(experiment: Experiment, frame: pd.DataFrame) -> Cells:
    """Return the accuracies of the methods over training seeds, or of the models of an evaluation."""
    identity = {model_heading(experiment): frame["method"].map(method_label)}
    places, interval = place_cells(experiment, frame), {interval_heading(experiment): format_intervals(frame)}
    if not experiment.trained_runs:
        return {**identity, **places, "accuracy, %": frame["mean"].map(percent), **interval}
    return {
        **identity,
        "training set": frame["dataset"].fillna(""),
        **places,
        "seeds": frame["num_seeds"].astype(str),
        "mean, %": frame["mean"].map(percent),
        "sd": frame["sd"].map(percent),
        "minimum": frame["minimum"].map(percent),
        "maximum": frame["maximum"].map(percent),
        **interval,
    }


def contrast_cells(experiment: Experiment, frame: pd.DataFrame) -> Cells:
    """Return the paired comparisons."""
    pairs = zip(frame["treatment"], frame["control"], strict=True)
    return {
        "contrast": [
            f"{method_label(treatment)} minus {method_label(control)}" for treatment, control in pairs
        ],
        **({"training set": frame["dataset"]} if experiment.trained_runs else {}),
        **place_cells(experiment, frame),
        "difference, points": [percent(value, is_signed=True) for value in frame["difference"]],
        interval_heading(experiment): format_intervals(frame, is_signed=True),
        "p": format_known(frame["p_value"], p_value_text),
        "p, Holm": format_known(frame["p_holm"], p_value_text),
        "detectable, points": format_known(frame["minimum_detectable_difference"], percent),
        "conclusion": frame["conclusion"],
    }


def seed_cells(experiment: Experiment, frame: pd.DataFrame) -> Cells:
    """Return the differences of the main contrast by training seed."""
    return {
        "training set": frame["dataset"],
        **place_cells(
            experiment, name_custom_scoring(experiment, frame.assign(rules=str(experiment.scoring[0])))
        ),
        "seed": frame["seed"].astype(str),
        "difference, points": [percent(value, is_signed=True) for value in frame["difference"]],
        **{
            f"only {method_label(method)} correct": frame[name].astype(str)
            for method, name in zip(
                experiment.comparisons[0], ("only_treatment", "only_control"), strict=True
            )
        },
        "questions": frame["n"].astype(str),
    }


def gain_cells(experiment: Experiment, frame: pd.DataFrame) -> Cells:
    """Return the gains over the base model."""
    assert isinstance(experiment, FineTuning), "only a fine-tuning has gains"
    control = experiment.gain_control
    gains: Cells = {
        "method": group_labels(frame),
        "length": frame["gen_length"].astype(str),
        "seeds": frame["num_seeds"].astype(str),
        "base model, %": frame["base"].map(percent),
        "mean, %": frame["mean"].map(percent),
        "gain, points": [percent(value, is_signed=True) for value in frame["gain"]],
    }
    if control is None:
        return gains
    return {
        **gains,
        "relative gain, %": [percent(value, is_signed=True) for value in frame["relative_gain"]],
        interval_heading(experiment): [
            (NO_CLEAR_GAIN if method != control else "")
            if pd.isna(low)
            else percent_interval(low, high, is_signed=True)
            for method, low, high in zip(
                frame["method"], frame["relative_gain_low"], frame["relative_gain_high"], strict=True
            )
        ],
    }


def published_cells(experiment: Experiment, frame: pd.DataFrame) -> Cells:
    """Return our accuracies beside the published ones."""
    ours = zip(frame["ours"], frame["ours_sd"], strict=True)
    return {
        model_heading(experiment): group_labels(frame),
        "benchmark": [benchmark_label(experiment, name) for name in frame["benchmark"]],
        "length": frame["gen_length"].astype(str),
        **({"seeds": frame["num_seeds"].astype(str)} if experiment.trained_runs else {}),
        "ours, %": [percent_spread(mean, sd) for mean, sd in ours],
        f"{WEFT_PAPER}, %": frame["weft_paper"].map(percent),
        f"{D1}, %": frame["d1"].map(percent),
    }


def scoring_cells(experiment: Experiment, frame: pd.DataFrame) -> Cells:
    """Return the accuracies by each scoring beside each other."""
    first, *further = experiment.scoring
    cells: Cells = {
        "benchmark": [benchmark_name(experiment, name) for name in frame["benchmark"]],
        "length": frame["gen_length"].astype(str),
        "n": frame["n"].astype(str),
        "published, %": frame["published_accuracy"].map(percent),
    }
    for scoring in experiment.scoring:
        cells[f"{scoring}, %"] = frame[f"accuracy_{scoring}"].map(percent)
        cells[f"{scoring}, {interval_heading(experiment)}"] = format_intervals(frame, suffix=f"_{scoring}")
    for scoring in further:
        differences = frame[f"difference_{scoring}"]
        cells[f"{scoring} minus {first}, points"] = [percent(value, is_signed=True) for value in differences]
    for scoring in experiment.scoring:
        cells[f"unscorable, {scoring}"] = frame[f"num_unscorable_{scoring}"].astype(str)
    return cells

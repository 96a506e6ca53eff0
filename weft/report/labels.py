"""Format numbers and names for tables, figures and the page.

Only this module converts fractions to percent.
"""

import math
from collections.abc import Iterable

from weft.config import BASE_RUN, Experiment, Run
from weft.stats import AVERAGE

MINUS = "\N{MINUS SIGN}"
PLUS_MINUS = "\N{PLUS-MINUS SIGN}"
DASH = "\N{EN DASH}"
"""Text in place of a number that is not defined."""
MOST_DECIMALS = 4
"""Largest number of decimals of a percentage, which is that of the tables."""
BENCHMARKS = {"sudoku": "Sudoku 4×4", "countdown": "Countdown", "gsm8k": "GSM8K", "math500": "MATH-500"}
GENERATED = BENCHMARKS | {"gsm8k": "arithmetic (GSM8K rules)", "math500": "algebra (MATH-500 rules)"}
UNITS = {("sudoku", "d1"): "cells", ("sudoku", "strict"): "boards"}
"""(Benchmark, scoring) -> name of the units that are counted, if they are not questions."""
METHODS = {
    BASE_RUN: "base model",
    "sft": "SFT",
    "sft-2x": "SFT, two masks",
    "sft-masked": "SFT / masked tokens",
    "weft": "WeFT",
    "weft-answer": "WeFT / answer tokens",
    "weft-noweight": "WeFT, no weight",
    "weft-elbo": "WeFT, exact bound",
    "weft-raw": "WeFT, raw entropy",
    "weft-nll": "WeFT, NLL",
    "weft-permuted": "WeFT, permuted",
    "weft-frozen": "WeFT, frozen probe",
    "weft-refreshed": "WeFT, refreshed probe",
    "weft-sw": "WeFT, simple weights",
    "cart": "CART",
    "cart-lift": "CART × 1/t (LIFT)",
    "gift-lift": "GIFT (LIFT)",
}
"""Method -> short name for tables and figures; other methods are shown under their own names."""


def benchmark_name(experiment: Experiment, benchmark: str) -> str:
    """Return the name of a benchmark; the name of generated questions differs from the published one."""
    if benchmark == AVERAGE:
        return "average"
    if experiment.is_generated(benchmark):
        return GENERATED.get(benchmark, benchmark)
    return BENCHMARKS.get(benchmark, benchmark)


def summary_benchmark(experiment: Experiment) -> str:
    """Return the benchmark about which conclusions are drawn: the average, or the only one."""
    names = experiment.benchmark_names
    return AVERAGE if len(names) > 1 else names[0]


def benchmark_label(experiment: Experiment, benchmark: str, *, scoring: str | None = None) -> str:
    """Return the name of a benchmark with the units that a scoring counts; by default the first scoring."""
    name = benchmark_name(experiment, benchmark)
    unit = UNITS.get((benchmark, scoring or experiment.scoring[0]))
    return name if unit is None else f"{name} ({unit})"


def custom_note(experiment: Experiment) -> str:
    """Return a sentence about the scoring of the custom benchmarks; the experiment must have one."""
    names, scorings = join_words(experiment.custom_benchmarks), join_words(map(str, experiment.scoring))
    return (
        f"Answers to {names} are scored by the benchmark's own function, not by the {scorings} scoring; "
        "their scores enter all averages."
    )


def full_caption(experiment: Experiment) -> str:
    """Return the caption of all tables and figures, which begins with any approximations."""
    caption = experiment.caption.strip()
    if experiment.approximation is None:
        return caption
    return f"All answers are made by approximate sampling: {experiment.approximation}. {caption}"


def join_words(words: Iterable[str]) -> str:
    """Join words by commas, and the last one by "and"; there must be at least one."""
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last


def method_label(method: str) -> str:
    """Return the name of a method."""
    return METHODS.get(method, method)


def model_heading(experiment: Experiment) -> str:
    """Return what the rows of tables of accuracies are called: methods, or models that are only scored."""
    return "method" if experiment.trained_runs else "model"


def group_label(method: str, dataset: str | None) -> str:
    """Return the name of a method and its training set."""
    return method_label(method) if dataset is None else f"{method_label(method)}, {dataset}"


def run_label(run: Run) -> str:
    """Return the name of a run: its method, training set and seed."""
    return group_label(run.method, run.dataset) + ("" if run.seed is None else f", seed {run.seed}")


def percent(fraction: float, *, is_signed: bool = False, decimals: int = 1) -> str:
    """Format a fraction in percent, or a difference of fractions in points; NaN becomes an empty text."""
    if math.isnan(fraction):
        return ""
    text = f"{abs(100 * fraction):.{decimals}f}"
    is_zero = float(text) == 0
    sign = MINUS if fraction < 0 and not is_zero else "+" if is_signed and not is_zero else ""
    return f"{sign}{text}"


def percent_interval(low: float, high: float, *, is_signed: bool = False) -> str:
    """Format an interval of fractions in percent; without bounds, return an empty text.

    A signed bound near zero has as many decimals as are necessary to show on which side of zero it lies.
    """
    if math.isnan(low):
        return ""
    texts = [
        percent(bound, is_signed=is_signed, decimals=_num_decimals(bound) if is_signed else 1)
        for bound in (low, high)
    ]
    return " to ".join(texts)


def _num_decimals(fraction: float) -> int:
    """Return the number of decimals with which a percentage is not printed as 0, at most `MOST_DECIMALS`."""
    shown = (count for count in range(1, MOST_DECIMALS) if f"{abs(100 * fraction):.{count}f}".strip("0."))
    return next(shown, MOST_DECIMALS) if fraction else 1


def difference_text(difference: float, low: float, high: float) -> str:
    """Format a difference of fractions with its interval in points."""
    interval = percent_interval(low, high, is_signed=True) or "no interval"
    return f"{percent(difference, is_signed=True)} ({interval})"


def percent_spread(mean: float, sd: float) -> str:
    """Format a mean and its standard deviation, unless this is NaN, in percent."""
    return percent(mean) if math.isnan(sd) else f"{percent(mean)} {PLUS_MINUS} {percent(sd)}"


def seconds_text(seconds: float) -> str:
    """Format a time with three significant digits, trailing zeros included; NaN becomes an empty text."""
    return "" if math.isnan(seconds) else f"{seconds:#.3g}".removesuffix(".")


def unscorable_text(num_unscorable: int, num_timed_out: int) -> str:
    """Return the number of unscorable answers, with the number of those that timed out, if there are any."""
    return f"{num_unscorable:,}" + (f" ({num_timed_out:,} timed out)" if num_timed_out else "")


def p_value_text(p_value: float) -> str:
    """Format a p-value with three decimals."""
    return "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"


def level_text(confidence: float) -> str:
    """Format a confidence level, such as 95 %."""
    return f"{100 * confidence:g} %"

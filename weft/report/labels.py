"""Numbers and names as readers see them; the only place where fractions become percent."""

import math
from typing import Any

from weft.config import BASE_RUN, FineTuning, Run
from weft.config.sources import GeneratedBenchmark
from weft.report.outputs import AnyExperiment
from weft.stats import AVERAGE

MINUS = "\N{MINUS SIGN}"
PLUS_MINUS = "\N{PLUS-MINUS SIGN}"
BENCHMARKS = {"sudoku": "Sudoku 4×4", "countdown": "Countdown", "gsm8k": "GSM8K", "math500": "MATH-500"}
GENERATED = BENCHMARKS | {"gsm8k": "arithmetic (GSM8K rules)", "math500": "algebra (MATH-500 rules)"}
UNITS = {("sudoku", "d1"): "cells", ("sudoku", "strict"): "boards"}
"""What is counted, where a benchmark's units are not the questions."""
METHODS = {
    BASE_RUN: "base model",
    "sft": "SFT",
    "sft-2x": "SFT, two masks",
    "sft-masked": "SFT / masked tokens",
    "sft-complementary": "SFT, complementary",
    "sft-stratified": "SFT, stratified t",
    "sft-antithetic": "SFT, antithetic t",
    "weft": "WeFT",
    "weft-answer": "WeFT / answer tokens",
    "weft-padding": "WeFT with padding",
    "weft-half": "WeFT, half power",
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
"""Names of methods; short, since they stand beside each other in figures.  Others are shown as they are."""


def benchmark_name(experiment: AnyExperiment, benchmark: str) -> str:
    """Name a benchmark; one with generated questions is not called by the name of the published one."""
    if benchmark == AVERAGE:
        return "average"
    if isinstance(experiment, FineTuning):
        sources: dict[str, Any] = dict(experiment.benchmarks)
        if isinstance(sources.get(benchmark), GeneratedBenchmark):
            return GENERATED[benchmark]
    return BENCHMARKS.get(benchmark, benchmark)


def benchmark_label(experiment: AnyExperiment, benchmark: str, *, rules: str | None = None) -> str:
    """Name a benchmark with its unit by some rules, the experiment's first if none are given."""
    name = benchmark_name(experiment, benchmark)
    unit = UNITS.get((benchmark, rules or experiment.scoring[0]))
    return name if unit is None else f"{name} ({unit})"


def full_caption(experiment: AnyExperiment) -> str:
    """Give what stands under every table and figure; approximate sampling is named first."""
    caption = experiment.caption.strip()
    if experiment.approximation is None:
        return caption
    return f"All answers are made by approximate sampling: {experiment.approximation}. {caption}"


def method_label(method: str) -> str:
    """Name a method."""
    return METHODS.get(method, method)


def group_label(method: str, dataset: str | None) -> str:
    """Name a method together with what it was trained on."""
    return method_label(method) if dataset is None else f"{method_label(method)}, {dataset}"


def run_label(run: Run) -> str:
    """Name a run: method, training set and seed."""
    return group_label(run.method, run.dataset) + ("" if run.seed is None else f", seed {run.seed}")


def percent(fraction: float, *, is_signed: bool = False) -> str:
    """Write a fraction in percent, or a difference of fractions in points; nothing if it is unknown."""
    if math.isnan(fraction):
        return ""
    text = f"{abs(100 * fraction):.1f}"
    is_zero = float(text) == 0
    sign = MINUS if fraction < 0 and not is_zero else "+" if is_signed and not is_zero else ""
    return f"{sign}{text}"


def percent_interval(low: float, high: float, *, is_signed: bool = False) -> str:
    """Write an interval of fractions in percent."""
    return f"{percent(low, is_signed=is_signed)} to {percent(high, is_signed=is_signed)}"


def percent_spread(mean: float, sd: float) -> str:
    """Write a mean and, if there is one, a standard deviation in percent."""
    return percent(mean) if math.isnan(sd) else f"{percent(mean)} {PLUS_MINUS} {percent(sd)}"


def p_value_text(p_value: float) -> str:
    """Write a p-value."""
    return "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"


def level_text(confidence: float) -> str:
    """Write a confidence level, such as 95 %."""
    return f"{100 * confidence:g} %"

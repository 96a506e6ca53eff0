"""Describe the result of an experiment in sentences.

    WeFT minus SFT on average: +0.8 points, 95 % interval −1.2 to +2.9 (p = 0.412): not
    distinguishable from zero (trained on s1k, 256 tokens).

A difference whose confidence interval contains zero is called not distinguishable from zero, whatever its
sign.
"""

import math
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from weft.config import Experiment, FineTuning, StoredGenerations
from weft.report.labels import (
    benchmark_label,
    level_text,
    method_label,
    p_value_text,
    percent,
    percent_interval,
)
from weft.report.outputs import has_ablations
from weft.report.presentation import corrected_rows, reading
from weft.report.published_numbers import NUM_QUESTIONS
from weft.report.tables import Tables
from weft.stats import AVERAGE

ROUNDING = 0.0005 + 1e-6
"""Largest rounding error, as a fraction, of a published percentage and of a number in our tables."""
READINGS = ("above zero", "below zero", "not distinguishable from zero")


@dataclass(frozen=True)
class Conclusions:
    """The result of an experiment in sentences.

    Attributes:
        lead: the most important sentence.
        comparisons: a sentence for each comparison, if the lead summarises several.
        reservations: sentences about the limits of the result.
    """

    lead: str
    comparisons: tuple[str, ...] = ()
    reservations: tuple[str, ...] = ()


def draw_conclusions(experiment: Experiment, tables: Tables) -> Conclusions:
    """Describe the result of an experiment by the first scoring.

    Args:
        experiment: the experiment.
        tables: its tables.

    Returns:
        The sentences: for a fine-tuning, about the main contrast on the average over benchmarks; for
        stored generations, about their agreement with the published accuracies.
    """
    if isinstance(experiment, StoredGenerations):
        return _agreement(experiment, tables["scores"])
    contrasts = tables["contrasts"]
    contrasts = contrasts[contrasts["rules"] == experiment.scoring[0]]
    is_main = (contrasts[["treatment", "control"]] == list(experiment.contrast)).all(axis="columns")
    is_average = contrasts["benchmark"] == AVERAGE
    main = contrasts[is_main & is_average] if is_average.any() else contrasts[is_main]
    sentences = [_comparison(experiment, row) for row in main.to_dict("records")]
    reservations = tuple(_reservations(experiment, contrasts))
    if len(sentences) == 1:
        return Conclusions(sentences[0], reservations=reservations)
    treatment, control = (method_label(name) for name in experiment.contrast)
    place = "the average over benchmarks" if is_average.any() else "single benchmarks"
    lead = f"{treatment} minus {control}, {place}, {len(main)} comparisons: {_count_readings(main)}."
    return Conclusions(lead, tuple(sentences), reservations)


def _comparison(experiment: FineTuning, row: Mapping[Hashable, Any]) -> str:
    benchmark = row["benchmark"]
    methods = f"{method_label(row['treatment'])} minus {method_label(row['control'])}"
    place = "on average" if benchmark == AVERAGE else f"on {benchmark_label(experiment, benchmark)}"
    interval = percent_interval(row["ci_low"], row["ci_high"], is_signed=True)
    p_value = _equation("p", row["p_value"])
    if not math.isnan(row.get("p_holm", math.nan)):
        p_value += f", {_equation('Holm', row['p_holm'])}"
    return (
        f"{methods} {place}: {percent(row['difference'], is_signed=True)} points, "
        f"{level_text(experiment.statistics.confidence)} interval {interval} ({p_value}): "
        f"{reading(row['ci_low'], row['ci_high'])} (trained on {row['dataset']}, {row['gen_length']} tokens)."
    )


def _equation(name: str, p_value: float) -> str:
    text = p_value_text(p_value)
    return f"{name} {text}" if text.startswith("<") else f"{name} = {text}"


def _count_readings(rows: pd.DataFrame) -> str:
    sides = [reading(low, high) for low, high in zip(rows["ci_low"], rows["ci_high"], strict=True)]
    return ", ".join(f"{sides.count(side)} {side}" for side in READINGS)


def _reservations(experiment: FineTuning, contrasts: pd.DataFrame) -> Iterator[str]:
    num_seeds = len(experiment.seeds)
    if num_seeds == 1:
        yield (
            "There is one training seed: the intervals do not cover what another training seed would change."
        )
    else:
        yield (
            f"The intervals cover the choice of questions and of training seeds, as far as {num_seeds} seeds "
            "can show it."
        )
    by_scoring = f" by {experiment.scoring[0]}" if len(experiment.scoring) > 1 else ""
    level = f"{100 * (1 - experiment.statistics.confidence):g} %"
    yield (
        f"The tables show {len(contrasts)} intervals{by_scoring} ({_count_readings(contrasts)}); if there "
        f"were no difference anywhere, about {level} of them would still exclude zero."
    )
    if has_ablations(experiment):
        rows = corrected_rows(experiment, contrasts)
        num_small = int((rows["p_holm"] < 1 - experiment.statistics.confidence).sum())
        yield (
            f"Of {len(rows)} comparisons on the average, {num_small} differ from zero at the level of "
            f"{level} after the correction for their number by Holm's method."
        )


def _agreement(experiment: StoredGenerations, scores: pd.DataFrame) -> Conclusions:
    known = scores[(scores["rules"] == experiment.scoring[0]) & scores["published_accuracy"].notna()]
    if known.empty:
        return Conclusions(f"No published numbers are known for {experiment.generations.model}.")
    is_equal = (known["accuracy"] - known["published_accuracy"]).abs() <= ROUNDING
    is_within = known["published_accuracy"].between(known["ci_low"], known["ci_high"])
    lead = (
        f"{int(is_equal.sum())} of {len(known)} accuracies equal the published ones to the printed digit; "
        f"{int((is_equal | is_within).sum())} of {len(known)} published ones are equal or within the "
        f"{level_text(experiment.statistics.confidence)} interval of ours."
    )
    num_partial = int((known["n"] < known["benchmark"].map(NUM_QUESTIONS)).sum())
    partial = (
        f"{num_partial} of {len(known)} accuracies are over a part of the benchmark's questions only, so "
        "that they need not equal the published ones."
    )
    return Conclusions(lead, reservations=(partial,) if num_partial else ())

"""Describe the result of an experiment in sentences.

    WeFT minus SFT on average: +0.8 points, 95 % interval −1.2 to +2.9 (p = 0.412): not
    distinguishable from zero (trained on s1k, 256 tokens).

A difference that is not significant after the correction for several comparisons is called not
distinguishable from zero, whatever its sign.
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
from weft.report.presentation import length_text, main_rows
from weft.report.published_numbers import NUM_QUESTIONS, PAPER_MODEL, published_effects
from weft.report.tables import Tables
from weft.stats import ABOVE, AVERAGE, BELOW, MIN_SEEDS, MIN_SEEDS_OF_ONE, POWER, UNDECIDED

ROUNDING = 0.0005 + 1e-6
"""Largest rounding error, as a fraction, of a published percentage and of a number in our tables."""


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
    compared = main_rows(experiment, tables["contrasts"])
    main = compared[(compared[["treatment", "control"]] == list(experiment.contrast)).all(axis="columns")]
    sentences = [_comparison(experiment, row) for row in main.to_dict("records")]
    reservations = tuple(_reservations(experiment, compared, main))
    if len(sentences) == 1:
        return Conclusions(sentences[0], reservations=reservations)
    treatment, control = (method_label(name) for name in experiment.contrast)
    place = "the average over benchmarks" if (main["benchmark"] == AVERAGE).any() else "the only benchmark"
    lead = f"{treatment} minus {control}, {place}, {len(main)} comparisons: {_count_conclusions(main)}."
    return Conclusions(lead, tuple(sentences), reservations)


def _comparison(experiment: FineTuning, row: Mapping[Hashable, Any]) -> str:
    benchmark = row["benchmark"]
    methods = f"{method_label(row['treatment'])} minus {method_label(row['control'])}"
    place = "on average" if benchmark == AVERAGE else f"on {benchmark_label(experiment, benchmark)}"
    interval = percent_interval(row["ci_low"], row["ci_high"], is_signed=True)
    trained = f"trained on {row['dataset']}, {length_text(row['gen_length'])}"
    claim = (
        f"{methods} {place}: {percent(row['difference'], is_signed=True)} points, "
        f"{level_text(experiment.statistics.confidence)} interval {interval}"
    )
    if math.isnan(row["p_value"]):
        return f"{claim} over the choice of questions, for these two runs ({trained})."
    p_values = _equation("p", row["p_value"])
    if not math.isnan(row["p_holm"]):
        p_values += f", {_equation('Holm', row['p_holm'])}"
    return f"{claim} ({p_values}): {row['conclusion']} ({trained})."


def _equation(name: str, p_value: float) -> str:
    text = p_value_text(p_value)
    return f"{name} {text}" if text.startswith("<") else f"{name} = {text}"


def _count_conclusions(rows: pd.DataFrame) -> str:
    values = rows["conclusion"].tolist()
    if not any(values):
        return "no conclusion is possible"
    return ", ".join(f"{values.count(side)} {side}" for side in (ABOVE, BELOW, UNDECIDED))


def _reservations(experiment: FineTuning, compared: pd.DataFrame, main: pd.DataFrame) -> Iterator[str]:
    num_seeds = len(experiment.seeds)
    paper = f"The paper reports {_points(*published_effects())} points for {PAPER_MODEL}."
    if num_seeds == 1:
        yield (
            "There is one training seed: the intervals do not cover what another training seed would change, "
            f"and no conclusion is drawn. That requires at least {MIN_SEEDS} training seeds of each method, "
            f"and {MIN_SEEDS_OF_ONE} for a comparison with the base model. {paper}"
        )
        return
    yield (
        f"The intervals cover the choice of questions and of training seeds, as far as {num_seeds} seeds can "
        "show it."
    )
    detectable = main["minimum_detectable_difference"]
    yield (
        f"A difference of {_points(detectable.min(), detectable.max())} points would have been found with a "
        f"probability of {100 * POWER:g} %, before the correction for several comparisons. {paper}"
    )
    tested = compared[compared["p_holm"].notna()]
    averages = " of averages" if len(experiment.benchmark_names) > 1 else ""
    yield (
        f"There are {len(tested)} comparisons{averages}: {_count_conclusions(tested)}, after the "
        "correction for their number by Holm's method."
    )


def _points(low: float, high: float) -> str:
    if math.isnan(low):
        return "more than 100"
    texts = percent(low), percent(high)
    return texts[0] if texts[0] == texts[1] else " to ".join(texts)


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

"""What the numbers allow to say, in plain sentences.

    WeFT minus SFT on average: +0.8 points, 95 % interval −1.2 to +2.9 (p = 0.412): not
    distinguishable from zero (trained on s1k, 256 tokens).

No sentence claims more than its interval: a difference whose interval holds zero is called not
distinguishable from zero, whatever its sign.
"""

import math
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from weft.config import FineTuning, StoredGenerations
from weft.report.labels import (
    benchmark_label,
    level_text,
    method_label,
    p_value_text,
    percent,
    percent_interval,
)
from weft.report.outputs import AnyExperiment, has_ablations
from weft.report.presentation import corrected_rows, count_readings, reading
from weft.report.published import NUM_QUESTIONS
from weft.stats import AVERAGE

ROUNDING = 0.0005  # half of the last printed digit of a published percentage, as a fraction


@dataclass(frozen=True)
class Conclusions:
    """The result of an experiment in sentences.

    Attributes:
        lead: the most important one.
        averages: one per training set and length, if there are several.
        benchmarks: one per benchmark, training set and length.
        further: one per further contrast, training set and length.
        reservations: what to keep in mind.
    """

    lead: str
    averages: tuple[str, ...] = ()
    benchmarks: tuple[str, ...] = ()
    further: tuple[str, ...] = ()
    reservations: tuple[str, ...] = ()


def draw_conclusions(experiment: AnyExperiment, tables: Mapping[str, pd.DataFrame]) -> Conclusions:
    """Put the result of an experiment into sentences.

    Args:
        experiment: the experiment; its first set of rules counts.
        tables: its tables by name; of a fine-tuning the contrasts, of stored generations the scores.
    """
    if isinstance(experiment, StoredGenerations):
        return _agreement(experiment, _by_first_rules(experiment, tables["scores"]))
    every_contrast = _by_first_rules(experiment, tables["contrasts"])
    is_main = (every_contrast[["treatment", "control"]] == list(experiment.contrast)).all(axis="columns")
    contrasts = every_contrast[is_main]
    is_average = contrasts["benchmark"] == AVERAGE
    averages = [_comparison(experiment, row) for row in contrasts[is_average].to_dict("records")]
    benchmarks = [_comparison(experiment, row) for row in contrasts[~is_average].to_dict("records")]
    main = contrasts[is_average] if averages else contrasts
    others = (
        corrected_rows(experiment, every_contrast[~is_main]) if has_ablations(experiment) else contrasts[:0]
    )
    lead, rest = _lead(experiment, main, averages or benchmarks)
    return Conclusions(
        lead,
        averages=tuple(rest if averages else ()),
        benchmarks=tuple(benchmarks if averages else rest),
        further=tuple(_comparison(experiment, row) for row in others.to_dict("records")),
        reservations=tuple(_reservations(experiment, every_contrast)),
    )


def compare_rules(experiment: AnyExperiment, scores: pd.DataFrame) -> str:
    """Say what a further set of rules changes, and how many answers no verdict was found for.

    Args:
        experiment: the experiment.
        scores: its scores table.

    Returns:
        One sentence; empty if there is one set of rules.
    """
    if len(experiment.scoring) == 1:
        return ""
    totals = scores.groupby("rules")[["n", "num_correct", "num_unscorable"]].sum()
    correct, unscorable = (
        " and ".join(f"{totals[column][rules]:,} by {rules}" for rules in experiment.scoring)
        for column in ("num_correct", "num_unscorable")
    )
    return (
        f"Of {int(totals['n'].iloc[0]):,} answers {correct} are right, {unscorable} cannot be scored; these "
        f"count as not right. Sentences above are by {experiment.scoring[0]}."
    )


def _by_first_rules(experiment: AnyExperiment, frame: pd.DataFrame) -> pd.DataFrame:
    return frame[frame["rules"] == experiment.scoring[0]]


def _lead(experiment: FineTuning, rows: pd.DataFrame, sentences: list[str]) -> tuple[str, list[str]]:
    """Choose the first sentence: the only one, or a count over several."""
    if len(sentences) == 1:
        return sentences[0], []
    treatment, control = (method_label(name) for name in experiment.contrast)
    what = "the average over benchmarks" if set(rows["benchmark"]) == {AVERAGE} else "single benchmarks"
    counts = count_readings(rows)
    return f"{treatment} minus {control}, {what}, {len(rows)} comparisons: {counts}.", sentences


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


def _reservations(experiment: FineTuning, contrasts: pd.DataFrame) -> Iterable[str]:
    num_seeds = len(experiment.seeds)
    if num_seeds == 1:
        yield "There is one training seed: what another would change is not known, nor in the intervals."
    else:
        yield (
            "The intervals cover the choice of questions and of training seeds, as far as "
            f"{num_seeds} seeds can tell."
        )
    by_rules = f" by {experiment.scoring[0]}" if len(experiment.scoring) > 1 else ""
    chance = f"{100 * (1 - experiment.statistics.confidence):g} %"
    yield (
        f"{len(contrasts)} intervals{by_rules} are shown ({count_readings(contrasts)}); were there no "
        f"difference anywhere, about {chance} of them would still exclude zero."
    )
    if has_ablations(experiment):
        rows = corrected_rows(experiment, contrasts)
        num_found = int((rows["p_holm"] < 1 - experiment.statistics.confidence).sum())
        yield (
            f"{len(rows)} comparisons on the average were tested; with p corrected for their number by "
            f"Holm's method, {num_found} of them differ from zero at the level of {chance}."
        )


def _agreement(experiment: StoredGenerations, scores: pd.DataFrame) -> Conclusions:
    known = scores[scores["published_accuracy"].notna()]
    if known.empty:
        return Conclusions(f"No published numbers are known for {experiment.generations.model}.")
    gaps = (known["accuracy"] - known["published_accuracy"]).abs()
    is_equal = gaps <= ROUNDING + 1e-6  # the tables hold six decimals
    is_within = known["published_accuracy"].between(known["ci_low"], known["ci_high"])
    lead = (
        f"{int(is_equal.sum())} of {len(known)} accuracies equal the published ones to the printed digit; "
        f"{int((is_equal | is_within).sum())} of {len(known)} published ones are equal or within the "
        f"{level_text(experiment.statistics.confidence)} interval of ours."
    )
    num_partial = int((known["n"] < known["benchmark"].map(NUM_QUESTIONS)).sum())
    partial = (
        f"{num_partial} of {len(known)} accuracies are over a part of the benchmark's questions only; there "
        "equality is not to be expected.",
    )
    return Conclusions(
        lead,
        benchmarks=tuple(_gap(experiment, row) for row in known[~is_equal].to_dict("records")),
        reservations=partial if num_partial else (),
    )


def _gap(experiment: StoredGenerations, row: Mapping[Hashable, Any]) -> str:
    gap = percent(row["accuracy"] - row["published_accuracy"], is_signed=True)
    return (
        f"{benchmark_label(experiment, row['benchmark'])}, {row['gen_length']} tokens: "
        f"{percent(row['accuracy'])} here ({row['n']} of {NUM_QUESTIONS[row['benchmark']]} questions), "
        f"{percent(row['published_accuracy'])} published, {gap} points."
    )

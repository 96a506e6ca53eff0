"""Describe the result of an experiment in sentences.

    WeFT minus SFT on average: +0.8 points (95 % interval −1.2 to +2.9; 3 training seeds, 4 × 192
    questions), not distinguishable from zero after correction for 3 comparisons. The comparison could have
    detected about 2.9 points, before this correction. The paper reports 0.5 to 0.9 points on average over
    its benchmarks, for LLaDA-8B-Instruct.

A difference that is not significant after the correction for several comparisons is called not
distinguishable from zero, whatever its sign.
"""

import math
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from weft.config import BASE_RUN, Experiment, FineTuning, Sampled, StoredGenerations
from weft.report.counterparts import is_contrast_of_the_paper
from weft.report.labels import (
    benchmark_label,
    difference_text,
    level_text,
    method_label,
    p_value_text,
    percent,
    percent_interval,
    summary_benchmark,
)
from weft.report.paper_table import paper_groups
from weft.report.presentation import at_main_length, length_text, main_rows
from weft.report.published_numbers import MIXED, NUM_QUESTIONS, PAPER_MODEL, published_effects
from weft.report.single_seeds import describe_single_seeds
from weft.report.tables import Tables
from weft.report.unscorable import describe_unscorable, is_without_verdict, join_failed, list_failed
from weft.stats import ABOVE, AVERAGE, BELOW, MIN_QUESTIONS, MIN_SEEDS, MIN_SEEDS_OF_ONE, POWER, UNDECIDED

MOST_EFFECTS = 4
"""Largest number of comparisons whose effects are all in the first sentence."""
FIXED_MODELS = (
    "The intervals cover the choice of questions. They are about these models as they are, and do not say "
    "what another training run would give."
)
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
        The sentences: about the main contrast on the average over benchmarks; without any contrast, about
        the accuracies; without benchmarks, about the number of models; and for stored generations, about
        their agreement with the published accuracies.
    """
    if not experiment.benchmark_names:
        return _count_models(experiment)
    scores, warnings = tables["scores"], tuple(describe_unscorable(experiment, tables))
    if is_without_verdict(scores):
        return Conclusions("No answer could be scored, so that there is no result.", reservations=warnings)
    if isinstance(experiment, StoredGenerations):
        agreement = _agreement(experiment, tables)
        return replace(agreement, reservations=(*warnings, *agreement.reservations))
    if experiment.main_contrast is None:
        lead = _list_accuracies(experiment, tables)
        return Conclusions(lead, reservations=(*warnings, FIXED_MODELS, "No models are compared."))
    compared = main_rows(experiment, tables["contrasts"])
    is_main = (compared[["treatment", "control"]] == list(experiment.main_contrast)).all(axis="columns")
    main = compared[is_main]
    single_seeds = describe_single_seeds(experiment, tables)
    reservations = (*warnings, *single_seeds, *_reservations(experiment, compared, main))
    failed = _list_failed(experiment, scores)
    if failed and not main["conclusion"].any():
        pair = " and ".join(method_label(name) for name in experiment.main_contrast)
        reason = f"because no answer of {join_failed(failed)} could be scored"
        return Conclusions(f"No conclusion is drawn about {pair}, {reason}.", reservations=reservations)
    leading = _leading_rows(experiment, main)
    num_tests = int(compared["p_holm"].notna().sum())
    comparisons = tuple(
        _Sentences(experiment, main, num_tests).compare(row)
        for row in (main if _has_contrast(experiment) else compared).to_dict("records")
    )
    sentences = _Sentences(experiment, leading, num_tests)
    lead = " ".join([sentences.lead(_describe_size(experiment, scores)), *sentences.detectable()])
    return Conclusions(lead, comparisons if len(comparisons) > 1 else (), reservations)


def _has_contrast(experiment: Sampled) -> bool:
    """Return True if there is a main contrast of two methods, beside which the others are secondary."""
    return isinstance(experiment, FineTuning) and experiment.gain_control is not None


def _count_models(experiment: Experiment) -> Conclusions:
    """Describe an experiment that ends with trained models."""
    number = _count(len(experiment.trained_runs), "model")
    verb = "was" if len(experiment.trained_runs) == 1 else "were"
    return Conclusions(
        f"{number} {verb} trained. The experiment has no benchmarks, so that nothing was sampled or scored.",
        reservations=(
            "The models are in the folder runs of the results. The workflow's target exports writes them in "
            "the published form of their family.",
        ),
    )


def _list_accuracies(experiment: Sampled, tables: Tables) -> str:
    """Return a sentence with the accuracy of each model, or with the range if there are many."""
    rows = at_main_length(main_rows(experiment, tables["methods"]))
    length = length_text(rows["gen_length"].tolist()[0])
    benchmark = summary_benchmark(experiment)
    place = "average" if benchmark == AVERAGE else benchmark_label(experiment, benchmark)
    size = f"{_describe_size(experiment, tables['scores'])}, {length}"
    if len(rows) > MOST_EFFECTS:
        ends = (percent(value) for value in (rows["mean"].min(), rows["mean"].max()))
        return f"Accuracy, {place}: {' to '.join(ends)} % for {len(rows)} models ({size})."
    level = level_text(experiment.statistics.confidence)
    texts = [
        f"{method_label(row['method'])} {percent(row['mean'])} % "
        f"({percent_interval(row['ci_low'], row['ci_high']) or 'no interval'})"
        for row in rows.to_dict("records")
    ]
    return f"Accuracy, {place}, with {level} intervals over questions: {'; '.join(texts)} ({size})."


def _list_failed(experiment: Sampled, scores: pd.DataFrame) -> list[str]:
    """Return the runs of the main contrast of which no answer to a benchmark could be scored."""
    runs = [run.run_id for run in experiment.runs if run.method in (experiment.main_contrast or ())]
    return list_failed(
        experiment, scores[(scores["rules"] == experiment.scoring[0]) & scores["run"].isin(runs)]
    )


def _leading_rows(experiment: Sampled, main: pd.DataFrame) -> pd.DataFrame:
    """Return the rows at the lengths of the paper, if they are measured, and otherwise all."""
    if not isinstance(experiment, FineTuning):
        is_mix = main["gen_length"] == MIXED
        return main[is_mix] if is_mix.any() else main
    groups = {(group.dataset, group.gen_length) for group in paper_groups(experiment)}
    places = zip(main["dataset"], main["gen_length"], strict=True)
    return main[[place in groups for place in places]]


def _describe_size(experiment: Sampled, scores: pd.DataFrame) -> str:
    """Return the numbers of training seeds, if there are any, and of questions."""
    counts = scores[scores["run"] == experiment.run_ids[0]].groupby("benchmark")["n"].first()
    sizes = sorted(set(counts))
    if len(sizes) == 1:
        times = f"{len(counts)} × " if len(counts) > 1 else ""
        questions = f"{times}{sizes[0]:,} questions"
    else:
        questions = f"{len(counts)} benchmarks with {sizes[0]:,} to {sizes[-1]:,} questions"
    seeds = f"{_count(experiment.num_seeds, 'training seed')}, " if experiment.num_seeds else ""
    return f"{seeds}{questions}"


@dataclass(frozen=True)
class _Sentences:
    """Sentences about rows of the main contrast, which is one of several tests."""

    experiment: Sampled
    rows: pd.DataFrame
    num_tests: int

    def lead(self, size: str) -> str:
        """Return effect, interval and conclusion of one comparison, or of several in one sentence."""
        records = self.rows.to_dict("records")
        start = f"{self._methods(records[0])} {self._place(records[0])}"
        conclusion = self._conclusion_of_all()
        if len(records) == 1:
            return f"{start}: {self._effect(records[0], size)}{conclusion}."
        if len(records) > MOST_EFFECTS:
            ends = (percent(value, is_signed=True) for value in (self._lowest(), self._highest()))
            return f"{start}: {' to '.join(ends)} points in {len(records)} comparisons ({size}){conclusion}."
        level = level_text(self.experiment.statistics.confidence)
        effects = "; ".join(f"{_numbers(row)} {self._trained(row)}" for row in records)
        return f"{start}, in points with {level} intervals{self._covered()}: {effects} ({size}){conclusion}."

    def compare(self, row: Mapping[Hashable, Any]) -> str:
        """Return a sentence on one comparison, with its p-values."""
        place = ", ".join(filter(None, [self._place(row), self._trained(row)]))
        claim = f"{self._methods(row)} {place}: {self._effect(row)}"
        if math.isnan(row["p_value"]):
            has_seeds = self.experiment.num_seeds >= (
                MIN_SEEDS_OF_ONE if row["control"] == BASE_RUN else MIN_SEEDS
            )
            is_failed = (has_seeds or not self.experiment.num_seeds) and not math.isnan(row["ci_low"])
            return f"{claim}{', without a test, because a run could not be scored' if is_failed else ''}."
        p_values = _equation("p", row["p_value"])
        if not math.isnan(row["p_holm"]):
            p_values += f", {_equation('Holm', row['p_holm'])}"
        return f"{claim}, {p_values}{self._conclusion(row)}."

    def detectable(self) -> Iterator[str]:
        """Yield what could have been detected, and what the paper reports for this contrast."""
        smallest = self.rows["minimum_detectable_difference"]
        if smallest.notna().any():
            what = "The comparison" if len(self.rows) == 1 else "The comparisons"
            correction = ", before this correction" if self.num_tests > 1 else ""
            differences = _points(smallest.min(), smallest.max())
            yield f"{what} could have detected about {differences} points{correction}."
        if isinstance(self.experiment, FineTuning) and is_contrast_of_the_paper(self.experiment):
            effects = _points(*published_effects())
            yield f"The paper reports {effects} points on average over its benchmarks, for {PAPER_MODEL}."

    def _lowest(self) -> float:
        return float(self.rows["difference"].min())

    def _highest(self) -> float:
        return float(self.rows["difference"].max())

    def _covered(self) -> str:
        if self.experiment.num_seeds == 0:
            return " over questions"
        return " over questions, for these two runs" if self.experiment.num_seeds == 1 else ""

    def _conclusion_of_all(self) -> str:
        """Return the conclusions of the rows with the correction on which they depend."""
        if self.experiment.num_seeds == 1:
            return "; one training seed allows no conclusion"
        if not (self.rows["conclusion"] != "").any():
            return ""
        correction = f" after correction for {self.num_tests} comparisons" if self.num_tests > 1 else ""
        counted = self.rows["conclusion"].iloc[0] if len(self.rows) == 1 else _count_conclusions(self.rows)
        return f", {counted}{correction}"

    def _methods(self, row: Mapping[Hashable, Any]) -> str:
        return f"{method_label(row['treatment'])} minus {method_label(row['control'])}"

    def _place(self, row: Mapping[Hashable, Any]) -> str:
        benchmark = row["benchmark"]
        return "on average" if benchmark == AVERAGE else f"on {benchmark_label(self.experiment, benchmark)}"

    def _trained(self, row: Mapping[Hashable, Any]) -> str:
        """Return training set and length, as far as there are several."""
        has_lengths = self.rows["gen_length"].nunique() > 1
        trained = [] if row["dataset"] is None else [f"trained on {row['dataset']}"]
        return ", ".join([*trained, *([length_text(row["gen_length"])] if has_lengths else [])])

    def _effect(self, row: Mapping[Hashable, Any], size: str = "") -> str:
        interval = "no interval, because there are too few questions"
        if not math.isnan(row["ci_low"]):
            level = level_text(self.experiment.statistics.confidence)
            bounds = percent_interval(row["ci_low"], row["ci_high"], is_signed=True)
            interval = f"{level} interval {bounds}{self._covered()}"
        further = f"; {size}" if size else ""
        return f"{percent(row['difference'], is_signed=True)} points ({interval}{further})"

    def _conclusion(self, row: Mapping[Hashable, Any]) -> str:
        return f", {row['conclusion']}" if row["conclusion"] else ""


def _numbers(row: Mapping[Hashable, Any]) -> str:
    return difference_text(row["difference"], row["ci_low"], row["ci_high"])


def _equation(name: str, p_value: float) -> str:
    text = p_value_text(p_value)
    return f"{name} {text}" if text.startswith("<") else f"{name} = {text}"


def _count_conclusions(rows: pd.DataFrame) -> str:
    values = rows["conclusion"].tolist()
    if not any(values):
        return "no conclusion is possible"
    counts = {side: values.count(side) for side in (ABOVE, BELOW, UNDECIDED)}
    return ", ".join(f"{number} {side}" for side, number in counts.items() if number)


def _reservations(experiment: Sampled, compared: pd.DataFrame, main: pd.DataFrame) -> Iterator[str]:
    num_seeds = experiment.num_seeds
    if main["ci_low"].isna().all():
        yield f"Intervals and tests require at least {MIN_QUESTIONS} questions on each benchmark."
        return
    if num_seeds == 1:
        yield (
            "There is one training seed: the differences are those of these two runs, the intervals do not "
            "cover what another training seed would change, and no conclusion is drawn. That requires at "
            f"least {MIN_SEEDS} training seeds of each method, and {MIN_SEEDS_OF_ONE} for a comparison with "
            "the base model."
        )
        return
    if num_seeds == 0:
        yield f"{FIXED_MODELS} What could have been detected is for a probability of {100 * POWER:g} %."
    else:
        yield (
            f"The intervals cover the choice of questions and of training seeds, as far as {num_seeds} seeds "
            f"can show it. What could have been detected is an estimate from these seeds, for a probability "
            f"of {100 * POWER:g} %."
        )
    if 0 < num_seeds < MIN_SEEDS_OF_ONE and set(main["control"]) == {BASE_RUN}:
        yield f"A comparison with the base model is tested with at least {MIN_SEEDS_OF_ONE} training seeds."
    tested = compared[compared["p_holm"].notna()]
    averages = " of averages" if len(experiment.benchmark_names) > 1 else ""
    if main["p_value"].notna().any():
        has_base = _has_contrast(experiment) and (tested["control"] == BASE_RUN).any()
        included = ", those with the base model included" if has_base else ""
        yield (
            f"{_count(len(tested), 'comparison')}{averages}{included}: {_count_conclusions(tested)}, after "
            "the correction for their number by Holm's method."
        )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _points(low: float, high: float) -> str:
    if math.isnan(low):
        return "more than 100"
    texts = percent(low), percent(high)
    return texts[0] if texts[0] == texts[1] else " to ".join(texts)


def _agreement(experiment: StoredGenerations, tables: Tables) -> Conclusions:
    scores = tables["scores"]
    known = scores[(scores["rules"] == experiment.scoring[0]) & scores["published_accuracy"].notna()]
    if known.empty:
        return Conclusions(f"No published numbers are known for {experiment.generations.model}.")
    is_equal = (known["accuracy"] - known["published_accuracy"]).abs() <= ROUNDING
    is_within = known["published_accuracy"].between(known["ci_low"], known["ci_high"])
    agreeing = (
        f"{_count_of(int((is_equal | is_within).sum()), len(known))} published accuracies equal ours or lie "
        f"within the {level_text(experiment.statistics.confidence)} interval of ours."
    )
    num_partial = int((known["n"] < known["benchmark"].map(NUM_QUESTIONS)).sum())
    partial = (
        f"{_count_of(num_partial, len(known))} accuracies here are over a part of the benchmark's questions, "
        "so that they need not equal the published ones, which are over all questions."
    )
    reservations = (partial,) if num_partial else ()
    verdicts = _equal_verdicts(tables)
    return Conclusions(" ".join([*verdicts, agreeing]), reservations=reservations)


def _equal_verdicts(tables: Tables) -> list[str]:
    """Return a sentence about the agreement with d1's own code, if its verdicts are known."""
    rows = tables.get("agreement", pd.DataFrame(columns=["num_equal", "num_compared"]))
    num_equal, num_compared = (int(rows[name].sum()) for name in ("num_equal", "num_compared"))
    if not num_compared:
        return []
    return [f"{_count_of(num_equal, num_compared)} verdicts under d1 scoring equal those of d1's own code."]


def _count_of(number: int, total: int) -> str:
    return f"All {total:,}" if number == total > 1 else f"{number:,} of {total:,}"

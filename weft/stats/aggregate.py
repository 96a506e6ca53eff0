"""Aggregate the scores of single examples into tables: runs, methods, contrasts and seeds.

All accuracies are fractions between 0 and 1.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from weft.errors import ScoringError
from weft.stats.credit import BenchmarkCredit, Floats
from weft.stats.intervals import Interval, accuracy_interval, wilson_interval
from weft.stats.multiple import holm
from weft.stats.paired import compare_gains, compare_means, match_examples

AVERAGE = "average"
"""Name of the pseudo-benchmark that is the unweighted mean over the benchmarks."""
ABOVE, BELOW, UNDECIDED = "above zero", "below zero", "not distinguishable from zero"
"""Conclusions about a difference."""
MIN_SEEDS, MIN_SEEDS_OF_ONE = 2, 3
"""Smallest number of training seeds for a test of two trained methods, and of one and the base model. With
fewer, a true null is rejected in more than 8 % of the cases at the level of 5 % (decision 26)."""
MIN_QUESTIONS = 10
"""Smallest number of questions on a benchmark from which a variance is estimated."""


NO_INTERVAL = Interval(math.nan, math.nan)


class ScoreRow(NamedTuple):
    """A row of the scores table.

    The bounds of the interval are NaN if it would have to be estimated from fewer than `MIN_QUESTIONS`
    questions, which is not necessary if each answer is right or wrong as a whole.
    """

    run: str
    method: str
    dataset: str | None
    seed: int | None
    benchmark: str
    gen_length: int
    rules: str
    n: int
    num_correct: int
    num_unscorable: int
    accuracy: float
    ci_low: float
    ci_high: float
    interval: str


class MethodRow(NamedTuple):
    """A row of the methods table; all statistics are over training seeds.

    The bounds of the interval are NaN if a benchmark has fewer than `MIN_QUESTIONS` questions.
    """

    method: str
    dataset: str | None
    benchmark: str
    gen_length: int | str
    num_seeds: int
    mean: float
    sd: float
    minimum: float
    maximum: float
    ci_low: float
    ci_high: float


class ContrastRow(NamedTuple):
    """A row of the contrasts table; see `PairedDifference`.

    ``standard_error`` and the bounds are NaN if a benchmark has fewer than `MIN_QUESTIONS` questions.
    ``p_value`` and ``minimum_detectable_difference`` are NaN also if there are fewer training seeds than
    `MIN_SEEDS`, or `MIN_SEEDS_OF_ONE`, and if the scorer has no verdict on any answer of a run to a
    benchmark. ``p_holm`` is the corrected p-value of an average, and ``conclusion`` is the side of zero on
    which it lies by this value; other rows have none.
    """

    dataset: str | None
    benchmark: str
    gen_length: int | str
    treatment: str
    control: str
    num_seeds_treatment: int
    num_seeds_control: int
    difference: float
    standard_error: float
    ci_low: float
    ci_high: float
    p_value: float
    p_holm: float
    minimum_detectable_difference: float
    conclusion: str


class SeedRow(NamedTuple):
    """A row of the table of two runs with the same seed.

    ``only_treatment`` and ``only_control`` are the numbers of questions that only one of the runs answers
    correctly, ``n`` is the number of all questions.
    """

    dataset: str | None
    benchmark: str
    gen_length: int | str
    treatment: str
    control: str
    seed: int | None
    difference: float
    only_treatment: int
    only_control: int
    n: int


@dataclass(frozen=True, kw_only=True)
class ScoreSet:
    """The scores of a run on a benchmark at a generation length.

    Attributes:
        run: name of the run.
        method: method of the run.
        dataset: name of the training set; None for an untrained model.
        seed: training seed; None for an untrained model.
        benchmark: name of the benchmark.
        gen_length: length of the answers, in tokens.
        scoring: name of the scoring rules.
        example_ids: ids of the examples.
        credit: share of correct units of each example, from 0 to 1; shape ``[examples]``.
        weight: number of units of each example; shape ``[examples]``.
        is_correct: True where the verdict is correct; shape ``[examples]``.
        is_unscorable: True where the scorer has no verdict, and the credit is 0; shape ``[examples]``.
        num_questions: number of questions of the benchmark, if the examples are a part of them and the
            interval of the run is for the accuracy on all of them.
    """

    run: str
    method: str
    dataset: str | None
    seed: int | None
    benchmark: str
    gen_length: int
    scoring: str
    example_ids: tuple[str, ...]
    credit: Floats
    weight: Floats
    is_correct: NDArray[np.bool_]
    is_unscorable: NDArray[np.bool_]
    num_questions: int | None = None

    @property
    def accuracy(self) -> float:
        """Number of correct units divided by the number of units."""
        return float(_credit([self]).pooled_accuracies()[0][0])

    @property
    def is_all_or_nothing(self) -> bool:
        """True if each example has a single unit, and its credit is 0 or 1."""
        return bool((self.weight == 1).all() and np.isin(self.credit, (0, 1)).all())

    @property
    def num_counted(self) -> int:
        """Number of examples that have a unit."""
        return int((self.weight > 0).sum())

    def reorder(self, order: Sequence[int], example_ids: tuple[str, ...]) -> "ScoreSet":
        """Return the same scores in another order, in which the examples have these ids."""
        names = ("credit", "weight", "is_correct", "is_unscorable")
        arrays = {name: getattr(self, name)[order] for name in names}
        return replace(self, example_ids=example_ids, **arrays)


class LengthMix(NamedTuple):
    """An average over benchmarks whose answers differ in length.

    Attributes:
        name: what stands in place of the length.
        lengths: benchmark -> length of the answers, in tokens.
    """

    name: str
    lengths: Mapping[str, int]


@dataclass(frozen=True)
class Aggregate:
    """The tables of a set of scoring rules; each is computed when it is first read."""

    _score_sets: Sequence[ScoreSet]
    _groups: Sequence["_Group"]
    _contrasts: Sequence[tuple[str, str]]
    _confidence: float

    @cached_property
    def _score_rows(self) -> dict[tuple[str, str, int], ScoreRow]:
        rows = [_score_row(score_set, self._confidence) for score_set in self._score_sets]
        return {(row.run, row.benchmark, row.gen_length): row for row in rows}

    @cached_property
    def scores(self) -> pd.DataFrame:
        """One row per run, benchmark and generation length."""
        return _frame(ScoreRow, list(self._score_rows.values())).astype({"seed": "Int64"})

    @cached_property
    def methods(self) -> pd.DataFrame:
        """One row per method, data set, benchmark (or average) and generation length."""
        return _frame(MethodRow, [self._method_row(group) for group in self._groups])

    @cached_property
    def contrasts(self) -> pd.DataFrame:
        """One row per contrast, data set, benchmark (or average) and generation length."""
        rows = [
            row for pair in self._contrasts for row in _contrast_rows(self._groups, pair, self._confidence)
        ]
        return _add_conclusions(_frame(ContrastRow, rows), self._confidence)

    @cached_property
    def seeds(self) -> pd.DataFrame:
        """One row per seed, for each row of the first contrast."""
        rows = [row for pair in self._contrasts[:1] for row in _seed_rows(self._groups, pair)]
        return _frame(SeedRow, rows).astype({"seed": "Int64"})

    def relative_gains(self, control: str, base: str) -> pd.DataFrame:
        """Return intervals of the gains of all trained methods relative to that of the control.

        Args:
            control: name of the control.
            base: name of the model that is not trained.

        Returns:
            A table with the columns method, dataset, gen_length, relative_gain_low and relative_gain_high,
            for the average over benchmarks, or for the only benchmark. There is no row if the gain of the
            control is not clearly above zero, if a benchmark has fewer than `MIN_QUESTIONS` questions, or if
            the scorer has no verdict on any answer of a run to a benchmark.
            With a single training seed, an interval covers the questions.
        """
        rows = []
        averages = [group for group in self._groups if group.benchmark == AVERAGE] or self._groups
        by_key = {(group.method, *group.key): group for group in averages}
        for group in averages:
            others = by_key.get((control, *group.key)), by_key.get((base, None, *group.key[1:]))
            if group.method in {control, base} or None in others or not group.has_enough_questions:
                continue
            if not all(part.is_scored for part in (group, *others) if part):
                continue
            columns = zip(group.columns, *(other.columns for other in others if other), strict=True)
            interval = compare_gains([_credit(*column) for column in columns], confidence=self._confidence)
            if interval is not None:
                rows.append((group.method, group.dataset, group.gen_length, *interval))
        names = ["method", "dataset", "gen_length", "relative_gain_low", "relative_gain_high"]
        return pd.DataFrame(rows, columns=names)

    def _method_row(self, group: "_Group") -> MethodRow:
        """Return a row of the methods table; a single run has the same interval as in the scores table."""
        values = group.seed_means()
        if len(group.columns) == 1 and values.size == 1:
            ((only,),) = group.columns
            row = self._score_rows[only.run, only.benchmark, only.gen_length]
            interval = Interval(row.ci_low, row.ci_high)
        elif not group.has_enough_questions:
            interval = NO_INTERVAL
        else:
            columns = [_credit(column) for column in group.columns]
            interval = accuracy_interval(columns, confidence=self._confidence)
        sd = float(values.std(ddof=1)) if values.size > 1 else float("nan")
        spread = float(values.mean()), sd, float(values.min()), float(values.max())
        return MethodRow(group.method, *group.key, values.size, *spread, *interval)


def aggregate(
    score_sets: Sequence[ScoreSet],
    *,
    contrasts: Sequence[tuple[str, str]],
    confidence: float,
    mix: LengthMix | None = None,
) -> Aggregate:
    """Aggregate the scores of an experiment.

    An unscorable example gets the weight that it has in the runs in which it was scored, so that the failure
    of a scorer does not reduce the number of units.

    Args:
        score_sets: scores of each run, benchmark and generation length, in the order of the tables.
        contrasts: pairs of treatment and control, in the order of the table; may be empty.
        confidence: confidence level of all intervals, between 0 and 1.
        mix: a further average over benchmarks, at a length of its own for each benchmark.

    Returns:
        The tables. A method with a single run has no standard deviation, and its interval covers
        examples only. The p-values of the averages over benchmarks are corrected for the number of
        contrasts, data sets and lengths. The rows of single benchmarks have no corrected p-value and no
        conclusion, because they show where a difference arises and do not test whether it exists.

    Raises:
        ScoringError: the runs differ in their examples, or in the weight of an example, or a method has
            no scores on a benchmark.
    """
    matched = list(_match(score_sets))
    return Aggregate(matched, list(_group(matched, mix)), contrasts, confidence)


def _match(score_sets: Sequence[ScoreSet]) -> Iterator[ScoreSet]:
    """Sort the examples of each run, check that all runs have the same examples, and unify their weights."""
    in_order = list(_sort_examples(score_sets))
    peers: dict[tuple[str, int], list[ScoreSet]] = {}
    for score_set in in_order:
        peers.setdefault((score_set.benchmark, score_set.gen_length), []).append(score_set)
    weights = {}
    for key, others in peers.items():
        names = [f"run {other.run} on {other.benchmark} {other.gen_length}" for other in others]
        match_examples([other.example_ids for other in others], names=names)
        weights[key] = _common_weight(others)
    for score_set in in_order:
        yield replace(score_set, weight=weights[score_set.benchmark, score_set.gen_length])


def _sort_examples(score_sets: Sequence[ScoreSet]) -> Iterator[ScoreSet]:
    """Sort the examples of each run by their ids; runs with the same ids share them."""
    orders: dict[tuple[str, ...], tuple[list[int], tuple[str, ...]]] = {}
    for score_set in score_sets:
        ids = score_set.example_ids
        if ids not in orders:
            orders[ids] = sorted(range(len(ids)), key=ids.__getitem__), tuple(sorted(ids))
        yield score_set.reorder(*orders[ids])


def _common_weight(peers: Sequence[ScoreSet]) -> Floats:
    scored = np.array([np.where(peer.is_unscorable, np.nan, peer.weight) for peer in peers])
    high, low = np.fmax.reduce(scored, axis=0), np.fmin.reduce(scored, axis=0)
    differing = np.flatnonzero(high > low)
    if differing.size:
        index = differing[0]
        raise ScoringError(
            f"an example must have the same weight in all runs on {peers[0].benchmark}, got {low[index]:g} "
            f"and {high[index]:g} for {peers[0].example_ids[index]!r}; score all runs with the same version"
        )
    return np.where(np.isnan(high), peers[0].weight, high)


def _score_row(score_set: ScoreSet, confidence: float) -> ScoreRow:
    n, num_correct = len(score_set.example_ids), int(score_set.is_correct.sum())
    answered = 0.0 if score_set.num_questions is None else n / score_set.num_questions
    if answered >= 1:
        kind, interval = "none", NO_INTERVAL
    elif score_set.is_all_or_nothing:
        quantile = NormalDist().inv_cdf((1 + confidence) / 2)
        kind, interval = "wilson", wilson_interval(score_set.accuracy, n / (1 - answered), quantile=quantile)
    elif score_set.num_counted < MIN_QUESTIONS:
        kind, interval = "too few questions", NO_INTERVAL
    else:
        kind, credit = "wilson, clustered", [_credit([score_set])]
        interval = accuracy_interval(credit, confidence=confidence, share_answered=answered)
    identity = score_set.run, score_set.method, score_set.dataset, score_set.seed
    place = score_set.benchmark, score_set.gen_length, score_set.scoring
    counts = n, num_correct, int(score_set.is_unscorable.sum())
    return ScoreRow(*identity, *place, *counts, score_set.accuracy, *interval, kind)


@dataclass(frozen=True)
class _Group:
    """The runs of a method and data set on a single benchmark, or on all benchmarks for the average."""

    method: str
    dataset: str | None
    benchmark: str
    gen_length: int | str
    columns: tuple[tuple[ScoreSet, ...], ...]  # benchmarks x seeds

    @property
    def key(self) -> tuple[str | None, str, int | str]:
        return self.dataset, self.benchmark, self.gen_length

    @property
    def num_seeds(self) -> int:
        return len(self.columns[0])

    @property
    def is_trained(self) -> bool:
        """True if there could be other runs with other training seeds."""
        return self.dataset is not None

    @property
    def has_enough_questions(self) -> bool:
        """True if variances can be estimated from the questions of each benchmark."""
        return all(column[0].num_counted >= MIN_QUESTIONS for column in self.columns)

    @property
    def is_scored(self) -> bool:
        """True if the scorer has a verdict on at least one answer of each run to each benchmark."""
        return not any(score_set.is_unscorable.all() for column in self.columns for score_set in column)

    def seed_means(self) -> Floats:
        """Return the mean accuracy over the benchmarks, shape ``[seeds]``."""
        accuracies = np.array([[score_set.accuracy for score_set in column] for column in self.columns])
        return np.asarray(accuracies.mean(axis=0))


def _group(score_sets: Sequence[ScoreSet], mix: LengthMix | None) -> Iterator[_Group]:
    """Group the runs by method and data set; the groups of the averages follow those of the benchmarks."""
    benchmarks = _distinct(score_set.benchmark for score_set in score_sets)
    lengths = _distinct(score_set.gen_length for score_set in score_sets)
    columns: dict[tuple[Any, ...], tuple[ScoreSet, ...]] = {}
    for score_set in score_sets:
        key = score_set.method, score_set.dataset, score_set.benchmark, score_set.gen_length
        columns[key] = (*columns.get(key, ()), score_set)
    for method, dataset in _distinct(key[:2] for key in columns):
        for benchmark in benchmarks:
            for length in lengths:
                column = columns.get((method, dataset, benchmark, length))
                if column is None:
                    raise ScoringError(
                        f"every run must have scores on all benchmarks, got none of {method} on {benchmark} "
                        f"at length {length}; score the missing answers"
                    )
                yield _Group(method, dataset, benchmark, length, (column,))
        for length in lengths if len(benchmarks) > 1 else ():
            parts = tuple(columns[method, dataset, benchmark, length] for benchmark in benchmarks)
            yield _Group(method, dataset, AVERAGE, length, parts)
        if (
            mix is not None
            and mix.lengths.keys() == set(benchmarks)
            and {*mix.lengths.values()} <= {*lengths}
        ):
            parts = tuple(columns[method, dataset, name, mix.lengths[name]] for name in benchmarks)
            yield _Group(method, dataset, AVERAGE, mix.name, parts)


def _contrast_rows(
    groups: Sequence[_Group], contrast: tuple[str, str], confidence: float
) -> Iterator[ContrastRow]:
    """Compare a contrast's two methods on each benchmark and on the average."""
    for group, control in _pair_groups(groups, contrast):
        pairs = zip(group.columns, control.columns, strict=True)
        change = compare_means([_credit(*pair) for pair in pairs], confidence=confidence)
        fewest = MIN_SEEDS if control.is_trained else MIN_SEEDS_OF_ONE
        has_enough_seeds = all(part.num_seeds >= fewest for part in (group, control) if part.is_trained)
        has_interval = group.has_enough_questions
        is_tested = has_enough_seeds and has_interval and group.is_scored and control.is_scored
        yield ContrastRow(
            *group.key,
            *contrast,
            group.num_seeds,
            control.num_seeds,
            difference=change.difference,
            standard_error=change.standard_error if has_interval else math.nan,
            ci_low=change.low if has_interval else math.nan,
            ci_high=change.high if has_interval else math.nan,
            p_value=change.p_value if is_tested else math.nan,
            p_holm=math.nan,
            minimum_detectable_difference=change.minimum_detectable if is_tested else math.nan,
            conclusion="",
        )


def _pair_groups(groups: Sequence[_Group], contrast: tuple[str, str]) -> Iterator[tuple[_Group, _Group]]:
    """Yield the groups of treatment and control on the same data set, benchmark and length.

    A model that is not trained here has no data set; it is compared with the treatment on every data set.
    """
    controls = {group.key: group for group in groups if group.method == contrast[1]}
    for group in groups:
        control = controls.get(group.key) or controls.get((None, *group.key[1:]))
        if group.method == contrast[0] and control is not None:
            yield group, control


def _seed_rows(groups: Sequence[_Group], contrast: tuple[str, str]) -> Iterator[SeedRow]:
    """Compare the runs of a contrast's two methods seed by seed."""
    for group, control in _pair_groups(groups, contrast):
        others = {runs[0].seed: runs for runs in zip(*control.columns, strict=True)}
        for runs in zip(*group.columns, strict=True):
            seed = runs[0].seed
            if seed not in others:
                continue
            pairs = list(zip(runs, others[seed], strict=True))
            yield SeedRow(
                *group.key,
                *contrast,
                seed=seed,
                difference=float(np.mean([run.accuracy - other.accuracy for run, other in pairs])),
                only_treatment=sum(int((run.is_correct & ~other.is_correct).sum()) for run, other in pairs),
                only_control=sum(int((other.is_correct & ~run.is_correct).sum()) for run, other in pairs),
                n=sum(len(run.example_ids) for run in runs),
            )


def _add_conclusions(contrasts: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """Add corrected p-values and conclusions to the averages, or to the only benchmark."""
    is_average = contrasts["benchmark"] == AVERAGE
    family = (is_average if is_average.any() else ~is_average) & contrasts["p_value"].notna()
    corrected = pd.Series(np.nan, index=contrasts.index)
    corrected[family] = holm(contrasts.loc[family, "p_value"].to_numpy(dtype=np.float64))
    sides = np.where(contrasts["difference"] > 0, ABOVE, BELOW)
    conclusions = np.where(corrected < 1 - confidence, sides, UNDECIDED)
    return contrasts.assign(p_holm=corrected, conclusion=np.where(family, conclusions, ""))


def _credit(*columns: Sequence[ScoreSet]) -> BenchmarkCredit:
    credit = tuple(np.stack([score_set.credit for score_set in column]) for column in columns)
    return BenchmarkCredit(credit, columns[0][0].weight)


def _frame(kind: type[ScoreRow | MethodRow | ContrastRow | SeedRow], rows: Sequence[Any]) -> pd.DataFrame:
    """Return a table in which a missing data set is None."""
    frame = pd.DataFrame(rows, columns=list(kind._fields))
    frame["dataset"] = pd.Series([row.dataset for row in rows], dtype=object)
    return frame


def _distinct(values: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(values))

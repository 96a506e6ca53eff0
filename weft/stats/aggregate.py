"""From the scores of single examples to three tables: runs, methods, contrasts.

Rows stand in the order in which the runs, benchmarks and lengths are given.  Every row has its own
random numbers, made from the seed and the row's name, so that no row changes when another is added.
All accuracies are fractions, 0 to 1.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from weft.errors import ScoringError
from weft.stats.intervals import Interval, bootstrap_interval, mean_interval, wilson_interval
from weft.stats.multiple import holm
from weft.stats.paired import compare_means, match_examples
from weft.stats.resampling import BenchmarkCredit, Floats

AVERAGE = "average"
"""Name of the pseudo-benchmark that is the unweighted mean over the benchmarks."""

SCORE_COLUMNS = (
    "run", "method", "dataset", "seed", "benchmark", "gen_length", "rules", "n", "num_correct",
    "num_unscorable", "accuracy", "ci_low", "ci_high", "interval",
)  # fmt: skip
METHOD_COLUMNS = (
    "method", "dataset", "benchmark", "gen_length", "num_seeds", "mean", "sd", "minimum", "maximum",
    "ci_low", "ci_high",
)  # fmt: skip
CONTRAST_COLUMNS = (
    "dataset", "benchmark", "gen_length", "treatment", "control", "num_seeds_treatment", "num_seeds_control",
    "difference", "ci_low", "ci_high", "p_value", "beyond_interval",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class ScoreSet:
    """The scores of one run on one benchmark at one generation length.

    Attributes:
        run: the run's name.
        method: its method.
        dataset: what it was trained on; None for an untrained model.
        seed: its training seed; None for an untrained model.
        benchmark: the benchmark's name.
        gen_length: length of the answers, in tokens.
        rules: scoring rules.
        example_ids: one per example.
        credit: share of right units of each example, 0 to 1.
        weight: units of each example.
        is_correct: whether the verdict is correct.
        is_unscorable: whether the scorer could not judge; such an example has no credit.
    """

    run: str
    method: str
    dataset: str | None
    seed: int | None
    benchmark: str
    gen_length: int
    rules: str
    example_ids: tuple[str, ...]
    credit: Floats
    weight: Floats
    is_correct: NDArray[np.bool_]
    is_unscorable: NDArray[np.bool_]

    @property
    def accuracy(self) -> float:
        """Right units over all units, 0 to 1."""
        return float(BenchmarkCredit((self.credit[np.newaxis],), self.weight).pooled_accuracies()[0][0])

    @property
    def is_all_or_nothing(self) -> bool:
        """Whether each example is one unit, right or wrong."""
        return bool((self.weight == 1).all() and np.isin(self.credit, (0, 1)).all())


@dataclass(frozen=True)
class Aggregate:
    """The three tables.

    Attributes:
        scores: a row per run, benchmark and length.
        methods: a row per method, data set, benchmark (and their average) and length.
        contrasts: a row per contrast, data set, benchmark (and their average) and length.
    """

    scores: pd.DataFrame
    methods: pd.DataFrame
    contrasts: pd.DataFrame


@dataclass(frozen=True)
class _Resampling:
    """How intervals are made."""

    confidence: float
    num_resamples: int
    seed: int

    def arguments(self, *row: object) -> dict[str, Any]:
        """Return the keyword arguments of a bootstrap for the row of this name."""
        name = "/".join(str(part) for part in (self.seed, *row))
        entropy = int.from_bytes(hashlib.sha256(name.encode()).digest())
        rng = np.random.default_rng(entropy)
        return {"confidence": self.confidence, "num_resamples": self.num_resamples, "rng": rng}


def aggregate(
    score_sets: Sequence[ScoreSet],
    *,
    contrasts: Sequence[tuple[str, str]],
    confidence: float,
    num_resamples: int,
    seed: int,
) -> Aggregate:
    """Compute the tables of an experiment.

    An unscorable example gets the weight that it has in the runs where it could be judged, so that a
    failing scorer does not make a puzzle smaller.

    Args:
        score_sets: one per run, benchmark and length, in the order of the tables.
        contrasts: pairs of treatment and control, in the order of the table; may be empty.
        confidence: level of all intervals, between 0 and 1.
        num_resamples: bootstrap resamples.
        seed: seed of the bootstrap.

    Returns:
        The tables.  With a single run there is no sd; its interval is over examples only.  With several
        contrasts their table also has ``p_holm``, see `_add_holm`.

    Raises:
        ScoringError: two runs differ in their examples, or the same examples have different weights.
    """
    resampling = _Resampling(confidence, num_resamples, seed)
    matched = list(_match(score_sets))
    cells = list(_cells(matched))
    rows = [row for contrast in contrasts for row in _contrast_rows(cells, contrast, resampling)]
    compared = _frame(rows, CONTRAST_COLUMNS)
    return Aggregate(
        scores=_frame((_score_row(one, resampling) for one in matched), SCORE_COLUMNS),
        methods=_frame((_method_row(cell, resampling) for cell in cells), METHOD_COLUMNS),
        contrasts=_add_holm(compared) if len(contrasts) > 1 else compared,
    )


@dataclass(frozen=True)
class _Cell:
    """The runs of one method and data set on one benchmark, or on all of them for the average."""

    method: str
    dataset: str | None
    benchmark: str
    gen_length: int
    columns: tuple[tuple[ScoreSet, ...], ...]  # benchmarks x seeds

    @property
    def key(self) -> tuple[str | None, str, int]:
        return self.dataset, self.benchmark, self.gen_length

    def seed_means(self) -> Floats:
        """Return the accuracy of each seed, averaged over the benchmarks."""
        accuracies = np.array([[one.accuracy for one in column] for column in self.columns])
        return np.asarray(accuracies.mean(axis=0))


def _match(score_sets: Sequence[ScoreSet]) -> Iterator[ScoreSet]:
    """Sort the examples of each run, check that they are the same and agree on their weights."""
    in_order = [_sorted_by_example(one) for one in score_sets]
    weights: dict[tuple[str, int], Floats] = {}
    for one in in_order:
        key = one.benchmark, one.gen_length
        if key not in weights:
            peers = [other for other in in_order if (other.benchmark, other.gen_length) == key]
            names = [f"run {other.run} on {other.benchmark} {other.gen_length}" for other in peers]
            match_examples([other.example_ids for other in peers], names=names)
            weights[key] = _agreed_weight(peers)
        yield replace(one, weight=weights[key])


def _sorted_by_example(one: ScoreSet) -> ScoreSet:
    order = sorted(range(len(one.example_ids)), key=one.example_ids.__getitem__)
    arrays = {name: getattr(one, name)[order] for name in ("credit", "weight", "is_correct", "is_unscorable")}
    return replace(one, example_ids=tuple(one.example_ids[index] for index in order), **arrays)


def _agreed_weight(peers: Sequence[ScoreSet]) -> Floats:
    judged = np.array([np.where(one.is_unscorable, np.nan, one.weight) for one in peers])
    high, low = np.fmax.reduce(judged, axis=0), np.fmin.reduce(judged, axis=0)
    differing = np.flatnonzero(high > low)
    if differing.size:
        where = differing[0]
        raise ScoringError(
            f"an example must have the same weight in all runs on {peers[0].benchmark}, got {low[where]:g} "
            f"and {high[where]:g} for {peers[0].example_ids[where]!r}; score all runs with the same version"
        )
    return np.where(np.isnan(high), peers[0].weight, high)


def _score_row(one: ScoreSet, resampling: _Resampling) -> dict[str, Any]:
    n, num_correct = len(one.example_ids), int(one.is_correct.sum())
    if one.is_all_or_nothing:
        name, interval = "wilson", wilson_interval(num_correct, n, confidence=resampling.confidence)
    else:
        name = "bootstrap over examples"
        arguments = resampling.arguments("score", one.run, one.benchmark, one.gen_length)
        interval = bootstrap_interval(one.credit, one.weight, **arguments)
    row = {column: getattr(one, column) for column in SCORE_COLUMNS[:7]}
    counts = {"n": n, "num_correct": num_correct, "num_unscorable": int(one.is_unscorable.sum())}
    bounds = {"accuracy": one.accuracy, "ci_low": interval.low, "ci_high": interval.high, "interval": name}
    return row | counts | bounds


def _cells(score_sets: Sequence[ScoreSet]) -> Iterator[_Cell]:
    """Group the runs by method and data set; the average comes after the benchmarks."""
    benchmarks = _distinct(one.benchmark for one in score_sets)
    lengths = _distinct(one.gen_length for one in score_sets)
    for method, dataset in _distinct((one.method, one.dataset) for one in score_sets):
        own = [one for one in score_sets if (one.method, one.dataset) == (method, dataset)]
        columns = {
            (benchmark, length): tuple(
                one for one in own if (one.benchmark, one.gen_length) == (benchmark, length)
            )
            for benchmark in benchmarks
            for length in lengths
        }
        missing = [key for key, column in columns.items() if not column]
        if missing:
            raise ScoringError(f"every run needs scores on all benchmarks, got none of {method} on {missing}")
        for (benchmark, length), column in columns.items():
            yield _Cell(method, dataset, benchmark, length, (column,))
        if len(benchmarks) > 1:
            for length in lengths:
                parts = tuple(columns[benchmark, length] for benchmark in benchmarks)
                yield _Cell(method, dataset, AVERAGE, length, parts)


def _method_row(cell: _Cell, resampling: _Resampling) -> dict[str, Any]:
    values = cell.seed_means()
    interval = _method_interval(cell, resampling)
    return {
        "method": cell.method,
        "dataset": cell.dataset,
        "benchmark": cell.benchmark,
        "gen_length": cell.gen_length,
        "num_seeds": values.size,
        "mean": values.mean(),
        "sd": values.std(ddof=1) if values.size > 1 else np.nan,
        "minimum": values.min(),
        "maximum": values.max(),
        "ci_low": interval.low,
        "ci_high": interval.high,
    }


def _method_interval(cell: _Cell, resampling: _Resampling) -> Interval:
    """Over examples and seeds; of a single run on one benchmark the same as in the scores table."""
    if len(cell.columns) == 1 and len(cell.columns[0]) == 1:
        row = _score_row(cell.columns[0][0], resampling)
        return Interval(row["ci_low"], row["ci_high"])
    arguments = resampling.arguments("method", cell.method, *cell.key)
    return mean_interval([_credit(column) for column in cell.columns], **arguments)


def _contrast_rows(
    cells: Sequence[_Cell], contrast: tuple[str, str], resampling: _Resampling
) -> Iterator[dict[str, Any]]:
    controls = {cell.key: cell for cell in cells if cell.method == contrast[1]}
    for cell in cells:
        if cell.method != contrast[0] or cell.key not in controls:
            continue
        pairs = zip(cell.columns, controls[cell.key].columns, strict=True)
        arguments = resampling.arguments("contrast", *contrast, *cell.key)
        found = compare_means([_credit(treatment, control) for treatment, control in pairs], **arguments)
        yield {
            "dataset": cell.dataset,
            "benchmark": cell.benchmark,
            "gen_length": cell.gen_length,
            "treatment": contrast[0],
            "control": contrast[1],
            "num_seeds_treatment": found.num_seeds_treatment,
            "num_seeds_control": found.num_seeds_control,
            "difference": found.difference,
            "ci_low": found.low,
            "ci_high": found.high,
            "p_value": found.p_value,
            "beyond_interval": found.beyond_interval,
        }


def _add_holm(contrasts: pd.DataFrame) -> pd.DataFrame:
    """Correct the p-values of the averages for their number, in a further column ``p_holm``.

    The family is the averages over benchmarks, one per contrast, data set and length; where there is one
    benchmark it stands for the average.  Other rows have no corrected value: they say where a difference
    comes from, not whether there is one.
    """
    is_average = contrasts["benchmark"] == AVERAGE
    family = is_average if is_average.any() else ~is_average
    corrected = pd.Series(np.nan, index=contrasts.index)
    corrected[family] = holm(contrasts.loc[family, "p_value"].to_numpy(dtype=np.float64))
    return contrasts.assign(p_holm=corrected)


def _credit(*groups: Sequence[ScoreSet]) -> BenchmarkCredit:
    return BenchmarkCredit(
        tuple(np.stack([one.credit for one in group]) for group in groups), groups[0][0].weight
    )


def _frame(rows: Iterable[dict[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    """Make a table; a missing data set stays None and seeds stay whole numbers."""
    records = list(rows)
    frame = pd.DataFrame(records, columns=list(columns))
    frame["dataset"] = pd.Series([record["dataset"] for record in records], dtype=object)
    return frame.astype({"seed": "Int64"}) if "seed" in columns else frame


def _distinct(values: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(values))

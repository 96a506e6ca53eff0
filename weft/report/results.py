"""All files of an experiment that the report reads, loaded into one `Results` object.

Tables, figures and the page are computed from ``(experiment, results)`` and open no files themselves.
If a file is missing, incomplete or malformed, an error with its name is raised.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from weft.config import CUSTOM_SCORING, Experiment, FineTuning, Run
from weft.errors import DataError
from weft.layout import PROVENANCE_ENDING, SUMMARY_FILE, ResultLayout, provenance_file
from weft.provenance import file_sha256
from weft.records import (
    CurvePoint,
    DataCheck,
    Example,
    JobTime,
    LengthSummary,
    Provenance,
    StepMetrics,
    Timing,
)
from weft.records.files import parse_record, read_json, read_lines
from weft.report.score_files import ScoreFile, read_score_columns
from weft.report.words import WordRanking, rank_words
from weft.stats import Aggregate, LengthMix, ScoreSet, aggregate

PROBE_COLUMNS = ("example_id", "token", "entropy", "is_padding")
GRADIENT_COLUMNS = (
    "method", "quintile", "num_tokens", "mean_entropy", "mean_rate", "weight_share", "loss_share",
    "gradient_share", "gradient_share_low", "gradient_share_high", "relative_variance",
    "relative_variance_low", "relative_variance_high", "cosine_to_sft", "cosine_to_sft_low",
    "cosine_to_sft_high", "gradient_norm", "num_draws",
)  # fmt: skip
MAY_BE_UNDEFINED = ("cosine_to_sft", "cosine_to_sft_low", "cosine_to_sft_high")
"""Columns of the gradient study that have no value if SFT's mean gradient is smaller than its noise."""
QUINTILES = (1, 2, 3, 4, 5)
TRAIN_AGAIN = "train this run again"
NOT_SHOWN = ("exports", "figures", "report")
"""Results whose provenance the page does not show, because jobs may write them at the same time."""


@dataclass(frozen=True)
class Results:
    """Everything that the report shows.

    An evaluation has scores, provenance and traces only, and stored generations have scores and provenance.

    Attributes:
        scores: all score files, in the order of the tables.
        logs: training log of each trained run, by the name of the run.
        timings: wall times of each trained run, by the name of the run.
        probes: for each data set, a row per answer token under the base model, in the order of the
            answers: example_id, token (text), entropy (nats) and is_padding.
        sampling_seconds: wall time of the last sampling job of each run, by the name of the run, where it is
            known; jobs that share a run are added.
        gradients: gradient study of each data set, with the columns `GRADIENT_COLUMNS`; a row per
            method and quintile, in the order of the experiment.
        curves: learning curve of each run, by its name, if it is measured; that of the base model has the
            points after 0 steps.
        summaries: lengths of each prepared data set, where they are known.
        checks: comparison of each data set with the test questions, where it is at hand.
        examples: the first training example of each data set, where the examples are at hand.
        provenance: provenance of each result, by its path in the results folder.
        traces: runs whose answers are shown step by step on a separate page.
    """

    scores: list[ScoreFile]
    logs: dict[str, list[StepMetrics]] = field(default_factory=dict)
    timings: dict[str, Timing] = field(default_factory=dict)
    sampling_seconds: dict[str, float] = field(default_factory=dict)
    probes: dict[str, pd.DataFrame] = field(default_factory=dict)
    gradients: dict[str, pd.DataFrame] = field(default_factory=dict)
    curves: dict[str, list[CurvePoint]] = field(default_factory=dict)
    summaries: dict[str, LengthSummary] = field(default_factory=dict)
    checks: dict[str, DataCheck] = field(default_factory=dict)
    examples: dict[str, Example] = field(default_factory=dict)
    provenance: dict[str, Provenance] = field(default_factory=dict)
    traces: list[Run] = field(default_factory=list)
    _aggregates: dict[object, Aggregate] = field(default_factory=dict, init=False, repr=False, compare=False)

    def aggregate(
        self,
        scoring: str,
        *,
        contrasts: Sequence[tuple[str, str]],
        confidence: float,
        mix: LengthMix | None = None,
        num_questions: Mapping[str, int] | None = None,
    ) -> Aggregate:
        """Aggregate the scores by one set of scoring rules; see `weft.stats.aggregate`.

        All tables and figures share the result, which is computed when it is first needed. If the answers
        are those to a part of the questions, ``num_questions`` is the number of all questions by benchmark.
        """
        mixed = mix and (mix.name, tuple(mix.lengths.items()))
        key = scoring, tuple(contrasts), confidence, mixed, tuple((num_questions or {}).items())
        if key not in self._aggregates:
            sets = [_score_set(file, num_questions) for file in self.scored_by(scoring)]
            self._aggregates[key] = aggregate(sets, contrasts=contrasts, confidence=confidence, mix=mix)
        return self._aggregates[key]

    @cached_property
    def word_rankings(self) -> dict[str, WordRanking]:
        """Frequent words of each data set, ranked by their entropy."""
        return {dataset: rank_words(probe) for dataset, probe in self.probes.items()}

    def scored_by(self, scoring: str) -> list[ScoreFile]:
        """Return the score files of one set of scoring rules."""
        return [file for file in self.scores if file.scoring == scoring]


def _score_set(file: ScoreFile, num_questions: Mapping[str, int] | None) -> ScoreSet:
    columns = file.columns
    return ScoreSet(
        run=file.run.run_id,
        method=file.run.method,
        dataset=file.run.dataset,
        seed=file.run.seed,
        benchmark=file.benchmark,
        gen_length=file.gen_length,
        scoring=file.scoring,
        example_ids=columns.example_ids,
        credit=columns.credit,
        weight=columns.weight,
        is_correct=columns.is_correct,
        is_unscorable=columns.is_unscorable,
        num_questions=(num_questions or {}).get(file.benchmark),
    )


def load_results(experiment: Experiment, layout: ResultLayout) -> Results:
    """Load all results of an experiment.

    Args:
        experiment: the experiment.
        layout: its results folder.

    Returns:
        The results.

    Raises:
        DataError: a file other than a score file is missing, incomplete or malformed, or a result is of
            another experiment.
        ScoringError: a score file is missing, incomplete or malformed, or lacks the score of a question.
    """
    provenance = read_provenance(experiment, layout)
    scores = list(_load_scores(experiment, layout))
    traces = [run for run in experiment.traced_runs if layout.trace(run.run_id).is_file()]
    if not isinstance(experiment, FineTuning):
        return Results(scores, provenance=provenance, traces=traces)
    run_ids = [run.run_id for run in experiment.trained_runs]
    names = experiment.dataset_names
    summaries = {name: layout.prepared(name) / SUMMARY_FILE for name in names}
    known = {name: path for name, path in summaries.items() if path.is_file()}
    checks = {name: path for name in names if (path := layout.check(name)).is_file()}
    examples = {name: layout.examples(name) for name in names}
    measured = experiment.run_ids if experiment.curve_benchmarks else []
    studied = names if experiment.has_gradient_study else []
    return Results(
        scores,
        logs={run_id: _load_log(layout.history(run_id)) for run_id in run_ids},
        sampling_seconds=dict(_load_sampling_seconds(layout, experiment.run_ids)),
        timings={run_id: read_json(layout.timing(run_id), Timing, remedy=TRAIN_AGAIN) for run_id in run_ids},
        probes={name: _load_probe(layout.probe(name)) for name in names},
        gradients={name: _load_gradients(experiment, layout.gradients(name)) for name in studied},
        curves={run_id: read_lines(layout.curve(run_id), CurvePoint) for run_id in measured},
        summaries={name: read_json(path, LengthSummary) for name, path in known.items()},
        checks={name: read_json(path, DataCheck) for name, path in checks.items()},
        examples={name: _load_first_example(path) for name, path in examples.items() if path.is_file()},
        provenance=provenance,
        traces=traces,
    )


def read_provenance(experiment: Experiment, layout: ResultLayout) -> dict[str, Provenance]:
    """Read the provenance of all results of an experiment that the page shows.

    Args:
        experiment: the experiment.
        layout: results folder of an experiment.

    Returns:
        The provenance of each result, by its path in the folder, for example ``runs/sft-s1k-seed1``.

    Raises:
        DataError: the folder is missing, or a provenance file is malformed or that of another experiment.
    """
    root, records = layout.root, {}
    if not root.is_dir():
        raise DataError(f"{root}: expected the folder of an experiment's results, got none; check the path")
    for path in _provenance_files(root):
        provenance = read_json(path, Provenance)
        remedy = "name the experiment of these results, or run the workflow"
        _check_experiment(provenance, path, experiment, remedy)
        records[path.relative_to(root).as_posix().removesuffix(PROVENANCE_ENDING)] = provenance
    return records


def check_origin(derived: Path, experiment: Experiment, inputs: Mapping[str, str]) -> None:
    """Check that a folder of figures was made from the given results, by the provenance beside it.

    Args:
        derived: the folder.
        experiment: the experiment.
        inputs: path -> digest of the files and folders from which the figures of these results are made.

    Raises:
        DataError: the folder is missing, was changed, or is one of other results.
    """
    again = "make the figures again"
    recorded = read_json(provenance_file(derived), Provenance, remedy=again)
    _check_experiment(recorded, provenance_file(derived), experiment, again)
    if (
        list(recorded.inputs.values()) != list(inputs.values())  # paths may be relative to another folder
        or not derived.is_dir()
        or file_sha256(derived) != recorded.sha256
    ):
        raise DataError(
            f"{derived}: expected figures that were made from the results of this report, got those of other "
            f"results; {again}"
        )


def _check_experiment(provenance: Provenance, path: Path, experiment: Experiment, remedy: str) -> None:
    if provenance.experiment not in {"", experiment.name}:  # no name is that of `weft score`
        raise DataError(
            f"{path}: expected a result of the experiment {experiment.name!r}, got one of "
            f"{provenance.experiment!r}; {remedy}"
        )


def _load_scores(experiment: Experiment, layout: ResultLayout) -> Iterator[ScoreFile]:
    known_ids: dict[tuple[str, ...], tuple[str, ...]] = {}
    for scoring in experiment.scoring:
        for run in experiment.runs:
            for benchmark in experiment.benchmark_names:
                for length in experiment.gen_lengths:
                    path = layout.scores(scoring, run.run_id, benchmark, length)
                    count = experiment.num_questions(benchmark)
                    expected = CUSTOM_SCORING if benchmark in experiment.custom_benchmarks else scoring
                    columns = read_score_columns(
                        path, benchmark=benchmark, scoring=expected, num_questions=count
                    )
                    # All runs answer the same questions, whose ids are kept once.
                    ids = known_ids.setdefault(columns.example_ids, columns.example_ids)
                    yield ScoreFile(run, benchmark, length, scoring, path, replace(columns, example_ids=ids))


def _load_sampling_seconds(layout: ResultLayout, run_ids: list[str]) -> Iterator[tuple[str, float]]:
    """Yield the wall time of sampling of each run of which Snakemake has recorded it."""
    for run_id in run_ids:
        alone = layout.benchmark("sample", run_id)
        parts = layout.benchmark("sample", f"{run_id}.*of*")
        files = [alone] if alone.is_file() else sorted(parts.parent.glob(parts.name))
        jobs = [read_lines(path, JobTime, remedy="delete the file") for path in files]
        if jobs and all(jobs):
            yield run_id, sum(times[-1].s for times in jobs)


def _load_first_example(path: Path) -> Example:
    """Return the first example of a data set without reading the others."""
    with path.open(encoding="utf-8", errors="replace") as file:
        line = file.readline()
    return parse_record(
        line, Example, place=f"{path}, line 1", error=DataError, remedy="delete the file and make it again"
    )


def _load_log(path: Path) -> list[StepMetrics]:
    steps = read_lines(path, StepMetrics, remedy=TRAIN_AGAIN, allow_nan=True)
    if not steps:
        raise DataError(f"{path}: expected at least one optimiser step, got none; {TRAIN_AGAIN}")
    return steps


def _load_probe(path: Path) -> pd.DataFrame:
    frame = _read_parquet(path, PROBE_COLUMNS, remedy="run the probe again")
    if frame.empty:
        raise DataError(f"{path}: expected at least one answer token, got none; run the probe again")
    return frame


def _load_gradients(experiment: FineTuning, path: Path) -> pd.DataFrame:
    frame = _read_parquet(path, GRADIENT_COLUMNS, remedy="run the gradient study again")
    _check_gradients(experiment, frame, path)
    methods = list(experiment.methods)
    order = frame.assign(place=frame["method"].map(methods.index)).sort_values(["place", "quintile"])
    return order[list(GRADIENT_COLUMNS)].reset_index(drop=True)


def _check_gradients(experiment: FineTuning, frame: pd.DataFrame, path: Path) -> None:
    again = "run the gradient study again"
    unknown = sorted(set(frame["method"]) - set(experiment.methods))
    if unknown or frame.empty:
        raise DataError(
            f"{path}: expected rows of the methods {', '.join(experiment.methods)}, got "
            f"{', '.join(unknown) or 'none'}; {again}"
        )
    for method, rows in frame.groupby("method"):
        if sorted(rows["quintile"]) != list(QUINTILES):
            raise DataError(
                f"{path}: expected the quintiles 1 to 5 of each method, got {rows['quintile'].tolist()} of "
                f"{method}; {again}"
            )
    is_too_noisy = ~(frame["gradient_norm"] > 0)
    if is_too_noisy.any():
        method = frame["method"][is_too_noisy].iloc[0]
        raise DataError(
            f"{path}: the estimate of |E g|² must be above 0, but for {method} it is not, because there are "
            f"too few draws; raise gradient_study.num_draws and {again}"
        )
    for name in frame.columns.difference(["method", *MAY_BE_UNDEFINED]):
        if not np.isfinite(frame[name].to_numpy(dtype=np.float64)).all():
            raise DataError(f"{path}: expected a finite {name} in every row, got others; {again}")


def _read_parquet(path: Path, columns: tuple[str, ...], *, remedy: str) -> pd.DataFrame:
    if not path.is_file():
        raise DataError(f"{path}: expected a file, got none; {remedy}")
    try:
        return pd.read_parquet(path, columns=list(columns))
    except (OSError, ValueError, KeyError) as error:  # pyarrow's errors are subclasses of these
        raise DataError(
            f"{path}: expected Parquet with the columns {', '.join(columns)}, "
            f"got {type(error).__name__}: {error}; delete the file and {remedy}"
        ) from error


def _provenance_files(root: Path) -> Iterator[Path]:
    """Yield the provenance files of all results that the page shows, those of folders first."""
    for folder in sorted(path for path in root.iterdir() if path.name not in NOT_SHOWN):
        for path in sorted(folder.rglob(f"*{PROVENANCE_ENDING}")):
            if "/." not in f"/{path.relative_to(root).as_posix()}":
                yield path
    hidden = [f"{name}{PROVENANCE_ENDING}" for name in NOT_SHOWN]
    yield from sorted(path for path in root.glob(f"*{PROVENANCE_ENDING}") if path.name not in hidden)

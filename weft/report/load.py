"""Reading of what other rules wrote: scores, histories, timings, probes, tables, provenance.

Every file is checked as far as the report depends on it; a file that is missing, cut off or of
another form stops the report with its name.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from weft.config import FineTuning, Run
from weft.errors import DataError, ScoringError, WeftError
from weft.report.outputs import AnyExperiment, gradient_file, score_file
from weft.stats import ScoreSet

SCORE_FIELDS: dict[str, type | tuple[type, ...]] = {
    "example_id": str,
    "benchmark": str,
    "rules": str,
    "verdict": str,
    "credit": (int, float),
    "weight": int,
}
VERDICTS = ("correct", "wrong", "unscorable")
HISTORY_FIELDS = ("optimizer_step", "loss")
TIMING_FIELDS = ("seconds_per_step", "num_steps", "train_seconds", "num_processes", "device")
PROBE_FIELDS = ("example_id", "word", "entropy", "is_padding")
GRADIENT_FIELDS = (
    "method", "quintile", "num_tokens", "mean_entropy", "mean_rate", "weight_share", "loss_share",
    "gradient_share", "gradient_share_low", "gradient_share_high", "relative_variance",
    "relative_variance_low", "relative_variance_high", "gradient_norm", "num_draws", "cosine_to_sft",
)  # fmt: skip
QUINTILES = (1, 2, 3, 4, 5)
TEXT_COLUMNS = ("run", "method", "dataset", "benchmark", "rules", "interval", "treatment", "control", "note")


class Sample(NamedTuple):
    """A generation to show.

    Attributes:
        benchmark: the benchmark's name.
        question: text of the question.
        generation: text of the answer, untrusted.
        extracted: what the scorer read from it; None if nothing.
        verdict: correct, wrong or unscorable.
        run: name of the run that answered; may be empty.
    """

    benchmark: str
    question: str
    generation: str
    extracted: str | None
    verdict: str
    run: str = ""


def load_scores(experiment: AnyExperiment, root: Path, *, rules: str) -> list[ScoreSet]:
    """Read all scores of an experiment by one set of rules, in the order of the tables.

    Args:
        experiment: the experiment.
        root: its results folder.
        rules: one of the experiment's sets of rules.

    Returns:
        One set per run, benchmark and length.

    Raises:
        ScoringError: a file is missing, empty, cut off or of another form.
    """
    return [_load_score_set(experiment, root, rules, cell) for cell in _list_cells(experiment)]


def load_details(
    experiment: AnyExperiment, root: Path
) -> Iterator[tuple[Run, str, int, list[dict[str, Any]]]]:
    """Read what the first set of rules noted about the answers, in the order of the tables.

    Yields:
        Run, benchmark, length, and the details of each example; empty where there are none.

    Raises:
        ScoringError: a file is missing, empty, cut off or of another form.
    """
    for cell in _list_cells(experiment):
        path = root / score_file(experiment.scoring[0], cell.run_id, cell.benchmark, cell.gen_length)
        records = _read_lines(path, ScoringError)
        details = [record.get("details") or {} for record in records]
        if not all(isinstance(one, dict) for one in details):
            raise ScoringError(f"{path}: 'details' must be an object in every line; score again")
        yield cell.run, cell.benchmark, cell.gen_length, details


def load_history(experiment: FineTuning, root: Path) -> pd.DataFrame:
    """Read the loss histories of all training runs.

    Returns:
        A row per run and optimiser step: run, method, dataset, seed, optimizer_step, loss (nats).

    Raises:
        DataError: a file is missing, empty, cut off or lacks a field.
    """
    frames = []
    for run in experiment.trained_runs:
        path = root / "runs" / run.run_id / "history.jsonl"
        records = _read_lines(path, DataError)
        _require(records, HISTORY_FIELDS, path)
        frame = pd.DataFrame([{name: record[name] for name in HISTORY_FIELDS} for record in records])
        frames.append(frame.assign(run=run.run_id, method=run.method, dataset=run.dataset, seed=run.seed))
    return pd.concat(frames, ignore_index=True)


def load_timings(experiment: FineTuning, root: Path) -> pd.DataFrame:
    """Read the wall times of all training runs.

    Returns:
        A row per run: run, method, dataset, seed, seconds_per_step (median), num_steps, train_seconds,
        num_processes, device.

    Raises:
        DataError: a file is missing, cut off or lacks a field.
    """
    rows = []
    for run in experiment.trained_runs:
        path = root / "runs" / run.run_id / "timing.json"
        timing = _read_json(path)
        _require([timing], TIMING_FIELDS, path)
        identity = {"run": run.run_id, "method": run.method, "dataset": run.dataset, "seed": run.seed}
        rows.append(identity | {name: timing[name] for name in TIMING_FIELDS})
    return pd.DataFrame(rows)


def load_probe(root: Path, dataset: str) -> pd.DataFrame:
    """Read the token entropies of a training set under the base model.

    Returns:
        A row per answer token: example_id, word, entropy (nats), is_padding.

    Raises:
        DataError: the file is missing, cut off, empty or lacks a column.
    """
    path = root / "probe" / f"{dataset}.parquet"
    frame = _read_parquet(path, PROBE_FIELDS, what="token entropies", maker="the probe")
    if frame.empty:
        raise DataError(f"{path}: at least one answer token is needed, got none; run the probe again")
    return frame


def load_gradients(experiment: FineTuning, root: Path) -> pd.DataFrame:
    """Read the gradient studies of all training sets.

    Returns:
        A row per data set, method and quintile: dataset, and the columns `GRADIENT_FIELDS`; the methods
        in the experiment's order.

    Raises:
        DataError: a file is missing, cut off, lacks a column or a number, knows other methods than the
            experiment, or a method has not each quintile once.
    """
    frames = []
    for dataset in experiment.datasets:
        path = root / gradient_file(dataset)
        frame = _read_parquet(path, GRADIENT_FIELDS, what="gradients", maker="the gradient study")
        _check_gradients(frame, experiment, path)
        frame = frame.assign(dataset=dataset)[["dataset", *GRADIENT_FIELDS]]
        place = frame["method"].map(list(experiment.methods).index)
        frames.append(frame.assign(place=place).sort_values(["place", "quintile"]).drop(columns="place"))
    return pd.concat(frames, ignore_index=True)


def load_training_data(experiment: FineTuning, root: Path) -> dict[str, dict[str, int | float]]:
    """Read what is known about the lengths of the training sets.

    Returns:
        Data set -> name -> number, as they stand in the summaries; data sets without one are left out.

    Raises:
        DataError: a summary is cut off.
    """
    paths = {name: root / "data/prepared" / name / "summary.json" for name in experiment.datasets}
    summaries = {name: _read_json(path) for name, path in paths.items() if path.is_file()}
    return {
        name: {
            key: value
            for key, value in summary.items()
            if isinstance(value, int | float) and not isinstance(value, bool)
        }
        for name, summary in summaries.items()
    }


def load_table(tables: Path, name: str) -> pd.DataFrame:
    """Read one of our own tables back.

    Raises:
        DataError: the table is missing or empty of columns.
    """
    path = tables / f"{name}.csv"
    dtypes: dict[str, Any] = dict.fromkeys(TEXT_COLUMNS, "string") | {"seed": "Int64"}
    try:
        frame = pd.read_csv(path, dtype=dtypes, keep_default_na=False, na_values=[""])
    except FileNotFoundError as error:
        raise DataError(f"{path}: the table is needed, found no such file; make the tables first") from error
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: must be a table, got {error}; make the tables again") from error
    for column in frame.columns.intersection(list(TEXT_COLUMNS)):
        values = frame[column].astype(object)
        frame[column] = values.where(values.notna(), None)
    return frame


def load_provenance(root: Path) -> list[dict[str, Any]]:
    """Read the provenance files below a results folder, except those of figures and report.

    Raises:
        DataError: a file is cut off.
    """
    folders = [folder for folder in sorted(root.iterdir()) if folder.name not in {"figures", "report"}]
    paths = [path for folder in folders for path in sorted(folder.rglob("*.provenance.json"))]
    paths += sorted(root.glob("*.provenance.json"))
    shown = (path for path in paths if "/." not in f"/{path.relative_to(root).as_posix()}")
    return [_read_json(path) for path in shown]


def load_samples(experiment: FineTuning, root: Path, *, num_per_verdict: int) -> list[Sample]:
    """Choose a few generations per benchmark: the first of each verdict.

    They come from the treatment of the experiment's contrast, first data set, first seed, longest
    answers.

    Args:
        experiment: the experiment.
        root: its results folder, with scores/ and samples/.
        num_per_verdict: how many of each verdict.

    Raises:
        ScoringError: a file is missing or cut off, or an example was scored but not sampled.
    """
    run_id = next(run.run_id for run in experiment.runs if run.method == experiment.contrast[0])
    length = max(experiment.sampling.gen_lengths)
    samples = []
    for benchmark in map(str, experiment.benchmarks):
        path = root / "samples" / run_id / benchmark / f"{length}.jsonl"
        texts = {record["example_id"]: record for record in _read_lines(path, ScoringError)}
        scores = _read_lines(
            root / score_file(experiment.scoring[0], run_id, benchmark, length), ScoringError
        )
        for verdict in VERDICTS:
            chosen = [score for score in scores if score["verdict"] == verdict]
            for score in chosen[:num_per_verdict]:
                text = texts.get(score["example_id"])
                if text is None:
                    raise ScoringError(f"{path}: example {score['example_id']!r} is not there; score again")
                shown = text["question"], text["generation"], score["extracted"], verdict, run_id
                samples.append(Sample(benchmark, *shown))
    return samples


class _Cell(NamedTuple):
    """What there is a score file for, by every set of rules."""

    run: Run
    run_id: str
    benchmark: str
    gen_length: int


def _list_cells(experiment: AnyExperiment) -> list[_Cell]:
    return [
        _Cell(run, run.run_id, name, length)
        for run in experiment.runs
        for name in experiment.benchmark_names
        for length in experiment.gen_lengths
    ]


def _read_parquet(path: Path, columns: Iterable[str], *, what: str, maker: str) -> pd.DataFrame:
    if not path.is_file():
        raise DataError(f"{path}: {what} are needed, found no such file; run {maker} first")
    try:
        return pd.read_parquet(path, columns=list(columns))
    except (OSError, ValueError, KeyError) as error:  # pyarrow's errors are among these
        raise DataError(
            f"{path}: must be Parquet with the columns {', '.join(columns)}, "
            f"got {type(error).__name__}: {error}; delete the file and run {maker} again"
        ) from error


def _check_gradients(frame: pd.DataFrame, experiment: FineTuning, path: Path) -> None:
    again = "run the gradient study again"
    unknown = sorted(set(frame["method"]) - set(experiment.methods))
    if unknown or frame.empty:
        raise DataError(
            f"{path}: needs rows of the methods {', '.join(experiment.methods)}, got "
            f"{', '.join(unknown) or 'none'}; {again}"
        )
    for method, own in frame.groupby("method"):
        if sorted(own["quintile"]) != list(QUINTILES):
            raise DataError(
                f"{path}: every method needs the quintiles 1 to 5 once, got {own['quintile'].tolist()} of "
                f"{method}; {again}"
            )
    is_too_noisy = ~(frame["gradient_norm"] > 0)
    if is_too_noisy.any():
        method = frame["method"][is_too_noisy].iloc[0]
        raise DataError(
            f"{path}: the estimated |E g|² must be above 0, it is not for {method}: its draws are too few; "
            f"raise gradient_study.num_draws and {again}"
        )
    numbers = [name for name in GRADIENT_FIELDS if name not in ("method", "cosine_to_sft")]
    for name in numbers:
        if not np.isfinite(frame[name].to_numpy(dtype=np.float64)).all():
            raise DataError(f"{path}: {name} must be a finite number in every row, got others; {again}")


def _load_score_set(experiment: AnyExperiment, root: Path, rules: str, cell: _Cell) -> ScoreSet:
    run, benchmark = cell.run, cell.benchmark
    path = root / score_file(rules, cell.run_id, benchmark, cell.gen_length)
    records = _read_lines(path, ScoringError)
    for number, record in enumerate(records, start=1):
        _check_score(record, benchmark, rules, where=f"{path}: line {number}")
    _check_examples(records, experiment.num_questions(benchmark), path)
    verdicts = np.array([record["verdict"] for record in records])
    return ScoreSet(
        run=cell.run_id,
        method=run.method,
        dataset=run.dataset,
        seed=run.seed,
        benchmark=benchmark,
        gen_length=cell.gen_length,
        scoring=rules,
        example_ids=tuple(record["example_id"] for record in records),
        credit=np.array([record["credit"] for record in records], dtype=np.float64),
        weight=np.array([record["weight"] for record in records], dtype=np.float64),
        is_correct=verdicts == "correct",
        is_unscorable=verdicts == "unscorable",
    )


def _check_score(record: dict[str, Any], benchmark: str, rules: str, *, where: str) -> None:
    for name, kind in SCORE_FIELDS.items():
        if not isinstance(record.get(name), kind):
            raise ScoringError(
                f"{where}: {name!r} is needed in a score, got {record.get(name)!r}; score again"
            )
    if (record["benchmark"], record["rules"]) != (benchmark, rules):
        raise ScoringError(
            f"{where}: must be a score of {benchmark} by the rules {rules}, got {record['benchmark']} by "
            f"{record['rules']}; score again"
        )
    if record["verdict"] not in VERDICTS or not 0 <= record["credit"] <= 1 or record["weight"] < 0:
        raise ScoringError(
            f"{where}: needs a verdict of {VERDICTS}, a credit of 0 to 1 and a weight of at least 0, got "
            f"{record['verdict']!r}, {record['credit']} and {record['weight']}; score again"
        )


def _check_examples(records: list[dict[str, Any]], num_expected: int | None, path: Path) -> None:
    ids = [record["example_id"] for record in records]
    if len(set(ids)) < len(ids):
        repeated = next(one for index, one in enumerate(ids) if one in ids[:index])
        raise ScoringError(
            f"{path}: every example must stand there once, got {repeated!r} again; score again"
        )
    if num_expected is not None and len(ids) != num_expected:
        raise ScoringError(
            f"{path}: the experiment has {num_expected} questions, got {len(ids)} scores; "
            "the file is cut off or stale, score again"
        )


def _read_lines(path: Path, failure: type[WeftError]) -> list[dict[str, Any]]:
    """Read JSON lines, every one ended."""
    text = _read_text(path, failure)
    if not text.endswith("\n"):
        raise failure(f"{path}: every line must be ended, got {text[-40:]!r} at the end; make the file again")
    records = []
    for number, line in enumerate(text[:-1].split("\n"), start=1):
        try:
            record = json.loads(line)
        except ValueError as error:
            raise failure(
                f"{path}: line {number} must be JSON, got {line[:40]!r}; make the file again"
            ) from error
        if not isinstance(record, dict):
            raise failure(
                f"{path}: line {number} must be a JSON object, got {line[:40]!r}; make the file again"
            )
        records.append(record)
    return records


def _read_json(path: Path) -> dict[str, Any]:
    text = _read_text(path, DataError)
    try:
        content = json.loads(text)
    except ValueError as error:
        raise DataError(f"{path}: must be JSON, got {text[:40]!r}; make the file again") from error
    if not isinstance(content, dict):
        raise DataError(f"{path}: must be a JSON object, got {text[:40]!r}; make the file again")
    return content


def _read_text(path: Path, failure: type[WeftError]) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise failure(
            f"{path}: the report needs this file, found none; run the rule that makes it"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise failure(f"{path}: cannot be read ({error}); make the file again") from error


def _require(records: list[dict[str, Any]], names: Iterable[str], path: Path) -> None:
    for number, record in enumerate(records, start=1):
        missing = [name for name in names if record.get(name) is None]
        if missing:
            raise DataError(
                f"{path}: record {number} needs {', '.join(missing)}, got none; train this run again"
            )

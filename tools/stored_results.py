"""Store finished runs as Parquet files that can be committed, and restore them for the report.

    python -m tools.stored_results store --experiment few-shot     # after a run: docs/results/few-shot/
    python -m tools.stored_results missing --experiment few-shot   # what Snakemake must make next
    python -m tools.stored_results restore --experiment few-shot OUT

A file holds one run: a row for each answer with its verdicts, and, as metadata, the training log, the wall
times, the learning curve and the provenance of the run. The data sets have one more file each, with the
token entropies under the base model. A store is refused unless it restores the same bytes.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import typer
import yaml

from weft.config import BASE_RUN, FineTuning, find_experiment, load_experiment
from weft.config.experiment import Run
from weft.errors import DataError
from weft.layout import SUMMARY_FILE, ResultLayout, provenance_file
from weft.records import Generation, JsonObject, Record, ScoredExample
from weft.records.files import atomic_file, read_lines, read_text, write_text

STORE = Path("docs/results")
METADATA = b"weft"
"""Key of the metadata that holds the other files of a run."""
OMITTED_IF_NONE = "approximate"
"""Field that is absent from a record if it has no value; all other fields are always written."""
AS_JSON = ("reference", "details")
"""Fields whose values are stored as JSON text, because their type differs between benchmarks."""

app = typer.Typer(help=__doc__, no_args_is_help=True)
ExperimentOption = Annotated[str, typer.Option(help="Path or name of the experiment.")]


def store_path(experiment: FineTuning, name: str) -> Path:
    """Return the path of the file of a run or, with ``data.`` in front of its name, of a data set."""
    return STORE / experiment.name / f"{name}.parquet"


def store_run(experiment: FineTuning, layout: ResultLayout, run: str, out: Path) -> None:
    """Store a finished run.

    Args:
        experiment: the experiment.
        layout: its results.
        run: name of the run.
        out: Parquet file to write.

    Raises:
        DataError: a result of the run is missing or malformed.
        ValueError: the stored answers or verdicts would not restore to the same bytes.
    """
    rows = [row for cell in _cells(experiment) for row in _read_rows(experiment, layout, run, *cell)]
    table = pa.Table.from_pylist(rows)
    files = {str(path.relative_to(layout.root)): read_text(path) for path in _other_files(layout, run)}
    table = table.replace_schema_metadata({METADATA: json.dumps(files)})
    for path, text in _restored_files(experiment, layout, run, table).items():
        if text != read_text(path):
            raise ValueError(f"{path} must be restored without a change, but its store differs from it")
    out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(out) as temporary:
        pq.write_table(table, temporary, compression="zstd", compression_level=19)


def store_dataset(layout: ResultLayout, dataset: str, out: Path) -> None:
    """Store the token entropies and the lengths of a data set."""
    table = pq.read_table(layout.probe(dataset))
    summary = layout.prepared(dataset) / SUMMARY_FILE
    files = {str(summary.relative_to(layout.root)): read_text(summary)}
    merged = {**(table.schema.metadata or {}), METADATA: json.dumps(files)}
    out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(out) as temporary:
        pq.write_table(
            table.replace_schema_metadata(merged), temporary, compression="zstd", compression_level=19
        )


def store_gradients(layout: ResultLayout, dataset: str, out: Path) -> None:
    """Store the gradient study of a data set."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(out) as temporary:
        pq.write_table(
            pq.read_table(layout.gradients(dataset)), temporary, compression="zstd", compression_level=19
        )


def restore(experiment: FineTuning, layout: ResultLayout) -> None:
    """Write the files of all stored runs, data sets and gradient studies that the report reads.

    Args:
        experiment: the experiment, with stored runs only.
        layout: folder of results to write.
    """
    for run in experiment.run_ids:
        table = pq.read_table(store_path(experiment, run))
        for path, text in _restored_files(experiment, layout, run, table).items():
            write_text(path, text)
        _write_other_files(layout, table)
    for dataset in experiment.dataset_names:
        table = pq.read_table(store_path(experiment, f"data.{dataset}"))
        layout.probe(dataset).parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(layout.probe(dataset)) as temporary:
            pq.write_table(table, temporary)
        _write_other_files(layout, table)
        if experiment.has_gradient_study:
            study = pq.read_table(store_path(experiment, f"gradients.{dataset}"))
            chosen = pc.is_in(study["method"], pa.array(list(experiment.methods)))
            layout.gradients(dataset).parent.mkdir(parents=True, exist_ok=True)
            with atomic_file(layout.gradients(dataset)) as temporary:
                pq.write_table(study.filter(chosen), temporary)


def with_stored_runs(experiment: FineTuning) -> FineTuning:
    """Return the part of an experiment whose runs are all stored.

    It has the seeds for which the two methods of the main test are stored, and the methods that are stored
    for all these seeds. Without a stored gradient study, it has none.
    """
    missing = set(missing_runs(experiment))
    seeds = [
        seed
        for seed in experiment.seeds
        if not any(
            run.run_id in missing and _is_main(experiment, run)
            for run in experiment.trained_runs
            if run.seed == seed
        )
    ]
    lacking = {run.method for run in experiment.trained_runs if run.seed in seeds and run.run_id in missing}
    methods = {name: method for name, method in experiment.methods.items() if name not in lacking}
    contrasts = [pair for pair in experiment.further_contrasts if set(pair) <= set(methods)]
    update: dict[str, object] = {"seeds": seeds, "methods": methods, "further_contrasts": contrasts}
    if not all(store_path(experiment, f"gradients.{name}").is_file() for name in experiment.dataset_names):
        update["gradient_study"] = None
    return experiment.model_copy(update=update)


def missing_runs(experiment: FineTuning) -> list[str]:
    """Return the names of the runs that are not stored.

    The base model comes first, then the two methods of the main test, seed by seed, then the other methods.
    """
    runs = sorted(experiment.trained_runs, key=lambda run: _place(experiment, run))
    names = [BASE_RUN, *(run.run_id for run in runs)]
    return [name for name in names if not store_path(experiment, name).is_file()]


def _place(experiment: FineTuning, run: Run) -> tuple[int, int, int]:
    is_main = _is_main(experiment, run)
    method = 0 if is_main else 1 + list(experiment.methods).index(run.method)
    return method, experiment.seeds.index(run.seed or 0), list(experiment.datasets).index(run.dataset or "")


def _is_main(experiment: FineTuning, run: Run) -> bool:
    return run.method in experiment.contrast


def _cells(experiment: FineTuning) -> Iterator[tuple[str, int]]:
    for benchmark in experiment.benchmark_names:
        for length in experiment.gen_lengths:
            yield benchmark, length


def _read_rows(
    experiment: FineTuning, layout: ResultLayout, run: str, benchmark: str, length: int
) -> Iterator[JsonObject]:
    """Yield a row for each answer: the fields of the answer, and those of its scores by each scoring."""
    answers = read_lines(layout.samples(run, benchmark, length), Generation)
    scores = {
        scoring: read_lines(layout.scores(scoring, run, benchmark, length), ScoredExample)
        for scoring in map(str, experiment.scoring)
    }
    for index, answer in enumerate(answers):
        row = _as_row(answer)
        for scoring, records in scores.items():
            row |= {f"{scoring}.{key}": value for key, value in _as_row(records[index]).items()}
        yield row


def _as_row(record: Record) -> JsonObject:
    return {key: json.dumps(value) if key in AS_JSON else value for key, value in record.as_object().items()}


def _as_record(row: JsonObject, kind: type[Record]) -> Record:
    values = {
        key: json.loads(value) if key in AS_JSON else value
        for key, value in row.items()
        if value is not None or key != OMITTED_IF_NONE
    }
    return kind.model_validate(values)


def _restored_files(
    experiment: FineTuning, layout: ResultLayout, run: str, table: pa.Table
) -> dict[Path, str]:
    """Return the texts of the files with the answers and the scores of a run."""
    lines: dict[Path, list[str]] = {}
    scorings = [str(scoring) for scoring in experiment.scoring]
    for row in table.to_pylist():
        cell = run, row["benchmark"], row["gen_length"]
        answer = {key: value for key, value in row.items() if "." not in key}
        lines.setdefault(layout.samples(*cell), []).append(_as_record(answer, Generation).as_line())
        for scoring in scorings:
            prefix = f"{scoring}."
            score = {k.removeprefix(prefix): v for k, v in row.items() if k.startswith(prefix)}
            path = layout.scores(scoring, *cell)
            lines.setdefault(path, []).append(_as_record(score, ScoredExample).as_line())
    return {path: "".join(texts) for path, texts in lines.items()}


def _other_files(layout: ResultLayout, run: str) -> list[Path]:
    """Return the other files of a run that the report reads, and the provenance of the run."""
    if run == BASE_RUN:
        return []
    files = [layout.history(run), layout.timing(run), provenance_file(layout.run(run))]
    return [*files, layout.curve(run)] if layout.curve(run).is_file() else files


def _write_other_files(layout: ResultLayout, table: pa.Table) -> None:
    for name, text in json.loads(table.schema.metadata[METADATA]).items():
        write_text(layout.root / name, text)


def _load(experiment: str) -> FineTuning:
    described = load_experiment(find_experiment(experiment))
    if not isinstance(described, FineTuning):
        raise typer.BadParameter(f"the experiment must train models, got {described.name}")
    return described


@app.command("store")
def store_all(experiment: ExperimentOption) -> None:
    """Store all finished runs, data sets and gradient studies that are not stored yet."""
    described = _load(experiment)
    layout = ResultLayout.of(described.name)
    for dataset in described.dataset_names:
        out = store_path(described, f"data.{dataset}")
        if layout.probe(dataset).is_file() and not out.exists():
            store_dataset(layout, dataset, out)
        out = store_path(described, f"gradients.{dataset}")
        if layout.gradients(dataset).is_file() and not out.exists():
            store_gradients(layout, dataset, out)
    for run in missing_runs(described):
        scores = [layout.scores(s, run, *cell) for s in described.scoring for cell in _cells(described)]
        has_curve = run == BASE_RUN or not described.curve_benchmarks or layout.curve(run).is_file()
        if has_curve and all(path.is_file() for path in scores):
            store_run(described, layout, run, store_path(described, run))
            typer.echo(f"{run} -> {store_path(described, run)}")


@app.command("missing")
def show_missing(
    experiment: ExperimentOption,
    count: Annotated[int, typer.Option(help="Number of runs to print.")] = 2,
) -> None:
    """Print the results of the next runs that are not stored, as targets for Snakemake."""
    described = _load(experiment)
    layout = ResultLayout.of(described.name)
    for run in missing_runs(described)[:count]:
        paths = [layout.scores(s, run, *cell) for s in described.scoring for cell in _cells(described)]
        if run != BASE_RUN and described.curve_benchmarks:
            paths.append(layout.curve(run))
        if run == BASE_RUN:
            paths += [layout.probe(dataset) for dataset in described.dataset_names]
            if described.has_gradient_study:
                paths += [layout.gradients(dataset) for dataset in described.dataset_names]
        typer.echo("\n".join(map(str, paths)))


@app.command("restore")
def restore_all(experiment: ExperimentOption, out: Path) -> None:
    """Restore the stored part of an experiment, and write an experiment file that describes this part."""
    described = with_stored_runs(_load(experiment))
    if not described.seeds:
        raise DataError(
            f"the runs of {' and '.join(described.contrast)} with at least one seed must be in "
            f"{STORE / described.name}, got none; run make results EXPERIMENT={described.name} first"
        )
    restore(described, ResultLayout(out))
    write_text(out / f"{described.name}.yaml", yaml.safe_dump(described.model_dump(mode="json")))
    typer.echo(f"restored the seeds {described.seeds} of {list(described.methods)} -> {out}")


if __name__ == "__main__":
    app()

"""Store finished runs as Parquet files that can be committed, and restore them for the report.

    python -m tools.stored_results missing --experiment few-shot   # what Snakemake must make next
    python -m tools.stored_results store --experiment few-shot     # then: docs/results/few-shot/
    python -m tools.stored_results restore --experiment few-shot OUT

A file holds one run: a row for each answer with its verdicts, and, as compressed metadata, the training log,
the wall times, the learning curve, and the provenance of all of these. The token entropies and the gradient
study of a data set have files of their own. Each file has a digest of the settings on which its content
depends; after a change of these settings, it counts as missing. A store is refused unless it restores the
same bytes.
"""

import base64
import json
import lzma
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import typer
import yaml

from tools.commands import brief_errors, load_fine_tuning
from weft.config import BASE_RUN, FineTuning
from weft.config.experiment import Run
from weft.config.sources import GeneratedData
from weft.config.stages import stage_settings
from weft.data.tasks.examples import digest_generators, generate_examples
from weft.errors import DataError
from weft.layout import PROVENANCE_ENDING, STORED_ENDING, SUMMARY_FILE, ResultLayout, provenance_file
from weft.provenance import digest
from weft.records import Generation, JsonObject, Provenance, Record, ScoredExample
from weft.records.files import atomic_file, read_json, read_lines, read_text, write_lines, write_text

STORE = Path("docs/results")
FILES, SETTINGS = b"weft.files", b"weft.settings"
"""Keys of the metadata with the other files of a run, and with the digest of its settings."""
DATA, GRADIENTS = "data.", "gradients."
"""Beginnings of the names of files with the token entropies and with the gradient study of a data set."""
OMITTED_IF_NONE = "approximate"
"""Field that is absent from a record if it has no value; all other fields are always written."""
AS_JSON = ("reference", "details")
"""Fields whose values are stored as JSON text, because their type differs between benchmarks."""
SHARED = ("example_id", "benchmark")
"""Fields that an answer and its scores have in common; they are stored once."""
RUNS_AT_ONCE = 2
"""Runs that are made and stored together, as many as two processors can make at the same time."""

Stage = tuple[str, dict[str, str]]
"""A stage of the workflow, see `stage_settings`, and the wildcards of its job."""

app = typer.Typer(help=__doc__, no_args_is_help=True)
ExperimentOption = Annotated[str, typer.Option(help="Path or name of the experiment.")]


def store_path(experiment: FineTuning, name: str) -> Path:
    """Return the path of the file of a run or, with `DATA` or `GRADIENTS` before its name, of a data set."""
    return STORE / experiment.name / f"{name}.parquet"


def missing_names(experiment: FineTuning) -> list[str]:
    """Return the names of the files that are not stored, damaged, or of other settings.

    The base model comes first, then the data sets, the two methods of the main test, seed by seed, and the
    other methods.
    """
    datasets = experiment.dataset_names
    studies = datasets if experiment.has_gradient_study else []
    runs = sorted(experiment.trained_runs, key=lambda run: _place(experiment, run))
    names = [
        BASE_RUN,
        *(f"{DATA}{name}" for name in datasets),
        *(f"{GRADIENTS}{name}" for name in studies),
        *(run.run_id for run in runs),
    ]
    return [name for name in names if _stored_digest(experiment, name) != settings_digest(experiment, name)]


def settings_digest(experiment: FineTuning, name: str) -> str:
    """Return a digest of all settings, and of the generators, on which the content of a file depends."""
    settings = [
        [stage, chosen, _stage_settings(experiment, stage, chosen)]
        for stage, chosen in _list_stages(experiment, name)
    ]
    return digest({"stages": settings, "generators": digest_generators()})


def _stage_settings(experiment: FineTuning, stage: str, chosen: dict[str, str]) -> object:
    """Return the settings of a stage, with those on which it depended when results were stored.

    ``prepare`` looked for test questions, and training depended on the interval between its checkpoints.
    """
    settings = stage_settings(experiment, stage, chosen)
    if stage not in ("prepare", "train"):
        return settings
    assert isinstance(settings, dict), "the settings of a stage of the training are an object"
    if stage == "prepare":
        return {**settings, "forbid_test_questions": experiment.forbid_test_questions}
    return {**settings, "training": {**settings["training"], "save_every": experiment.training.save_every}}


def _list_stages(experiment: FineTuning, name: str) -> Iterator[Stage]:
    """Yield the stages of the workflow on which the content of a file depends."""
    yield "base", {}
    if name == BASE_RUN:
        yield from _list_stages_of_answers(experiment)
        yield from _list_stages_of_curve(experiment)
    elif name.startswith(DATA):
        yield from (("examples", {"dataset": name.removeprefix(DATA)}), ("prepare", {}), ("probe", {}))
    elif name.startswith(GRADIENTS):
        yield from (
            ("examples", {"dataset": name.removeprefix(GRADIENTS)}),
            ("prepare", {}),
            ("gradients", {}),
        )
    else:
        yield from (("examples", {"dataset": experiment.find_run(name).dataset or ""}), ("prepare", {}))
        yield from _list_stages_of_answers(experiment)
        yield "train", {"run": name}
        yield from _list_stages_of_curve(experiment)


def _list_stages_of_answers(experiment: FineTuning) -> Iterator[Stage]:
    yield from (("sample", {"gen_length": str(length)}) for length in experiment.gen_lengths)
    yield from (("score", {"scoring": str(rules)}) for rules in experiment.scoring)
    yield from (("questions", {"benchmark": benchmark}) for benchmark in experiment.benchmark_names)


def _list_stages_of_curve(experiment: FineTuning) -> Iterator[Stage]:
    yield "curve", {}
    yield from (("validation", {"benchmark": benchmark}) for benchmark in experiment.curve_benchmarks)


def _stored_digest(experiment: FineTuning, name: str) -> str | None:
    """Return the digest of the settings of a stored file; None if there is no file, or a damaged one."""
    try:
        metadata = _read_table(experiment, name).schema.metadata or {}
    except DataError:
        return None
    return str(metadata.get(SETTINGS, b"").decode())


def list_targets(experiment: FineTuning, layout: ResultLayout, name: str) -> list[Path]:
    """Return the results that the workflow must make before a file can be stored."""
    if name.startswith(DATA):
        return [layout.probe(name.removeprefix(DATA))]
    if name.startswith(GRADIENTS):
        return [layout.gradients(name.removeprefix(GRADIENTS))]
    paths = [layout.scores(rules, name, *cell) for rules in experiment.scoring for cell in _cells(experiment)]
    return [*paths, *_list_curves(experiment, layout, name)]


def store(experiment: FineTuning, layout: ResultLayout, name: str) -> None:
    """Store a finished run, or the token entropies or the gradient study of a data set.

    Args:
        experiment: the experiment.
        layout: its results.
        name: name of the file, see `store_path`.

    Raises:
        DataError: a result is missing or malformed, or was made from files that are not committed.
        ValueError: the stored answers or verdicts would not restore to the same bytes.
    """
    table, others = _read_result(experiment, layout, name)
    files = {str(path.relative_to(layout.root)): read_text(path) for path in others}
    for result in _list_origins(experiment, layout, name):
        path = _restored_provenance(result)
        files[str(path.relative_to(layout.root))] = _read_provenance(result)
    metadata = {
        FILES: base64.b85encode(lzma.compress(json.dumps(files).encode(), preset=9)),
        SETTINGS: settings_digest(experiment, name).encode(),
    }
    pandas = {key: value for key, value in (table.schema.metadata or {}).items() if key == b"pandas"}
    _write_table(table.replace_schema_metadata(metadata | pandas), store_path(experiment, name))


def _read_result(experiment: FineTuning, layout: ResultLayout, name: str) -> tuple[pa.Table, list[Path]]:
    """Return the rows of a file, and the other files of the result that the report reads."""
    if name.startswith(DATA):
        dataset = name.removeprefix(DATA)
        return pq.read_table(layout.probe(dataset)), [layout.prepared(dataset) / SUMMARY_FILE]
    if name.startswith(GRADIENTS):
        return pq.read_table(layout.gradients(name.removeprefix(GRADIENTS))), []
    rows = [row for cell in _cells(experiment) for row in _read_rows(experiment, layout, name, *cell)]
    table = pa.Table.from_pylist(rows)
    for path, text in _restored_files(experiment, layout, name, table).items():
        if text != read_text(path):
            raise ValueError(f"{path} must be restored without a change, but its store differs from it")
    training = [] if name == BASE_RUN else [layout.history(name), layout.timing(name)]
    return table, [*training, *_list_curves(experiment, layout, name)]


def _list_curves(experiment: FineTuning, layout: ResultLayout, run: str) -> list[Path]:
    return [layout.curve(run)] if experiment.curve_benchmarks else []


def _list_origins(experiment: FineTuning, layout: ResultLayout, name: str) -> list[Path]:
    """Return the results whose provenance is stored."""
    targets = list_targets(experiment, layout, name)
    if name.startswith(DATA):
        return [layout.prepared(name.removeprefix(DATA)), *targets]
    if name.startswith(GRADIENTS):
        return targets
    model = layout.base if name == BASE_RUN else layout.run(name)
    return [model, *(layout.samples(name, *cell) for cell in _cells(experiment)), *targets]


def _read_provenance(result: Path) -> str:
    path = provenance_file(result)
    if read_json(path, Provenance).dirty:
        raise DataError(
            f"{path}: expected a result of a committed state, got one of changed files; commit the changes, "
            "delete the result and make it again"
        )
    return read_text(path)


def _restored_provenance(result: Path) -> Path:
    """Return the path to which the provenance of a result is restored.

    The report checks the content of all results that have a provenance beside them. Only files with lines of
    JSON are restored whole and to the byte, so that the provenance of all other results gets another name.
    """
    name = result.name if result.suffix == ".jsonl" else f"{result.name}{STORED_ENDING}"
    return result.with_name(f"{name}{PROVENANCE_ENDING}")


def restore(experiment: FineTuning, layout: ResultLayout) -> None:
    """Write the files of all stored runs, data sets and gradient studies that the report reads.

    Generated training examples are not stored but generated again: the page shows one of each data set.

    Args:
        experiment: the experiment, with stored runs only.
        layout: folder of results to write.
    """
    for run in experiment.run_ids:
        table = _read_table(experiment, run)
        for path, text in _restored_files(experiment, layout, run, table).items():
            write_text(path, text)
        _write_other_files(layout, table)
    for dataset in experiment.dataset_names:
        source = experiment.datasets[dataset]
        if isinstance(source, GeneratedData):
            examples = generate_examples(source.tasks, seed=source.seed, is_checked=source.checked_steps)
            write_lines(layout.examples(dataset), examples)
        table = _read_table(experiment, f"{DATA}{dataset}")
        _write_table(table, layout.probe(dataset))
        _write_other_files(layout, table)
        if experiment.has_gradient_study:
            study = _read_table(experiment, f"{GRADIENTS}{dataset}")
            chosen = pc.is_in(study["method"], pa.array(list(experiment.methods)))
            _write_table(study.filter(chosen), layout.gradients(dataset))
            _write_other_files(layout, study)


def _write_table(table: pa.Table, out: Path) -> None:
    """Write a table with compression and checksums, and without a second copy of its metadata."""
    out.parent.mkdir(parents=True, exist_ok=True)
    plain = table.replace_schema_metadata(None)
    with (
        atomic_file(out) as temporary,
        pq.ParquetWriter(
            temporary,
            plain.schema,
            compression="zstd",
            compression_level=19,
            store_schema=False,
            write_page_checksum=True,
        ) as writer,
    ):
        writer.write_table(plain)
        writer.add_key_value_metadata(table.schema.metadata or {})


def _read_table(experiment: FineTuning, name: str) -> pa.Table:
    path = store_path(experiment, name)
    try:
        return pq.read_table(path, page_checksum_verification=True)
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(
            f"{path}: expected a stored result, got a file that cannot be read ({error}); delete it and run "
            f"make results EXPERIMENT={experiment.name}"
        ) from error


def with_stored_runs(experiment: FineTuning) -> FineTuning:
    """Return the part of an experiment whose runs are all stored.

    It has the seeds for which the two methods of the main test are stored, and the methods that are stored
    for all these seeds. Without a stored gradient study, it has none.
    """
    missing = set(missing_names(experiment))
    runs = experiment.trained_runs
    needed = {BASE_RUN, *(f"{DATA}{name}" for name in experiment.dataset_names)}
    lacking = {run.seed for run in runs if run.run_id in missing and _is_main(experiment, run)}
    seeds = [] if needed & missing else [seed for seed in experiment.seeds if seed not in lacking]
    absent = {run.method for run in runs if run.seed in seeds and run.run_id in missing}
    methods = {name: method for name, method in experiment.methods.items() if name not in absent}
    contrasts = [pair for pair in experiment.further_contrasts if set(pair) <= set(methods)]
    update: dict[str, object] = {"seeds": seeds, "methods": methods, "further_contrasts": contrasts}
    if {f"{GRADIENTS}{name}" for name in experiment.dataset_names} & missing:
        update["gradient_study"] = None
    return experiment.model_copy(update=update)


def _place(experiment: FineTuning, run: Run) -> tuple[int, int, int]:
    is_main = _is_main(experiment, run)
    method = 0 if is_main else 1 + list(experiment.methods).index(run.method)
    return method, experiment.seeds.index(run.seed or 0), list(experiment.datasets).index(run.dataset or "")


def _is_main(experiment: FineTuning, run: Run) -> bool:
    return run.method in (experiment.main_contrast or ())


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
            fields = _as_row(records[index]).items()
            row |= {f"{scoring}.{key}": value for key, value in fields if key not in SHARED}
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
            score = {key: row[key] for key in SHARED}
            score |= {k.removeprefix(prefix): v for k, v in row.items() if k.startswith(prefix)}
            path = layout.scores(scoring, *cell)
            lines.setdefault(path, []).append(_as_record(score, ScoredExample).as_line())
    return {path: "".join(texts) for path, texts in lines.items()}


def _write_other_files(layout: ResultLayout, table: pa.Table) -> None:
    for name, text in unpack_files(table.schema).items():
        write_text(layout.root / name, text)


def unpack_files(schema: pa.Schema) -> dict[str, str]:
    """Return the names and the texts of the other files of a run, from the schema of its stored file."""
    files: dict[str, str] = json.loads(lzma.decompress(base64.b85decode(schema.metadata[FILES])))
    return files


@app.command("missing")
def show_missing(experiment: ExperimentOption) -> None:
    """Print the results of the next runs that are not stored, as targets for Snakemake."""
    described = load_fine_tuning(experiment)
    layout = ResultLayout.of(described.name)
    for name in missing_names(described)[:RUNS_AT_ONCE]:
        typer.echo("\n".join(map(str, list_targets(described, layout, name))))


@app.command("store")
def store_next(experiment: ExperimentOption) -> None:
    """Store the runs whose results ``missing`` has printed; the workflow must have made them."""
    described = load_fine_tuning(experiment)
    layout = ResultLayout.of(described.name)
    for name in missing_names(described)[:RUNS_AT_ONCE]:
        store(described, layout, name)
        typer.echo(f"{name} -> {store_path(described, name)}")


@app.command("restore")
def restore_all(experiment: ExperimentOption, out: Path) -> None:
    """Restore the stored part of an experiment, and write an experiment file that describes this part."""
    described = with_stored_runs(load_fine_tuning(experiment))
    if not described.seeds:
        raise DataError(
            f"{STORE / described.name}: expected the base model, the data sets, and the runs of "
            f"{' and '.join(described.main_contrast or ())} with at least one seed, with the present "
            f"settings, got fewer; run make results EXPERIMENT={described.name} first"
        )
    restore(described, ResultLayout(out))
    content = yaml.safe_dump(described.model_dump(mode="json"), sort_keys=False)
    write_text(out / f"{described.name}.yaml", content)
    typer.echo(f"restored the seeds {described.seeds} of {list(described.methods)} -> {out}")


if __name__ == "__main__":
    with brief_errors():
        app()

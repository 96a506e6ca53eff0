"""``weft data``: questions, training examples, the base model."""

import shutil
from pathlib import Path
from typing import Annotated, Any

import typer

from weft.cli.shared import (
    ExperimentOption,
    OfflineOption,
    OutOption,
    app,
    load_fine_tuning,
    offline_folders,
    save_provenance,
)
from weft.config import find_experiment
from weft.config.pins import pins_path
from weft.config.sources import (
    CustomBenchmark,
    GeneratedBenchmark,
    HubFile,
    HubModel,
    JsonlData,
    PublishedBenchmark,
)
from weft.errors import DataError, find_by_name
from weft.provenance import file_sha256
from weft.records.files import atomic_directory

data_app = typer.Typer(
    help="Make or fetch questions, training examples and the base model.", no_args_is_help=True
)
app.add_typer(data_app, name="data")


@data_app.command("benchmark")
def data_benchmark(
    experiment: ExperimentOption, benchmark: str, out: OutOption, offline: OfflineOption = None
) -> None:
    """Write the test questions of one benchmark."""
    from weft.benchmarks.custom import load_custom_benchmark
    from weft.data.benchmarks import generate_questions, read_custom, write_jsonl

    described = load_fine_tuning(experiment)
    source = find_by_name("the benchmark", benchmark, described.benchmarks)
    inputs: list[Path] = []
    notes: dict[str, Any] = {}
    if isinstance(source, GeneratedBenchmark):
        rows = generate_questions(benchmark, source)
    elif isinstance(source, CustomBenchmark):
        rows = read_custom(
            benchmark, load_custom_benchmark(Path(source.path)), num_examples=source.num_examples
        )
        inputs = [Path(source.path)]
    else:
        pins = pins_path(find_experiment(experiment))
        rows, notes = _published_questions(benchmark, source, out, offline_folders(offline), pins=pins)
    write_jsonl(rows, out)
    save_provenance(out, described, seed=getattr(source, "seed", None), inputs=inputs, notes=notes)
    typer.echo(f"{benchmark}: {len(rows)} questions -> {out}")


@data_app.command("dataset")
def data_dataset(
    experiment: ExperimentOption, dataset: str, out: OutOption, offline: OfflineOption = None
) -> None:
    """Write the training examples of one data set as text."""
    from weft.data.benchmarks import write_jsonl
    from weft.data.datasets import drop_repeats, load_examples
    from weft.data.instructions import describe_instruction
    from weft.data.remote import fetch_hub_file, record_hub_file

    described = load_fine_tuning(experiment)
    source = find_by_name("the dataset", dataset, described.datasets)
    folders = offline_folders(offline)
    pins = pins_path(find_experiment(experiment))
    examples = load_examples(dataset, source, offline=folders, pins=pins)
    num_repeated = 0
    if isinstance(source, JsonlData):  # published sets are kept as published
        examples, num_repeated = drop_repeats(examples)
    files = []
    for file in getattr(source, "files", []):
        files.append(fetch_hub_file(file, offline=folders, pins=pins))
        record_hub_file(file, files[-1], pins=pins)
    write_jsonl((example.as_record() for example in examples), out)
    instruction = describe_instruction(getattr(source, "instruction", "none"))
    notes = _used_files(files) | {"instruction": instruction, "num_repeated": num_repeated}
    save_provenance(out, described, notes=notes)
    repeated = f" ({num_repeated} repeated lines left out)" if num_repeated else ""
    typer.echo(f"{dataset}: {len(examples)} examples{repeated} -> {out}")


@data_app.command("prepare")
def data_prepare(
    experiment: ExperimentOption,
    examples: Annotated[Path, typer.Option(help="Training examples as text.")],
    questions: Annotated[list[Path], typer.Option(help="Test questions that must not be trained on.")],
    base: Annotated[Path, typer.Option(help="Checkpoint directory with the tokenizer.")],
    out: OutOption,
) -> None:
    """Tokenise training examples; refuse them if a test question is among them."""
    from weft.data.benchmarks import read_jsonl
    from weft.data.examples import Example, find_leaks
    from weft.data.prepare import describe_summary, prepare_examples
    from weft.model import load_tokenizer, read_config

    described = load_fine_tuning(experiment)
    texts = [Example.from_record(row) for row in read_jsonl(examples)]
    leaked = find_leaks(texts, [row["question"] for file in questions for row in read_jsonl(file)])
    if leaked and described.forbid_test_questions:
        raise DataError(
            f"training and test questions must differ, {len(leaked)} are in both, first {leaked[:3]}; "
            "remove them from the training set, or set forbid_test_questions: false to only count them"
        )
    tokenizer = load_tokenizer(base, mask_token_id=read_config(base).mask_token_id)
    with atomic_directory(out) as folder:
        summary = prepare_examples(
            texts,
            tokenizer,
            folder,
            max_length=described.training.max_length,
            heldout_share=described.training.heldout_share,
            layout=described.training.example_layout,
        )
    save_provenance(
        out, described, inputs=[examples], notes={"summary": summary, "num_test_questions": len(leaked)}
    )
    typer.echo(f"{describe_summary(summary)} -> {out}")


@data_app.command("base")
def data_base(
    experiment: ExperimentOption,
    out: OutOption,
    offline: OfflineOption = None,
    retrained: Annotated[Path | None, typer.Option(help="Checkpoint trained anew, to be used.")] = None,
) -> None:
    """Put the base model into place: the shipped one, one trained anew, or a download."""
    from weft.data.base import locate_base
    from weft.data.remote import model_files, record_hub_model, resolved_commit
    from weft.model import read_config

    described = load_fine_tuning(experiment)
    pins = pins_path(find_experiment(experiment))
    source = retrained or locate_base(described.base_model, offline=offline_folders(offline), pins=pins)
    read_config(source)
    if isinstance(described.base_model, HubModel):
        record_hub_model(described.base_model, source, pins=pins)
    with atomic_directory(out) as folder:
        for file in model_files(source):
            _link_or_copy(file, folder / file.name)
    origin = described.base_model.model_dump(mode="json", exclude={"recipe"})
    save_provenance(out, described, notes={"source": origin, "commit_used": resolved_commit(source)})
    typer.echo(f"base model {source} -> {out}")


def _published_questions(
    benchmark: str, source: PublishedBenchmark, out: Path, offline: list[str], *, pins: Path
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Fetch a published benchmark; return its questions, and what to note in their provenance."""
    from weft.data.benchmarks import read_published
    from weft.data.instructions import describe_instruction, find_instruction
    from weft.data.remote import fetch_hub_file, fetch_web_file, record_hub_file

    if isinstance(source.file, HubFile):
        file = fetch_hub_file(source.file, offline=offline, pins=pins)
    else:
        file = out.with_name(f"{benchmark}.source{Path(source.file.offline).suffix}")
        fetch_web_file(source.file, file, offline=offline)
    text = find_instruction(source.instruction, offline=offline)
    rows = read_published(benchmark, file, num_examples=source.num_examples, instruction=text)
    if isinstance(source.file, HubFile):
        record_hub_file(source.file, file, pins=pins)
    return rows, _used_files([file]) | {"instruction": describe_instruction(source.instruction)}


def _used_files(files: list[Path]) -> dict[str, Any]:
    from weft.data.remote import resolved_commit

    used = [
        {"file": file.name, "commit": resolved_commit(file), "sha256": file_sha256(file)} for file in files
    ]
    return {"files": used}


def _link_or_copy(source: Path, target: Path) -> None:
    """Hard-link large files where the file system allows it."""
    try:
        target.hardlink_to(source.resolve())
    except OSError:
        shutil.copyfile(source, target)

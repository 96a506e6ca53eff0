"""``weft data``: test questions, training examples, and the base model."""

import shutil
from pathlib import Path
from typing import Annotated

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
from weft.config.sources import HubModel
from weft.data.pins import pins_path
from weft.errors import ConfigError, DataError, find_by_name
from weft.records import Example
from weft.records.files import atomic_directory, read_lines, write_lines

data_app = typer.Typer(
    help="Generate or download questions, training examples and the base model.", no_args_is_help=True
)
app.add_typer(data_app, name="data")


@data_app.command("benchmark")
def data_benchmark(
    experiment: ExperimentOption, benchmark: str, out: OutOption, offline: OfflineOption = None
) -> None:
    """Write the test questions of a benchmark."""
    from weft.data.questions import load_questions

    described = load_fine_tuning(experiment)
    source = find_by_name("the benchmark", benchmark, described.benchmarks)
    folders, pins = offline_folders(offline), pins_path(find_experiment(experiment))
    loaded = load_questions(benchmark, source, out, offline=folders, pins=pins)
    write_lines(out, loaded.records)
    seed = getattr(source, "seed", None)
    save_provenance(out, described, seed=seed, inputs=loaded.inputs, notes=loaded.notes)
    typer.echo(f"{benchmark}: {len(loaded.records)} questions -> {out}")


@data_app.command("validation")
def data_validation(experiment: ExperimentOption, benchmark: str, out: OutOption) -> None:
    """Write the validation questions of a benchmark, on which learning curves are measured."""
    from weft.data.questions import generate_questions

    described = load_fine_tuning(experiment)
    if described.learning_curve is None or benchmark not in described.curve_benchmarks:
        raise ConfigError(
            f"the benchmark must be one of those with a learning curve, {described.curve_benchmarks}, got "
            f"{benchmark!r}"
        )
    questions = generate_questions(benchmark, described.learning_curve, split="validation")
    write_lines(out, questions)
    save_provenance(out, described, seed=described.learning_curve.seed)
    typer.echo(f"{benchmark}: {len(questions)} validation questions -> {out}")


@data_app.command("dataset")
def data_dataset(
    experiment: ExperimentOption, dataset: str, out: OutOption, offline: OfflineOption = None
) -> None:
    """Write the training examples of a data set as text."""
    from weft.data.datasets import load_dataset

    described = load_fine_tuning(experiment)
    source = find_by_name("the data set", dataset, described.datasets)
    folders, pins = offline_folders(offline), pins_path(find_experiment(experiment))
    loaded = load_dataset(dataset, source, offline=folders, pins=pins)
    write_lines(out, loaded.records)
    save_provenance(out, described, inputs=loaded.inputs, notes=loaded.notes)
    repeated = f" ({loaded.num_repeated} repeated lines left out)" if loaded.num_repeated else ""
    typer.echo(f"{dataset}: {len(loaded.records)} examples{repeated} -> {out}")


@data_app.command("prepare")
def data_prepare(
    experiment: ExperimentOption,
    examples: Annotated[Path, typer.Option(help="Training examples as text.")],
    questions: Annotated[list[Path], typer.Option(help="Test questions that must not be trained on.")],
    base: Annotated[Path, typer.Option(help="Checkpoint directory with the tokenizer.")],
    out: OutOption,
) -> None:
    """Tokenize training examples, after checking that they contain no test question."""
    from weft.data.context import require_lengths_within, require_room_for_answers
    from weft.data.datasets import find_leaks, find_place
    from weft.data.prepare import describe_summary, measure_prompts, prepare_examples
    from weft.model import load_tokenizer, read_config
    from weft.sampling.files import read_questions

    described, config = load_fine_tuning(experiment), read_config(base)
    require_lengths_within(described, config.max_position_embeddings, source=base)
    texts = read_lines(examples, Example)
    rows = {file: list(read_questions(file).values()) for file in questions}
    leaked = find_leaks(texts, [row.question for file in questions for row in rows[file]])
    if leaked and described.forbid_test_questions:
        raise DataError(
            f"training and test questions must differ, but {len(leaked)} examples of {examples} contain a "
            f"test question, such as example_id {leaked[:3]}; remove them, or set "
            "forbid_test_questions: false to count them only"
        )
    tokenizer = load_tokenizer(base, mask_token_id=config.mask_token_id)
    for file in questions:  # so that a question that cannot be asked is found before the training
        lengths = measure_prompts(
            rows[file],
            tokenizer,
            source=file,
            prefill=described.sampling.prefill,
            special_tokens=described.special_tokens,
        )
        require_room_for_answers(
            lengths, max(described.gen_lengths), context=config.max_position_embeddings, source=file
        )
    lines = {example.example_id: number for number, example in enumerate(texts, start=1)}
    with atomic_directory(out) as folder:
        summary = prepare_examples(
            texts,
            tokenizer,
            folder,
            max_length=described.training.max_length,
            heldout_share=described.training.heldout_share,
            layout=described.training.example_layout,
            special_tokens=described.special_tokens,
            name_place=lambda example: (
                find_place(example, described.datasets) or f"{examples}, line {lines[example.example_id]}"
            ),
        )
    notes = {"summary": summary.as_object(), "num_test_questions": len(leaked)}
    save_provenance(out, described, inputs=[examples], notes=notes)
    typer.echo(f"{describe_summary(summary)} -> {out}")


@data_app.command("base")
def data_base(
    experiment: ExperimentOption,
    out: OutOption,
    offline: OfflineOption = None,
    retrained: Annotated[
        Path | None, typer.Option(help="Checkpoint of a base model trained by this workflow.")
    ] = None,
) -> None:
    """Provide the base model: shipped with weft, retrained, or downloaded."""
    from weft.data.base_model import locate_base
    from weft.data.context import require_lengths_within
    from weft.data.hub import cached_commit, model_files, pin_hub_model
    from weft.model import load_tokenizer, read_config

    described = load_fine_tuning(experiment)
    source, pins = described.base_model, pins_path(find_experiment(experiment))
    checkpoint = retrained or locate_base(source, offline=offline_folders(offline), pins=pins)
    config = read_config(checkpoint)
    require_lengths_within(described, config.max_position_embeddings, source=checkpoint)
    load_tokenizer(checkpoint, mask_token_id=config.mask_token_id)
    if isinstance(source, HubModel):
        pin_hub_model(source, checkpoint, pins=pins)
    with atomic_directory(out) as folder:
        for file in model_files(checkpoint):
            _link_or_copy(file, folder / file.name)
    origin = source.model_dump(mode="json", exclude={"recipe"})
    save_provenance(out, described, notes={"source": origin, "commit_used": cached_commit(checkpoint)})
    typer.echo(f"base model {checkpoint} -> {out}")


def _link_or_copy(source: Path, target: Path) -> None:
    """Create a hard link, or a copy if the file system does not support hard links."""
    try:
        target.hardlink_to(source.resolve())
    except OSError:
        shutil.copyfile(source, target)

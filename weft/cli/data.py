"""``weft data``: test questions, training examples, and the base model."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from weft.cli.shared import (
    ExperimentOption,
    OfflineOption,
    OutOption,
    app,
    load_evaluation,
    load_fine_tuning,
    load_sampled,
    offline_folders,
    save_provenance,
    show_remarks,
)
from weft.config import FineTuning, find_experiment
from weft.config.sources import HubModel
from weft.data.pins import pins_path
from weft.errors import ConfigError, find_by_name
from weft.records import Example
from weft.records.checks import join_places
from weft.records.files import atomic_directory, copy_file, link_or_copy, read_lines, write_json, write_lines

data_app = typer.Typer(
    help="Generate or download questions, training examples and the base model.", no_args_is_help=True
)
app.add_typer(data_app, name="data")

ExamplesOption = Annotated[Path, typer.Option(help="Training examples as text.")]
TokenizerOption = Annotated[Path, typer.Option("--base", help="Checkpoint directory with the tokenizer.")]


@data_app.command("benchmark")
def data_benchmark(
    experiment: ExperimentOption, benchmark: str, out: OutOption, offline: OfflineOption = None
) -> None:
    """Write the test questions of a benchmark."""
    from weft.data.questions import load_questions

    described = load_sampled(experiment)
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

    show_remarks(experiment)
    described = load_fine_tuning(experiment)
    source = find_by_name("the data set", dataset, described.datasets)
    folders, pins = offline_folders(offline), pins_path(find_experiment(experiment))
    loaded = load_dataset(dataset, source, offline=folders, pins=pins)
    write_lines(out, loaded.records)
    save_provenance(out, described, inputs=loaded.inputs, notes=loaded.notes)
    for line in loaded.report:
        typer.echo(f"{dataset}: {line}")
    repeated = f" ({loaded.num_repeated} repeated rows left out)" if loaded.num_repeated else ""
    typer.echo(f"{dataset}: {len(loaded.records)} examples{repeated} -> {out}")


@data_app.command("check")
def data_check(
    experiment: ExperimentOption,
    examples: ExamplesOption,
    questions: Annotated[
        list[Path], typer.Option(help="Test questions; may be given several times, for several benchmarks.")
    ],
    base: TokenizerOption,
    out: OutOption,
) -> None:
    """Compare training examples with test questions, and check that the questions can be asked."""
    from weft.data.checks import check_examples, describe_check, require_no_test_question
    from weft.data.context import require_room_for_answers
    from weft.data.prepare import measure_prompts
    from weft.model import load_tokenizer, read_config
    from weft.sampling.files import read_questions

    described, config = load_fine_tuning(experiment), read_config(base)
    texts = read_lines(examples, Example)
    rows = {file: list(read_questions(file).values()) for file in questions}
    tokenizer = load_tokenizer(base, mask_token_id=config.mask_token_id)
    longest = {}
    for file, asked in rows.items():  # so that a question that cannot be asked is found before the training
        lengths = measure_prompts(
            asked,
            tokenizer,
            source=file,
            prefill=described.sampling.prefill,
            special_tokens=described.special_tokens,
        )
        require_room_for_answers(
            lengths, max(described.gen_lengths), context=config.max_position_embeddings, source=file
        )
        longest[file.stem] = max(lengths.values(), default=0)
    check = check_examples(
        examples.stem,
        texts,
        rows,
        longest_prompts=longest,
        name_place=_places_of(texts, examples, described),
    )
    if described.forbid_test_questions:
        require_no_test_question(check)
    write_json(out, check)
    save_provenance(out, described, inputs=[examples, *questions, base])
    typer.echo(f"{check.dataset}: {describe_check(check)} -> {out}")


@data_app.command("prepare")
def data_prepare(
    experiment: ExperimentOption, examples: ExamplesOption, base: TokenizerOption, out: OutOption
) -> None:
    """Tokenize training examples."""
    from weft.data.context import require_lengths_within
    from weft.data.prepare import describe_summary, prepare_examples
    from weft.model import load_tokenizer, read_config

    show_remarks(experiment)
    described, config = load_fine_tuning(experiment), read_config(base)
    require_lengths_within(described, config.max_position_embeddings, source=base)
    texts = read_lines(examples, Example)
    tokenizer = load_tokenizer(base, mask_token_id=config.mask_token_id)
    with atomic_directory(out) as folder:
        summary = prepare_examples(
            texts,
            tokenizer,
            folder,
            max_length=described.training.max_length,
            heldout_share=described.training.heldout_share,
            layout=described.training.example_layout,
            special_tokens=described.special_tokens,
            too_long=described.too_long,
            name_place=_places_of(texts, examples, described),
        )
    save_provenance(out, described, inputs=[examples, base], notes={"summary": summary.as_object()})
    if summary.num_too_long:
        places = join_places(summary.too_long_places, total=summary.num_too_long)
        typer.echo(f"left out as too long for training.max_length={summary.length_limit}: {places}")
    typer.echo(f"{describe_summary(summary)} -> {out}")


def _places_of(texts: Sequence[Example], file: Path, experiment: FineTuning) -> Callable[[Example], str]:
    """Return a function that names the place of an example: in the user's file, or else in ``file``."""
    from weft.data.datasets import find_place

    lines = {example.example_id: number for number, example in enumerate(texts, start=1)}
    return lambda example: (
        find_place(example, experiment.datasets) or f"{file}, line {lines[example.example_id]}"
    )


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
    from weft.model import check_weights, load_tokenizer, read_config

    described = load_fine_tuning(experiment)
    source, pins = described.base_model, pins_path(find_experiment(experiment))
    checkpoint = retrained or locate_base(source, offline=offline_folders(offline), pins=pins)
    config = read_config(checkpoint)
    require_lengths_within(described, config.max_position_embeddings, source=checkpoint)
    load_tokenizer(checkpoint, mask_token_id=config.mask_token_id)
    check_weights(checkpoint)
    if isinstance(source, HubModel):
        pin_hub_model(source, checkpoint, pins=pins)
    _place(model_files(checkpoint), out)
    origin = source.model_dump(mode="json", exclude={"recipe"})
    save_provenance(
        out,
        described,
        inputs=[retrained] if retrained else [],
        notes={"source": origin, "commit_used": cached_commit(checkpoint)},
    )
    typer.echo(f"base model {checkpoint} -> {out}")


@data_app.command("model")
def data_model(
    experiment: ExperimentOption,
    model: Annotated[str, typer.Argument(help="Name of the model in the experiment.")],
    out: OutOption,
    base: Annotated[
        Path | None, typer.Option(help="Checkpoint directory of the base model of an adapter.")
    ] = None,
    is_base: Annotated[
        bool, typer.Option("--is-base", help="Provide the base model that only this model has.")
    ] = False,
    offline: OfflineOption = None,
) -> None:
    """Provide a model of an evaluation: a checkpoint, or an adapter, which is checked against its base."""
    from weft.data.base_model import locate_base
    from weft.data.context import require_lengths_within
    from weft.data.hub import cached_commit, pin_hub_model
    from weft.model import check_finetuned, check_weights, load_tokenizer, read_config

    described = load_evaluation(experiment)
    chosen = find_by_name("the model", model, described.models)
    source = described.base_source(model) if is_base else chosen
    if source is None:
        raise ConfigError(f"models.{model}.base must be a source for --is-base, got {chosen.base!r}")
    pins, key = pins_path(find_experiment(experiment)), f"models.{model}{'.base' if is_base else ''}"
    folder = locate_base(source, offline=offline_folders(offline), pins=pins, key=key)
    files = _model_files(folder)
    if is_base or chosen.base is None:
        if _is_adapter(folder):
            raise ConfigError(
                f"{key} must be a checkpoint, got the adapter {folder}; give its base model as "
                f"models.{model}.base"
            )
        config = read_config(folder)
        require_lengths_within(described, config.max_position_embeddings, source=folder)
        load_tokenizer(folder, mask_token_id=config.mask_token_id)
        check_weights(folder)
    elif base is None:
        raise ConfigError(f"--base must be given for {model}, which has a base model, got none")
    else:
        check_finetuned(base, folder)
    if isinstance(source, HubModel):
        pin_hub_model(source, folder, pins=pins)
    _place(files, out)
    origin = source.model_dump(mode="json")
    save_provenance(
        out,
        described,
        inputs=[base] if base else [],
        notes={"source": origin, "commit_used": cached_commit(folder)},
    )
    typer.echo(f"model {folder} -> {out}")


def _is_adapter(folder: Path) -> bool:
    from weft.model.adapter_config import ADAPTER_CONFIG

    return (folder / ADAPTER_CONFIG).exists()


def _model_files(folder: Path) -> list[Path]:
    """Return the files from which a model is loaded; beside an adapter, a run has logs and snapshots."""
    from weft.data.hub import model_files
    from weft.model.adapter_config import ADAPTER_CONFIG
    from weft.model.adapters import ADAPTER_WEIGHTS

    if _is_adapter(folder):
        return [folder / name for name in (ADAPTER_CONFIG, ADAPTER_WEIGHTS)]
    return model_files(folder)


def _place(files: Iterable[Path], out: Path) -> None:
    """Create a folder with the files of a checkpoint or an adapter.

    Files in the cache of the hub client are linked, because a model of 8B parameters has 16 GB, and the cache
    can be downloaded again. Files that are shipped, or that belong to the user, are copied: an edit of a
    result must not change them.
    """
    from weft.data.hub import cached_commit

    with atomic_directory(out) as folder:
        for file in files:
            place = link_or_copy if cached_commit(file) is not None else copy_file
            place(file, folder / file.name)

"""``weft data show``: one training example as the model gets it."""

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from weft.cli.data import data_app
from weft.cli.shared import DeviceOption, OfflineOption, load_fine_tuning, load_on_device, offline_folders
from weft.config import FineTuning, Method, find_experiment
from weft.config.methods import PRESETS
from weft.config.numbers import MAX_SEED
from weft.config.places import find_path
from weft.config.section import validate
from weft.config.sources import DataSource, FileData, HubDataset, ScratchModel
from weft.data.pins import pins_path
from weft.errors import ConfigError, DataError, find_by_name
from weft.layout import ResultLayout
from weft.records import Example

if TYPE_CHECKING:
    from weft.data.rows import Loaded

SHIPPED_BASE = Path("experiments/tiny-base")
HUB_NAME = r"[\w.-]+/[\w.-]+(\[.+\])?"
"""Pattern of the name of a data set on the hub, which may be followed by a split."""
FILE_ENDINGS = (".jsonl", ".json", ".csv", ".tsv", ".parquet", ".gz", ".arrow", ".txt")
METHODS = ("sft", "weft")
MAX_WEIGHTS = 2 * 2**30
"""Size of the weights, in bytes, from which on the rates are computed only on demand."""
PIPE_WIDTH = 10_000
"""Width of a line where there is no terminal, so that no line is broken."""


@data_app.command("show")
def data_show(
    file: Annotated[
        Path | None,
        typer.Argument(
            help="File or folder of training examples, or owner/name of a data set on the hub; by default "
            "that of the experiment."
        ),
    ] = None,
    experiment: Annotated[
        str | None,
        typer.Option("--experiment", help="Experiment whose data set, base model and settings are used."),
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="Data set of the experiment; by default the first.")
    ] = None,
    index: Annotated[int, typer.Option(help="Number of the example, from 0; -1 for the last.")] = 0,
    column: Annotated[
        list[str] | None,
        typer.Option(help="NAME=COLUMN, the column that holds question, answer, ...; several times."),
    ] = None,
    base: Annotated[
        Path | None,
        typer.Option(help="Checkpoint directory, or one with a tokenizer only; by default the experiment's."),
    ] = None,
    max_length: Annotated[
        int | None, typer.Option(min=1, help="Tokens per example; by default the experiment's.")
    ] = None,
    method: Annotated[
        list[str] | None, typer.Option(help="Method that draws masks; several times. Default: sft and weft.")
    ] = None,
    t: Annotated[float, typer.Option("--t", min=0.001, max=1.0, help="Diffusion time of the masks.")] = 0.5,
    seed: Annotated[int, typer.Option(min=0, max=MAX_SEED, help="Seed of the masks.")] = 1,
    rates: Annotated[
        bool | None,
        typer.Option(help="Compute the rates of WeFT by the base model; by default up to 2 GiB of weights."),
    ] = None,
    has_all: Annotated[bool, typer.Option("--all", help="Show all tokens in the table.")] = False,
    device: DeviceOption = "auto",
    offline: OfflineOption = None,
) -> None:
    """Print a training example: prompt, answer, token ids, boundary, masked versions and WeFT's rates."""
    described = None if experiment is None else load_fine_tuning(experiment)
    name, source = _find_source(file, described, dataset, column or [])
    folders = offline_folders(offline)
    folder = _find_base(base, described, folders)

    from rich.console import Console

    from weft.data.datasets import load_dataset
    from weft.data.encoding import encode_example
    from weft.model import load_tokenizer, read_config
    from weft.trace.example import view_example
    from weft.trace.example_text import print_example

    loaded = load_dataset(name, source, offline=folders, pins=_pins_of(experiment))
    example = _choose(loaded.records, index)
    config = read_config(folder) if (folder / "config.json").is_file() else None
    tokenizer = load_tokenizer(folder, mask_token_id=config.mask_token_id if config else None)
    layout = "exact" if described is None else described.training.example_layout
    special_tokens = "error" if described is None else described.special_tokens
    try:
        encoded = encode_example(tokenizer, example, layout=layout, special_tokens=special_tokens)
    except DataError as error:
        raise DataError(f"{example.origin or f'example {index}'}: {error}") from error
    length = len(encoded["prompt_ids"]) + len(encoded["answer_ids"])
    limit = max_length or (
        described.training.max_length if described else config.max_position_embeddings if config else length
    )
    model = load_on_device(folder, "float32", device, 1) if _has_rates(folder, limit, config, rates) else None
    view = view_example(
        encoded,
        tokenizer,
        max_length=limit,
        methods=_find_methods(method or METHODS, described),
        t=t,
        seed=seed,
        model=model,
    )
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # replace characters that the terminal lacks
    width = None if sys.stdout.isatty() else PIPE_WIDTH
    console = Console(highlight=False, markup=False, emoji=False, width=width)
    heading = [
        _describe(loaded, example, name, index),
        *loaded.report[:1],
        f"base model: {folder}; layout: {layout}; at most {limit} tokens",
    ]
    print_example(console, view, heading=heading, seed=seed, has_all=has_all)


def _pins_of(experiment: str | None) -> Path | None:
    return None if experiment is None else pins_path(find_experiment(experiment))


def _find_source(
    file: Path | None, experiment: FineTuning | None, dataset: str | None, columns: Sequence[str]
) -> tuple[str, DataSource]:
    """Return name and source of the data set that the options name."""
    if experiment is None:
        if file is None or dataset is not None:
            raise ConfigError(
                "a FILE, or an --experiment with or without --dataset, must be given, got "
                f"{'--dataset only' if dataset else 'none of them'}"
            )
        return file.stem, _make_source(file, columns)
    if columns:
        raise ConfigError("--column must be given with a FILE only; the experiment has its own columns")
    named = list(experiment.datasets.items())
    if dataset is not None:
        named = [(dataset, find_by_name("the data set", dataset, experiment.datasets))]
    if file is None:
        return named[0]
    for name, source in named:
        if isinstance(source, FileData) and any(_is_same(file, path) for path in source.path):
            return name, source
    name, source = named[0]
    if (
        isinstance(source, FileData) and find_path(file).exists()
    ):  # another file with the same columns and instruction
        return name, source.model_copy(update={"path": [str(file)], "sha256": None, "num_examples": None})
    return file.stem, _make_source(file, [])


def _make_source(file: Path, columns: Sequence[str]) -> FileData | HubDataset:
    """Return the source of a file or folder, or of a data set on the hub, such as owner/name[train:100]."""
    pairs = [column.partition("=") for column in columns]
    if not all(name and equals and column for name, equals, column in pairs):
        raise ConfigError(f"--column must be NAME=COLUMN, such as question=problem, got {list(columns)}")
    content = {"columns": {name: column for name, _, column in pairs}}
    is_hub = not file.exists() and file.suffix not in FILE_ENDINGS
    if is_hub and re.fullmatch(HUB_NAME, str(file)):
        return validate(HubDataset, {"source": "hub", "dataset": str(file), **content}, origin="--column")
    if not file.exists():
        raise ConfigError(
            f"FILE must be a file, a folder or owner/name on the hub, got {str(file)!r}, not found"
        )
    return validate(FileData, {"source": "file", "path": [str(file)], **content}, origin="--column")


def _is_same(file: Path, path: str) -> bool:
    other = find_path(path)
    return file.exists() and other.exists() and file.samefile(other)


def _find_base(given: Path | None, experiment: FineTuning | None, offline: Sequence[str]) -> Path:
    """Return the directory of the tokenizer: given, the experiment's if it is at hand, or the shipped one."""
    from weft.data.context import find_known_base

    if given is not None:
        return given
    known = None
    if experiment is not None:
        source = experiment.base_model
        known = find_known_base(source, offline, ResultLayout.of(experiment.name).base)
        if isinstance(source, ScratchModel) and source.shipped is not None:
            known = find_path(source.shipped)
    folder = known or find_path(SHIPPED_BASE)
    if not folder.is_dir():
        raise ConfigError(f"a base model must be given by --base DIRECTORY, got none, and {folder} is absent")
    if known is None and experiment is not None:
        typer.echo(f"the base model of {experiment.name!r} is not at hand: {folder} is used", err=True)
    return folder


def _choose(examples: Sequence[Example], index: int) -> Example:
    if not -len(examples) <= index < len(examples):
        raise ConfigError(f"--index must be from 0 to {len(examples) - 1}, got {index}")
    return examples[index]


def _describe(loaded: "Loaded[Example]", example: Example, name: str, index: int) -> str:
    place = f"{example.origin}: " if example.origin else ""
    size = len(loaded.records)
    return f"{place}example {index % size} (counted from 0) of {size} in {name!r}"


def _has_rates(folder: Path, limit: int, config: Any, wanted: bool | None) -> bool:
    """Return True if the rates are to be computed: weights are there, not too large, and long enough."""
    weights = list(folder.glob("*.safetensors"))
    if config is None or not weights:
        if wanted:
            raise ConfigError(f"--rates requires a base model with weights, got none in {folder}")
        return False
    context = config.max_position_embeddings
    if limit > context:
        sentence = f"--max-length must be at most {context}, the longest sequence of {folder}, got {limit}"
        if wanted:
            raise ConfigError(sentence)
        typer.echo(f"rates cannot be computed: {sentence}", err=True)
        return False
    is_small = sum(file.stat().st_size for file in weights) <= MAX_WEIGHTS
    return is_small if wanted is None else wanted


def _find_methods(names: Sequence[str], experiment: FineTuning | None) -> Mapping[str, Method]:
    methods = experiment.methods if experiment is not None else {}
    presets = {name: Method.model_validate({"preset": name}) for name in PRESETS}
    return {name: find_by_name("--method", name, {**presets, **methods}) for name in names}

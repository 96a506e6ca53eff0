"""Training sets whose rows have one of the usual forms: files of the user, and data sets of the hub by name.

The rows are read one after the other, so that no more files are downloaded than the examples need.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

from weft.config.places import find_path
from weft.config.sources import Column, FileData, Form, HubDataset, HubFile
from weft.config.splits import Split, parse_split
from weft.data.folders import CARD, find_files, list_names
from weft.data.forms import OTHER_NAMES, describe_columns, make_example, recognise_form
from weft.data.hub import fetch_hub_file, list_hub_dataset
from weft.data.instructions import find_instruction
from weft.data.offline import check_sha256, explain_renewal
from weft.data.row_files import Row, is_saved, read_row_file, read_saved
from weft.errors import DataError
from weft.records import Example, JsonObject
from weft.records.files import read_text

MAX_ROWS = 20_000_000
"""Rows that are read at most; a small compressed file may pretend to have any number."""
SHOWN_CHARACTERS = 160
"""Length to which the texts of the first example are shortened when they are shown."""


@dataclass
class RowSet:
    """Examples that were read from rows.

    Attributes:
        examples: the examples, each once, in the order of the rows.
        num_rows: number of rows that were read.
        form: form of the first row.
        report: what was recognised, and the first example, as lines of text.
        files: files of the hub that were read, and their paths.
    """

    examples: list[Example] = field(default_factory=list)
    num_rows: int = 0
    form: Form | None = None
    report: Sequence[str] = ()
    files: list[tuple[HubFile, Path]] = field(default_factory=list)


def read_row_set(
    name: str, source: FileData | HubDataset, *, offline: Sequence[str], pins: Path | None = None
) -> RowSet:
    """Read the examples of files or of a data set on the hub.

    Args:
        name: name of the data set in the experiment.
        source: its source.
        offline: folders searched before any download.
        pins: lock file of the experiment, see `weft.data.pins`.

    Returns:
        The examples, and what was recognised.

    Raises:
        DataError: a file is missing, unreachable, damaged or malformed, or there are fewer than
            ``num_examples`` examples.
    """
    row_set = RowSet()
    if isinstance(source, HubDataset):
        rows = _hub_rows(source, row_set, offline=offline, pins=pins)
    else:
        rows = _file_rows(source, remedy=f"correct the file or datasets.{name}.path")
    _read_examples(
        name, source, rows, row_set, instruction=find_instruction(source.instruction, offline=offline)
    )
    if source.num_examples is not None and len(row_set.examples) < source.num_examples:
        raise DataError(
            f"datasets.{name}.num_examples must be at most the number of different examples, got "
            f"{source.num_examples} for {len(row_set.examples)} examples in {row_set.num_rows} rows; lower "
            "it or leave it out"
        )
    return row_set


def _read_examples(
    name: str, source: FileData | HubDataset, rows: Iterator[Row], row_set: RowSet, *, instruction: str
) -> None:
    """Add the examples of the rows, until there are as many as the experiment takes."""
    examples: dict[str, Example] = {}
    form: Form | None = None
    for place, row in rows:
        row_set.num_rows += 1
        if row_set.num_rows > MAX_ROWS:
            raise DataError(
                f"{place}: expected at most {MAX_ROWS:,} rows, got more; set num_examples or split"
            )
        if form is None:  # each row of ``jsonl`` may have another form
            form = recognise_form(row, place=place, columns=source.columns, form=source.form)
            row_set.form = row_set.form or form
        example = make_example(
            row, dataset=name, place=place, form=form, columns=source.columns, instruction=instruction
        )
        if not examples:
            row_set.report = _describe(row, example, form, source)
        examples.setdefault(example.example_id, example)
        if source.source == "jsonl":
            form = None
        if len(examples) == source.num_examples:
            break
    row_set.examples = list(examples.values())


def _describe(row: JsonObject, example: Example, form: Form, source: FileData | HubDataset) -> list[str]:
    """Return what was recognised in the first row, and its example with shortened texts."""
    turns = [*((turn.role, turn.content) for turn in example.prompt), ("assistant", example.answer)]
    return [
        f"rows in the form {form}: {describe_columns(row, form, source.columns)}",
        f"the first example, {example.origin}:",
        *(f"  {role}: {_shorten(content)}" for role, content in turns),
    ]


def _shorten(text: str) -> str:
    plain = " ".join(text[: 4 * SHOWN_CHARACTERS].split())
    return plain if plain == text or len(plain) < SHOWN_CHARACTERS else f"{plain[:SHOWN_CHARACTERS]} ..."


def _wanted(source: FileData | HubDataset) -> frozenset[str]:
    """Return the names of all columns that a form may read."""
    return frozenset({*get_args(Column), *OTHER_NAMES, *source.columns.values()})


def _file_rows(source: FileData, *, remedy: str) -> Iterator[Row]:
    wanted = _wanted(source)
    for path in map(find_path, source.path):
        if path.is_dir() and source.sha256 is None:
            split = parse_split(source.split) if source.split else Split()
            yield from _take(split, _folder_rows(path, split, wanted, remedy), place=str(path))
            continue
        if source.split is not None:
            raise DataError(
                f"{path}: expected a folder, whose splits can be chosen, got a file; leave out split"
            )
        if source.sha256 is not None:
            check_sha256(path, source.sha256, name=str(path))
        yield from read_row_file(path, wanted=wanted, remedy=remedy)


def _folder_rows(folder: Path, split: Split, wanted: frozenset[str], remedy: str) -> Iterator[Row]:
    if is_saved(folder):
        yield from read_saved(folder, split=split.name, wanted=wanted, remedy=remedy)
        return
    card = read_text(folder / CARD, remedy=remedy) if (folder / CARD).is_file() else ""
    for file in find_files(list_names(folder), card, split=split.name, place=str(folder)):
        yield from read_row_file(folder / file, wanted=wanted, remedy=remedy)


def _hub_rows(
    source: HubDataset, row_set: RowSet, *, offline: Sequence[str], pins: Path | None
) -> Iterator[Row]:
    split, place = source.rows, f"data set {source.repo}"
    listing = list_hub_dataset(source, offline=offline, pins=pins)
    names = find_files(listing.names, listing.card, config=source.config, split=split.name, place=place)

    def rows() -> Iterator[Row]:
        for name in names:
            file = HubFile(
                repo=source.repo, file=name, revision=source.revision, sha256=source.sha256.get(name)
            )
            path = fetch_hub_file(file, offline=offline, pins=pins, commit=listing.commit)
            row_set.files.append((file, path))
            for row_place, row in read_row_file(path, wanted=_wanted(source), remedy=explain_renewal(path)):
                yield row_place.replace(str(path), f"{source.repo}/{name}", 1), row

    yield from _take(split, rows(), place=place)


def _take(split: Split, rows: Iterator[Row], *, place: str) -> Iterator[Row]:
    try:
        yield from split.take(rows)
    except DataError:
        raise
    except ValueError as error:
        raise DataError(f"{place}: split expected {error}; correct split") from error

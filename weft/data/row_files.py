"""Rows of the files in which people keep training data, with the place of each row.

A file is JSON Lines, a JSON list, Parquet, CSV or TSV, each also compressed by gzip. JSON is read strictly
(`weft.data.jsonl`). Of a Parquet file, and of a folder that ``datasets.save_to_disk`` has written, only those
columns are read that a form of rows may use; the others are null, whatever their type is.
"""

import csv
import gzip
import io
import sys
import zlib
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from weft.data.formats import (
    GZIP,
    HEAD_BYTES,
    LATIN1,
    PARQUET,
    TABLES,
    fill_paths,
    find_list_of_rows,
    recognise_head,
)
from weft.data.jsonl import number_items, number_lines, parse_strictly, wrong_format
from weft.errors import DataError, describe_error
from weft.records import JsonObject
from weft.records.files import decode_text, require_regular

EXPECTED = "JSON Lines, a JSON list, Parquet or CSV"
MAX_GROWTH = 200
"""Factor by which a file compressed by gzip may grow. Text grows by a factor of 3 to 20, zeros by 1000."""
SMALL_BYTES = 64 * 2**20
"""Size up to which a compressed file may grow by any factor."""
MAX_FIELD_CHARACTERS = 64 * 2**20
"""Size of the largest field of a CSV file. A quote that is not closed makes a field of the whole rest."""
BATCH_ROWS = 256
"""Rows of a Parquet file that are converted at a time."""
CHUNK_BYTES = 2**20
Row = tuple[str, JsonObject]
"""Place of a row, and the row."""


def read_row_file(path: Path, *, wanted: Collection[str], remedy: str) -> Iterator[Row]:
    """Yield the place and the row of each row of a file; the format is recognised by its content.

    Args:
        path: the file; only a CSV or TSV file is recognised by its ending, .csv or .tsv before any .gz.
        wanted: names of the columns to read from a Parquet file.
        remedy: advice for a missing or malformed file.

    Yields:
        "FILE, line N" or "FILE, row N", and the row.

    Raises:
        DataError: the file is missing, in another format, or malformed.
    """
    try:
        require_regular(path, sys.maxsize, error=DataError, remedy=remedy)
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        what = "none" if isinstance(error, FileNotFoundError) else str(error.strerror)
        raise DataError(f"{path}: expected a file, got {what}; {remedy}") from error
    is_packed = head.startswith(GZIP)
    content = _unpack(path, remedy=remedy) if is_packed else None
    head = head if content is None else content[:HEAD_BYTES]
    if head.startswith(PARQUET):
        yield from _read_parquet(path, content, wanted, remedy)
        return
    known = recognise_head(head)
    if known is not None:
        raise wrong_format(str(path), path, known, expected=EXPECTED, remedy=remedy)
    text = _decode(path.read_bytes() if content is None else content, path, remedy)
    del content
    suffix = Path(path.stem).suffix if is_packed else path.suffix
    if suffix.lower() in TABLES:
        yield from _read_csv(path, text, "\t" if suffix.lower() == ".tsv" else None, remedy)
    elif text.lstrip().startswith("["):
        yield from number_items(path, text, remedy=remedy)
    else:
        yield from _read_objects(path, text, wanted, remedy)


def read_saved(folder: Path, *, split: str | None, wanted: Collection[str], remedy: str) -> Iterator[Row]:
    """Yield the place and the row of each row of a folder that ``datasets.save_to_disk`` has written.

    Args:
        folder: folder of a ``Dataset`` or a ``DatasetDict``.
        split: split of a ``DatasetDict``; ``train`` or the only one if None.
        wanted: names of the columns to read.
        remedy: advice for a malformed folder.

    Yields:
        "FOLDER, row N" and the row; a split is part of the folder.

    Raises:
        DataError: the folder is damaged, or it has no such split.
    """
    import datasets

    try:
        saved = datasets.load_from_disk(str(folder))
    except Exception as error:  # the library raises errors of many types for a damaged folder
        raise DataError(
            f"{folder}: expected a folder of datasets.save_to_disk, got {describe_error(error)}; {remedy}"
        ) from error
    if isinstance(saved, datasets.DatasetDict):
        split = choose_split(list(saved), split, place=str(folder))
        saved, folder = saved[split], folder / split
    elif split is not None:
        raise DataError(f"{folder}: expected a folder with splits, got a single data set; leave out split")
    others = {name: None for name in saved.column_names if name not in wanted}
    columns = [name for name in saved.column_names if name in wanted] or saved.column_names[:1]
    number = 0
    for table in saved.select_columns(columns).with_format("arrow").iter(BATCH_ROWS):
        for row in table.to_pylist():
            number += 1
            yield f"{folder}, row {number}", {**row, **others}


def is_saved(folder: Path) -> bool:
    """Return True for a folder that ``datasets.save_to_disk`` has written."""
    return any((folder / name).is_file() for name in ("state.json", "dataset_dict.json"))


def choose_split(splits: Sequence[str], wanted: str | None, *, place: str) -> str:
    """Return the split of that name; without a name, ``train`` or the only split.

    A DataError, which names ``place`` and the splits, is raised if there is no such split.
    """
    if wanted is None and len(splits) == 1:
        return splits[0]
    name = "train" if wanted is None else wanted
    if name not in splits:
        raise DataError(
            f"{place}: split must be one of {sorted(splits)}, got {wanted or 'none'}; correct split"
        )
    return name


def _unpack(path: Path, *, remedy: str) -> bytes:
    """Return the content of a file compressed by gzip, unless it grows beyond all measure."""
    limit = max(SMALL_BYTES, MAX_GROWTH * path.stat().st_size)
    content = bytearray()
    try:
        with gzip.open(path) as file:
            while chunk := file.read(CHUNK_BYTES):
                content += chunk
                if len(content) > limit:
                    raise DataError(
                        f"{path}: expected at most {limit:,} bytes after unpacking ({MAX_GROWTH} times its "
                        "size), got more; if the content is right, unpack the file with gunzip"
                    )
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{path}: expected a file compressed by gzip, got {describe_error(error)}; {remedy}"
        ) from error
    return bytes(content)


def _decode(content: bytes, path: Path, remedy: str) -> str:
    try:
        return decode_text(content, path, remedy=remedy)
    except DataError as error:
        raise DataError(f"{error}; {fill_paths(path, LATIN1)}") from error


def _read_objects(path: Path, text: str, wanted: Collection[str], remedy: str) -> Iterator[Row]:
    """Read JSON Lines, or the list in a single object that holds all rows, such as {"data": [...]}."""
    try:
        whole = parse_strictly(text) if text.count("\n{") == 0 else {}
    except (ValueError, RecursionError):
        whole = {}
    key = find_list_of_rows(whole) if whole.keys().isdisjoint(wanted) else None
    if key is None:
        yield from number_lines(path, text, remedy=remedy)
        return
    for number, row in enumerate(whole[key], start=1):
        place = f"{path}, row {number} of {key}"
        if not isinstance(row, dict):
            raise DataError(f"{place}: expected a JSON object, got {row!r:.80}; {remedy}")
        yield place, row


def _read_csv(path: Path, text: str, delimiter: str | None, remedy: str) -> Iterator[Row]:
    csv.field_size_limit(MAX_FIELD_CHARACTERS)  # the limit of all readers in this process
    header = text.split("\n", 1)[0]
    guessed = next((mark for mark in ",;\t" if mark in header), ",")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter or guessed, strict=True)
    names: list[str] = []
    line = 1
    try:
        for values in reader:
            place, line = f"{path}, line {line}", reader.line_num + 1
            if not names:
                names = values
                if len(set(names)) < len(names):
                    raise DataError(
                        f"{place}: expected columns with different names, got {names!s:.300}; {remedy}"
                    )
            elif len(values) == len(names):
                yield place, dict(zip(names, values, strict=True))
            elif any(map(str.strip, values)) or len(values) > 1:  # not a blank line
                raise DataError(
                    f"{place}: expected {len(names)} values as in the first line, got {len(values)}; {remedy}"
                )
    except csv.Error as error:
        raise DataError(f"{path}, line {line}: expected a row of CSV, got {error}; {remedy}") from error


def _read_parquet(path: Path, content: bytes | None, wanted: Collection[str], remedy: str) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet

    number = 0
    try:
        file = pa.parquet.ParquetFile(path if content is None else pa.BufferReader(content))
        names = file.schema_arrow.names
        if len(set(names)) < len(names):
            raise DataError(f"{path}: expected columns with different names, got {names!s:.300}; {remedy}")
        others = {name: None for name in names if name not in wanted}
        columns = [name for name in names if name in wanted]
        for batch in file.iter_batches(BATCH_ROWS, columns=columns):
            for row in batch.to_pylist():
                number += 1
                yield f"{path}, row {number}", {**row, **others}
    except DataError:
        raise
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise DataError(
            f"{path}: expected a Parquet file, got {describe_error(error)} after row {number}; {remedy}"
        ) from error

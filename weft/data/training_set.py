"""Training rows of a Python program, such as a `datasets.Dataset`, as token ids."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import datasets
from pyarrow import compute
from transformers import PreTrainedTokenizerBase

from weft.config.sources import SpecialTokens
from weft.data.collate import Examples, PreparedExample
from weft.data.encoding import Layout, encode_example
from weft.data.forms import make_example
from weft.errors import DataError
from weft.records import Example
from weft.records.ids import NUM_HEX_DIGITS, text_sha256

Row = Mapping[str, Any]
"""A row with names of columns and their values."""
EXAMPLE_ID = re.compile(rf"[0-9a-f]{{{NUM_HEX_DIGITS}}}")
TOKEN_COLUMNS = ("prompt_ids", "answer_ids")
REMEDIES = {
    r"^the row: ": "",
    r"correct the file$": "correct the row",
    r"name them in the experiment file, for instance columns: .*": "rename the columns",
    r"write columns: (\{.*\}) for this data set in the experiment file": r"rename the columns: \1",
    r"set special_tokens: plain_text in the experiment": 'give special_tokens="plain_text"',
}
"""Pattern in a message of the workflow -> what a Python program should do."""
ROWS_AT_A_TIME = 1000
"""Rows that are kept as Python objects before they are moved to an Arrow table."""


def encode(
    tokenizer: PreTrainedTokenizerBase,
    rows: Iterable[Row],
    *,
    name: str = "train",
    layout: Layout = "exact",
    special_tokens: SpecialTokens = "error",
) -> datasets.Dataset:
    """Tokenize training rows, without truncation or padding.

    Args:
        tokenizer: tokenizer of the model, from `weft.load_tokenizer`.
        rows: a `datasets.Dataset` or a list of dictionaries. A row has ``prompt`` or ``question`` with
            ``answer`` and perhaps ``reasoning``, or ``messages``, ``prompt`` and ``completion``, or another
            form that the workflow reads from files, or it is tokenized: ``prompt_ids`` and ``answer_ids``.
        name: name of the data set. The random numbers of an example depend on its id, which is a hash of
            this name and its texts; a column ``example_id`` takes precedence.
        layout: tokenization of prompt and answer: ``exact``, or ``d1`` for that of d1's training.
        special_tokens: what to do with the name of a special token in a text: ``error`` or ``plain_text``.

    Returns:
        A data set with the columns ``example_id``, ``prompt_ids`` and ``answer_ids``. If a row is repeated,
        each copy has an id of its own, and therefore noise of its own.

    Raises:
        DataError: there is no row, or a row has none of the forms, or a text cannot be tokenized; the
            message names the number of the row, from 0.
    """
    if isinstance(rows, datasets.IterableDataset):
        raise DataError(
            "the rows must be a data set with a length, got a datasets.IterableDataset, whose examples "
            "cannot be put in the order of an epoch; load it without streaming=True"
        )
    if isinstance(rows, datasets.DatasetDict):
        raise DataError(f"the rows must be one split, got all of {list(rows)}; choose one of them")
    if isinstance(rows, str | Mapping) or not isinstance(rows, Iterable):
        raise DataError(f"the rows must be a datasets.Dataset or a list of dictionaries, got {rows!r:.80}")
    tables: list[datasets.Dataset] = []
    encoded: list[PreparedExample] = []
    copies: Counter[str] = Counter()
    for number, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise DataError(f"row {number}: a row must be a dictionary, got {row!r:.80}")
        try:
            example = _encode_row(tokenizer, row, name=name, layout=layout, special_tokens=special_tokens)
        except DataError as error:
            raise DataError(f"row {number}: {_for_python(str(error))}") from error
        example["example_id"] = _distinguish(example["example_id"], copies)
        encoded.append(example)
        if len(encoded) == ROWS_AT_A_TIME:
            tables.append(datasets.Dataset.from_list(encoded))
            encoded = []
    if encoded:
        tables.append(datasets.Dataset.from_list(encoded))
    if not tables:
        raise DataError("the rows must have at least one example, got none")
    return datasets.concatenate_datasets(tables)


def _for_python(message: str) -> str:
    """Return the message about a row with remedies for a Python program, which has no experiment file."""
    for pattern, remedy in REMEDIES.items():
        message = re.sub(pattern, remedy, message)
    return message


def is_encoded(rows: Any) -> bool:
    """Return True for rows that `encode` or the workflow has tokenized."""
    columns = {"example_id", *TOKEN_COLUMNS}
    if isinstance(rows, datasets.Dataset):
        return columns <= set(rows.column_names)
    is_list = isinstance(rows, Sequence) and not isinstance(rows, str) and len(rows) > 0
    return is_list and all(isinstance(row, Mapping) and columns <= row.keys() for row in rows)


def count_tokens(examples: Examples) -> Iterator[tuple[int, int]]:
    """Yield the lengths of prompt and answer of tokenized rows, in order."""
    if not isinstance(examples, datasets.Dataset):
        yield from ((len(row["prompt_ids"]), len(row["answer_ids"])) for row in examples)
        return
    for table in examples.with_format("arrow").iter(batch_size=ROWS_AT_A_TIME):
        prompts, answers = (compute.list_value_length(table[column]) for column in TOKEN_COLUMNS)
        yield from zip(prompts.to_pylist(), answers.to_pylist(), strict=True)


def _encode_row(
    tokenizer: PreTrainedTokenizerBase,
    row: Row,
    *,
    name: str,
    layout: Layout,
    special_tokens: SpecialTokens,
) -> PreparedExample:
    given = {column: value for column, value in row.items() if value is not None}
    if given.keys() >= set(TOKEN_COLUMNS):
        prompt_ids, answer_ids = (_take_ids(given, column) for column in TOKEN_COLUMNS)
        if tokenizer.mask_token_id in answer_ids:
            raise DataError("answer_ids must not contain the mask token, which cannot be a target; remove it")
        identity = text_sha256(f"{name}\n{prompt_ids}\n{answer_ids}")[:NUM_HEX_DIGITS]
        encoded = PreparedExample(example_id=identity, prompt_ids=prompt_ids, answer_ids=answer_ids)
    else:
        example: Example = make_example(_in_a_form(given), dataset=name, place="the row")
        encoded = encode_example(tokenizer, example, layout=layout, special_tokens=special_tokens)
    identity = str(given.get("example_id", encoded["example_id"]))
    is_hash = EXAMPLE_ID.fullmatch(identity) is not None
    identity = identity if is_hash else text_sha256(identity)[:NUM_HEX_DIGITS]
    return PreparedExample(
        example_id=identity, prompt_ids=encoded["prompt_ids"], answer_ids=encoded["answer_ids"]
    )


def _in_a_form(row: Row) -> dict[str, Any]:
    """Return a row whose columns are those of a form: prompt and answer, and weft's own examples, are not."""
    if "prompt" in row and "answer" in row and not row.keys() & {"question", "completion", "messages"}:
        other = {column: value for column, value in row.items() if column not in ("prompt", "answer")}
        if isinstance(row["prompt"], str):
            return {**other, "question": row["prompt"], "answer": row["answer"]}
        return {**other, "prompt": row["prompt"], "completion": row["answer"]}
    if row.keys() >= {"question", "answer", "history"} and row["history"]:
        turns = [("user", row["question"]), ("assistant", row["answer"])]
        return {"messages": [*row["history"], *({"role": role, "content": text} for role, text in turns)]}
    return dict(row)


def _take_ids(row: Row, column: str) -> list[int]:
    """Return the token ids in a column."""
    try:
        ids = [int(token) for token in row[column]]
    except (TypeError, ValueError) as error:
        raise DataError(f"{column} must be a list of token ids, got {row[column]!r:.80}") from error
    if not ids:
        raise DataError(f"{column} must have at least one token, got none")
    return ids


def _distinguish(identity: str, copies: Counter[str]) -> str:
    """Return the id of an example, or for its copies an id that depends on the number of the copy."""
    copies[identity] += 1
    number = copies[identity]
    return identity if number == 1 else text_sha256(f"{identity}\n{number}")[:NUM_HEX_DIGITS]

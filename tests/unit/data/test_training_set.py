import datasets
import pytest
from pydantic import TypeAdapter

from weft.config.sources import DataSource
from weft.data.datasets import load_dataset
from weft.data.encoding import encode_example
from weft.data.training_set import count_tokens, encode, is_encoded
from weft.errors import DataError
from weft.records import Example
from weft.records.ids import example_id

PAIR = {"question": "What is 1+2?", "answer": "3"}
TURNS = [{"role": "user", "content": "What is 1+2?"}, {"role": "assistant", "content": "3"}]


def expected(tokenizer, name="train"):
    identity = example_id(name, PAIR["question"], PAIR["answer"])
    return encode_example(tokenizer, Example(example_id=identity, source=name, **PAIR))


@pytest.mark.parametrize(
    "row",
    [
        PAIR,
        {"prompt": "What is 1+2?", "answer": "3"},
        {"prompt": TURNS[:1], "answer": "3"},
        {"prompt": "What is 1+2?", "completion": "3"},
        {"messages": TURNS},
        {**PAIR, "reasoning": None, "level": "easy"},
    ],
    ids=str,
)
@pytest.mark.parametrize("form", [list, datasets.Dataset.from_list])
def test_rows_of_all_forms_give_the_example_that_the_workflow_reads(tokenizer, row, form):
    encoded = encode(tokenizer, form([row]))
    assert encoded.column_names == ["example_id", "prompt_ids", "answer_ids"]
    assert encoded[0] == {
        key: value for key, value in expected(tokenizer).items() if key in encoded.column_names
    }


def test_the_ids_are_those_of_a_file_of_the_same_name(tokenizer, tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"question": "What is 1+2?", "answer": "3", "reasoning": "1+2=3"}')
    source = TypeAdapter(DataSource).validate_python(
        {"source": "jsonl", "path": str(tmp_path / "rows.jsonl")}
    )
    example = load_dataset("mine", source, offline=[]).records[0]
    encoded = encode(tokenizer, [{**PAIR, "reasoning": "1+2=3"}], name="mine")
    assert encoded[0]["example_id"] == example.example_id
    assert encoded[0]["answer_ids"] == encode_example(tokenizer, example)["answer_ids"]


def test_an_example_of_the_workflow_keeps_its_id_and_its_history(tokenizer):
    history = [{"role": "system", "content": "Be short."}]
    row = {**PAIR, "history": history, "example_id": "00000000000000ff"}
    encoded = encode(tokenizer, [row, {"messages": history + TURNS}])
    assert encoded[0]["example_id"] == "00000000000000ff"
    assert encoded[0]["prompt_ids"] == encoded[1]["prompt_ids"]


def test_copies_have_ids_of_their_own_and_other_ids_are_hashed(tokenizer):
    identities = encode(tokenizer, [PAIR, PAIR, PAIR, {**PAIR, "example_id": "row 7"}])["example_id"]
    assert len(set(identities)) == 4
    assert all(len(identity) == 16 and int(identity, 16) >= 0 for identity in identities)
    assert identities[0] == expected(tokenizer)["example_id"]


def test_token_ids_are_taken_as_they_are(tokenizer):
    rows = [{"prompt_ids": [5, 6], "answer_ids": [7]}, {"prompt_ids": [5], "answer_ids": [7, 8, 9]}]
    encoded = encode(tokenizer, rows)
    assert [row["answer_ids"] for row in encoded] == [[7], [7, 8, 9]]
    assert list(count_tokens(encoded)) == list(count_tokens(encoded.to_list())) == [(2, 1), (1, 3)]
    assert list(count_tokens(encoded.select([1]))) == [(1, 3)]
    assert is_encoded(encoded)
    assert is_encoded(encoded.to_list())
    assert not is_encoded(rows)
    assert not is_encoded([])


def test_many_rows_are_kept_in_order(tokenizer):
    rows = [{"prompt_ids": [number], "answer_ids": [7]} for number in range(2100)]
    assert [row[0] for row in encode(tokenizer, rows)["prompt_ids"]] == list(range(2100))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "at least one example"),
        ([PAIR, {"question": "What?"}], "row 1: expected question and answer.*; if .*, rename the columns$"),
        ([{"question": "What?", "answer": ""}], "row 0: answer: expected text .*; correct the row$"),
        ([PAIR, "text"], "row 1: a row must be a dictionary"),
        ([{"prompt_ids": [1], "answer_ids": []}], "row 0: answer_ids must have at least one token"),
        ([{"prompt_ids": "ab", "answer_ids": [1]}], "row 0: prompt_ids must be a list of token ids"),
        ([{"prompt_ids": [1], "answer_ids": [2]}], "row 0: answer_ids must not contain the mask token"),
        (
            [{"question": "What?", "answer": "<|mdm_mask|>"}],
            r'row 0: .*special token.*give special_tokens="pla',
        ),
        (PAIR, "a list of dictionaries"),
        (datasets.Dataset.from_list([PAIR]).to_iterable_dataset(), "IterableDataset"),
        (datasets.DatasetDict({"train": datasets.Dataset.from_list([PAIR])}), r"all of \['train'\]"),
    ],
)
@pytest.mark.usefixtures("without_type_checks")
def test_mistakes_are_named_with_their_row(tokenizer, rows, message):
    assert tokenizer.mask_token_id == 2
    with pytest.raises(DataError, match=message):
        encode(tokenizer, rows)

import pytest

from weft.data.collate import PadToLength
from weft.errors import DataError


def example(prompt, answer, example_id="0f"):
    return {"example_id": example_id, "prompt_ids": prompt, "answer_ids": answer}


def test_padding_belongs_to_the_answer_and_is_known():
    batch = PadToLength(max_length=6, pad_token_id=9)([example([1, 2], [3, 4])])
    assert batch["clean_ids"].tolist() == [[1, 2, 3, 4, 9, 9]]
    assert batch["is_maskable"].tolist() == [[False, False, True, True, True, True]]
    assert batch["is_padding"].tolist() == [[False, False, False, False, True, True]]
    assert batch["example_key"].tolist() == [15]


def test_a_long_answer_is_truncated():
    batch = PadToLength(max_length=3, pad_token_id=9)([example([1], [2, 3, 4])])
    assert batch["clean_ids"].tolist() == [[1, 2, 3]]
    assert not batch["is_padding"].any()


def test_a_prompt_without_room_for_an_answer_is_named():
    with pytest.raises(DataError, match=r"example 0f: the prompt must be shorter than max_length=2"):
        PadToLength(max_length=2, pad_token_id=9)([example([1, 2], [3])])


def test_the_index_in_the_epoch_and_padding_rows_are_kept():
    rows = [example([1], [2]) | {"index_in_epoch": 7, "is_pad_row": True}, example([1], [2])]
    batch = PadToLength(max_length=3, pad_token_id=9)(rows)
    assert batch["index_in_epoch"].tolist() == [7, 0]
    assert batch["is_pad_row"].tolist() == [True, False]


@pytest.mark.usefixtures("without_type_checks")
def test_rows_that_are_not_encoded_are_refused():
    with pytest.raises(DataError, match=r"got the keys \['prompt', 'answer'\]; encode the rows"):
        PadToLength(max_length=4, pad_token_id=0)([{"prompt": "a", "answer": "b"}])

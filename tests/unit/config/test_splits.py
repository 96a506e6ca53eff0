import itertools

import pytest

from weft.config.splits import parse_split


@pytest.mark.parametrize(
    ("text", "name", "numbers"),
    [
        ("train", "train", range(20)),
        ("train:5", "train", range(5)),
        ("train:10%", "train", range(2)),
        ("train[:5]", "train", range(5)),
        ("test[5:]", "test", range(5, 20)),
        ("test[5:8]", "test", range(5, 8)),
        ("train_sft[10%:50%]", "train_sft", range(2, 10)),
        ("train[18:100%]", "train", range(18, 20)),
        ("train[:]", "train", range(20)),
        ("train[:20]", "train", range(20)),
        ("train[:3%]", "train", range(1)),
    ],
)
def test_a_range_of_rows_is_taken(text, name, numbers):
    split = parse_split(text)
    assert split.name == name
    assert list(split.take(range(20))) == list(numbers)


def test_rows_behind_the_range_are_not_read():
    assert list(parse_split("train[2:4]").take(itertools.count())) == [2, 3]


@pytest.mark.parametrize(("text", "number"), [("train:21", 21), ("train[:21]", 21), ("train[30:]", 30)])
def test_a_range_behind_the_last_row_is_an_error(text, number):
    with pytest.raises(ValueError, match=f"at least {number} rows, got 20"):
        list(parse_split(text).take(range(20)))


@pytest.mark.parametrize(
    "text", ["", "train[", "train[-5:]", "train+test", "train[:101%]", "train[5:5]", "train[1:2:3]"]
)
def test_another_form_is_an_error(text):
    with pytest.raises(ValueError, match="a split must have"):
        parse_split(text)

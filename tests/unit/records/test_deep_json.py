import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weft.records.deep_json import KEPT_DEPTH, parse_leniently

DEPTH = 100_000  # more than any limit of the stack that a library sets
SINGLE = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
SHORT = st.text(max_size=3)
VALUES = st.recursive(
    SINGLE,
    lambda x: st.lists(x, max_size=3) | st.dictionaries(SHORT, x, max_size=3),
    max_leaves=5,
)


@given(VALUES)
def test_ordinary_values_are_those_of_json(value):
    assert parse_leniently(json.dumps(value)) == value


@settings(max_examples=20)
@given(VALUES, st.sampled_from(["[]", "{}", "[1, {}]", '"]"']))
def test_a_deep_value_is_null_and_the_others_stay(value, inner):
    deep = "[" * DEPTH + inner + "]" * DEPTH
    parsed = parse_leniently(f'{{"a": {json.dumps(value)}, "deep": {deep}, "b": [{deep}, "]"], "c": 3}}')
    assert (parsed["a"], parsed["c"], parsed["b"][1]) == (value, 3, "]")
    level = parsed["deep"]
    for _ in range(KEPT_DEPTH - 2):  # the object and the innermost list
        (level,) = level
    assert level == [None]


def test_long_integers_nan_and_surrogates_are_read():
    parsed = parse_leniently(f'[{"9" * 5000}, -{"9" * 5000}, NaN, "\\ud800"]')
    assert parsed[:2] == [float("inf"), -float("inf")]
    assert parsed[2] != parsed[2]
    assert parsed[3] == "\ud800"


@pytest.mark.parametrize("text", ["[" * 5000, "[" * 5000 + "]" * 4999, '{"a":' * 5000 + "1", "]" * 5000, ""])
def test_what_is_not_json_is_an_error(text):
    with pytest.raises(ValueError, match=r"\(char \d+\)"):
        parse_leniently(text)

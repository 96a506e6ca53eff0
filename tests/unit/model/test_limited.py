import os
import re

import pytest

from weft.model.limited import MAX_RESULT_BYTES, TEXT_LIMIT, LimitError, run_limited


def test_the_value_comes_back():
    assert run_limited(lambda: {"texts": ["a", "\ud800", None, 1.5]}) == {"texts": ["a", "\ud800", None, 1.5]}


def test_nothing_of_the_function_stays():
    seen = []
    run_limited(lambda: seen.append(1))
    assert seen == []


def test_an_error_is_described_and_short():
    with pytest.raises(LimitError, match="ValueError: xxx") as caught:
        run_limited(lambda: (_ for _ in ()).throw(ValueError("x" * 9999)))
    assert len(str(caught.value)) <= TEXT_LIMIT + 3


def test_processor_time_is_limited_also_in_a_library_that_python_cannot_interrupt():
    with pytest.raises(LimitError, match="no result within 1 s of processor time"):
        run_limited(lambda: re.fullmatch(r"(a|a)*b", "a" * 60) is None, seconds=1)


def test_memory_is_limited():
    with pytest.raises(LimitError, match="MemoryError"):
        run_limited(lambda: len("x" * 10**11))


def test_a_large_result_is_refused():
    with pytest.raises(LimitError, match="a result of more than"):
        run_limited(lambda: "x" * (MAX_RESULT_BYTES + 1))


def test_a_process_that_ends_by_itself_has_no_result():
    with pytest.raises(LimitError, match="no result"):
        run_limited(lambda: os._exit(0))

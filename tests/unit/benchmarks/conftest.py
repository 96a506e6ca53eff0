"""Texts that a model may write to harm a scorer, each about a megabyte, shared by the scorers' tests."""

import time
from contextlib import contextmanager

import pytest

SIZE = 1_000_000

NASTY_PIECES = {
    "digits": "1",
    "spaces": " ",
    "newlines": "\n",
    "open boxes": "\\boxed{",
    "open boxes with spaces": "\\boxed {",
    "open boxes on lines": "\\boxed{\n",
    "closed boxes": "\\boxed{}",
    "full boxes": "\\boxed{3+4}",
    "closing braces": "}",
    "open answers": "<answer>",
    "closed answers": "</answer>",
    "answers": "<answer>7</answer>",
    "fences": "```",
    "open fences": "```1",
    "sixteens": "1234341221434321 ",
    "fractions": "\\frac",
    "roots": "\\sqrt2",
    "units": "\\text{ cm}",
    "slashes": "1/",
    "equations": "1=",
    "equals": "=",
    "powers": "9**",
    "signs": "-",
    "open brackets": "(",
    "brackets": "()",
    "dots": ".",
    "numbers with dots": "1.",
    "surrogates": "\ud800",
    "nul": "\0",
    "other digits": "٣",
}


@pytest.fixture(params=[*NASTY_PIECES.values()], ids=[*NASTY_PIECES])
def nasty_text(request):
    """A megabyte of one piece, repeated."""
    return request.param * (SIZE // len(request.param))


@pytest.fixture
def quickly():
    """A context that fails if it takes longer than any pass over a megabyte should."""

    @contextmanager
    def check_time(limit_s=5.0):
        start = time.perf_counter()
        yield
        assert time.perf_counter() - start < limit_s

    return check_time

"""docs/architecture.md follows one datum through few functions, all of which exist."""

import importlib
import itertools
import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).resolve().parents[2] / "docs/architecture.md").read_text(encoding="utf-8")
NAME = r"`weft\.([\w.]+)`"
JOURNEYS = re.findall(r"^### (.+?)\n(.+?)(?=^##)", PAGE, flags=re.MULTILINE | re.DOTALL)
MAX_STEPS = 8


def resolve(name):
    """Return the package, module, class, function or method with a dotted name below weft."""
    value = importlib.import_module("weft")
    path = "weft"
    for part in name.split("."):
        path += f".{part}"
        if not hasattr(value, part):
            importlib.import_module(path)
        value = getattr(value, part)
    return value


def packages(names):
    return [name.partition(".")[0] for name in names]


def test_there_are_three_journeys():
    assert len(JOURNEYS) == 3


@pytest.mark.parametrize("name", sorted(set(re.findall(NAME, PAGE))))
def test_all_named_functions_exist(name):
    assert resolve(name) is not None


@pytest.mark.parametrize(("title", "text"), JOURNEYS, ids=[title for title, _ in JOURNEYS])
def test_a_journey_is_short_and_enters_no_package_twice(title, text):
    steps = re.findall(rf"^(\d)\. {NAME}:$", text, flags=re.MULTILINE)
    calls = re.findall(rf"^   - calls {NAME}", text, flags=re.MULTILINE)
    assert [int(number) for number, _ in steps] == list(range(1, len(steps) + 1))
    assert all(callable(resolve(name)) for _, name in steps)
    assert 0 < len(steps) <= MAX_STEPS
    entered = [package for package, _ in itertools.groupby(packages(name for _, name in steps))]
    entered += packages(calls)
    assert len(set(entered)) == len(entered), f"{title}: {entered}"

"""docs/method.md names functions, tests and presets that exist."""

import importlib
import re
from pathlib import Path

import pytest

from weft import diffusion
from weft.config.methods import PRESETS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/method.md").read_text(encoding="utf-8")
NAMES = set(re.findall(r"`([A-Za-z_.]+)(?:\[\w+\])?`", PAGE))


def test_all_named_tests_exist():
    defined = {
        name
        for file in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"def (test_\w+)", file.read_text(encoding="utf-8"))
    }
    assert {name for name in NAMES if name.startswith("test_")} <= defined


@pytest.mark.parametrize(
    "name", sorted(name for name in NAMES if "." in name and not name.startswith("weft."))
)
def test_all_named_functions_of_training_exist(name):
    module, *attributes = name.split(".")
    value = importlib.import_module(f"weft.training.{module}")
    for attribute in attributes:
        value = getattr(value, attribute)


def test_all_functions_of_diffusion_are_listed():
    assert set(diffusion.__all__) - NAMES == {"require_maskable"}


def test_all_presets_are_described():
    rows = re.findall(r"^\| (`.+?`) \|", PAGE.split("## Presets")[1], flags=re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`([\w-]+)`", row)} >= set(PRESETS)

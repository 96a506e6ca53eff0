import re
import subprocess
import sys

import pytest

from perf import startup
from perf.startup import HEAVY, LIGHT, bench_startup, processor_seconds
from weft.errors import WeftError

MODEL = {"torch", "transformers", "peft", "deepspeed", "datasets"}
REPORT = {"pandas", "numpy", "matplotlib", "jinja2", "scipy", "sklearn"}
ALLOWED = {
    "weft data validation": {"numpy"},
    "weft data benchmark": {"numpy"},
    "weft report tables": {"numpy", "pandas"},
    "weft report figures": {"numpy", "pandas", "matplotlib"},
    "weft report page": {"numpy", "pandas", "jinja2"},
}
FORBIDDEN = {name: (MODEL | REPORT | {"sympy"}) - ALLOWED.get(name, set()) for name in LIGHT} | {
    "weft sample": {"peft", "deepspeed", "datasets", "pandas", "matplotlib", "sklearn"},
    "weft train": {"transformers", "peft", "datasets", "pandas"},
    "a rank of weft train": {"matplotlib", "sklearn", "statsmodels"},
}


def imported_by(arguments):
    """Run a command until its work would begin, and return the packages that it imports and its output."""
    command = [sys.executable, "-X", "importtime", "-m", *arguments]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    names = re.findall(r"^import time:[ \d]+\|[ \d]+\| +([\w.]+)$", run.stderr, flags=re.M)
    return {name.split(".")[0] for name in names}, run


@pytest.mark.parametrize("name", FORBIDDEN)
def test_a_command_imports_only_what_it_needs(name):
    imported, run = imported_by((LIGHT | HEAVY)[name])
    assert run.returncode in (0, 2), run.stderr[-2000:]
    assert "weft" in imported
    assert imported & FORBIDDEN[name] == set()


def test_every_command_is_compared_with_a_reference_of_the_same_run(monkeypatch):
    times = {"pass": 0.1, "import torch": 2.0}
    monkeypatch.setattr(startup, "processor_seconds", lambda arguments: times.get(arguments[1], 0.4))
    lines = list(bench_startup(rounds=1))
    assert len(lines) == 3 + len(LIGHT) + len(HEAVY)
    ratios = {line.split("  ")[1].strip(): float(line.split()[-1]) for line in lines if "ratio" in line}
    assert ratios["weft --help"] == pytest.approx(4.0)
    assert ratios["weft sample"] == pytest.approx(0.2)


def test_a_command_that_crashes_is_not_measured():
    assert processor_seconds(["-c", "pass"]) >= 0
    with pytest.raises(WeftError, match="must end with code 0 or 2, got 1"):
        processor_seconds(["-c", "raise ValueError"])

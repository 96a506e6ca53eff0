"""Tests about the repository itself."""

import importlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

import weft
from tests.support.packages import hidden_without
from tools import stored_results

REPOSITORY = Path(__file__).resolve().parents[2]
ROOMS_WITH_MIRROR = (
    "benchmarks",
    "config",
    "costs",
    "data",
    "diffusion",
    "harness",
    "model",
    "report",
    "sampling",
    "sharing",
    "stats",
    "training",
    "verify",
)
TESTED_ELSEWHERE = {
    "weft/benchmarks/sudoku_boards.py": "tests/unit/benchmarks/test_sudoku.py",
    "weft/config/sources.py": "tests/unit/config/test_experiment.py",
    "weft/training/rank.py": "tests/integration/test_training.py",
    "perf/training.py": "Makefile",
    "weft/verify/build.py": "tests/unit/verify/test_step.py",
    "weft/verify/formula.py": "tests/unit/verify/test_stored.py",
    "weft/verify/plain/networks.py": "tests/unit/model/test_checkpoint.py",
    "weft/verify/plain/objective.py": "tests/unit/training/test_reference_losses.py",
    "weft/verify/records.py": "tests/unit/verify/test_page.py",
    "weft/verify/sizes.py": "tests/unit/verify/test_step.py",
    "weft/verify/uniforms.py": "tests/unit/training/test_reference_losses.py",
}
"""Module -> the file whose tests cover it, for modules without a test file of the same name."""
TASKS = "weft/data/tasks/"  # all tested by tests/unit/data/test_tasks.py


def tracked():
    names = subprocess.run(
        ["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout
    return [REPOSITORY / name for name in names.splitlines()]


def text_of(path):
    if path.suffix == ".parquet":
        files = stored_results.unpack_files(pq.read_schema(path))
        return "\n".join(text for file in files.items() for text in file)
    return "" if path.suffix in {".safetensors", ".png", ".pdf"} else path.read_text(encoding="utf-8")


def own_test(module):
    """Return the path of the test file that has the name of a module."""
    folder = module.parent.as_posix().removeprefix("weft/")
    return REPOSITORY / "tests/unit" / folder / f"test_{module.name.replace('__', '')}"


@pytest.mark.parametrize("folder", [*(f"weft/{room}" for room in ROOMS_WITH_MIRROR), "perf"])
def test_every_module_has_its_test(folder):
    modules = [module.relative_to(REPOSITORY) for module in (REPOSITORY / folder).rglob("*.py")]
    for module in modules:
        name = module.as_posix()
        if module.name != "__init__.py" and name not in TESTED_ELSEWHERE and not name.startswith(TASKS):
            assert own_test(module).exists(), name


def test_no_exception_is_stale():
    for module, tests in TESTED_ELSEWHERE.items():
        assert (REPOSITORY / module).exists(), module
        assert (REPOSITORY / tests).exists(), tests
        assert not own_test(Path(module)).exists(), module


def test_no_path_of_a_machine_is_tracked():
    pattern = re.compile(r"(?<![\w.])/(?:home|Users|work|root)/\w")
    guilty = [path.name for path in tracked() if path != Path(__file__) and pattern.search(text_of(path))]
    assert not guilty


def test_no_code_is_evaluated_or_unpickled():
    forbidden = re.compile(r"\b(eval|exec)\(|pickle\.load|trust_remote_code=True|shell=True|torch\.load\(")
    for path in (REPOSITORY / "weft").rglob("*.py"):
        code = "\n".join(line for line in text_of(path).splitlines() if not line.lstrip().startswith("#"))
        found = [match for match in forbidden.finditer(code) if code[match.start() - 1] not in ".'\"`"]
        assert not found, path


def test_public_names_exist():  # that they are sorted is ruff's RUF022
    for init in (REPOSITORY / "weft").rglob("__init__.py"):
        name = ".".join(init.parent.relative_to(REPOSITORY).parts)
        module = importlib.import_module(name)
        assert all(hasattr(module, public) for public in getattr(module, "__all__", [])), name


def test_environments_are_in_step_with_the_lock():
    lock = dict(
        re.findall(r"^([\w.-]+)==(\S+)$", (REPOSITORY / "envs/weft.lock.txt").read_text(), flags=re.M)
    )
    lock = {name.lower().replace("_", "-"): version for name, version in lock.items()}
    for file in (REPOSITORY / "envs").glob("*.yaml"):
        pip = next(
            entry["pip"]
            for entry in yaml.safe_load(file.read_text())["dependencies"]
            if isinstance(entry, dict)
        )
        for pin in pip:
            name, _, version = pin.partition("==")
            assert lock[name.lower().replace("_", "-")] == version, f"{file.name}: {pin}"


LIGHT_MODULES = (
    "weft.cli", "weft.benchmarks.custom", "weft.benchmarks.scoring", "weft.benchmarks.symbolic_process",
    "weft.report.figures", "weft.report.page",
)  # fmt: skip


IMPORT_WITHOUT = """
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in HIDDEN:
            raise ModuleNotFoundError(f"{name} is not in the environment", name=name)
sys.meta_path.insert(0, Hidden())
import MODULES
"""
"""Imports modules as if other modules were not installed; both are filled in by the test."""


def test_the_environment_for_scores_and_report_has_all_packages_that_they_import():
    hidden = hidden_without(re.findall(r"- ([\w.-]+)==", (REPOSITORY / "envs/score.yaml").read_text()))
    code = IMPORT_WITHOUT.replace("HIDDEN", repr(hidden)).replace("MODULES", ", ".join(LIGHT_MODULES))
    run = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_every_rule_names_a_log_and_an_environment_or_is_a_target():
    for file in (REPOSITORY / "workflow/rules").glob("*.smk"):
        for rule in re.split(r"^ *rule ", file.read_text(), flags=re.M)[1:]:
            assert "log:" in rule, rule
            assert "../../envs/" in rule, rule
            assert "python -m weft" in rule, rule


def test_decisions_are_numbered_without_gaps():
    numbers = sorted(int(path.name[:4]) for path in (REPOSITORY / "docs/decisions").glob("[0-9]*.md"))
    assert numbers == list(range(1, len(numbers) + 1))


def test_links_inside_the_documentation_lead_somewhere():
    for page in [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} -> {target}"


def test_large_files_are_the_shipped_model_only():
    large = [path.name for path in tracked() if path.stat().st_size > 1_000_000]
    assert set(large) <= {"model.safetensors"}
    assert all(path.stat().st_size < 5_000_000 for path in tracked())


def test_the_version_is_the_same_everywhere():
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())
    releases = re.findall(
        r"^## \[([\d.]+)\] - ([\d-]+)$", (REPOSITORY / "CHANGELOG.md").read_text(), flags=re.M
    )
    assert releases[0] == (weft.__version__, str(citation["date-released"]))
    assert citation["version"] == weft.__version__


def test_the_picture_of_the_packages_matches_the_import_contracts():
    contracts = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["importlinter"][
        "contracts"
    ]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    picture = (REPOSITORY / "docs/architecture.md").read_text().partition("```mermaid")[2].partition("```")[0]
    drawn = [re.findall(r"^ +(\w+)\[", part, flags=re.M) for part in picture.split("subgraph ")[1:]]
    assert drawn == [re.findall(r"\w+", layer) for layer in layers]

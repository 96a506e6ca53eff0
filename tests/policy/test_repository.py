"""Tests about the repository itself."""

import importlib
import re
import subprocess
from pathlib import Path

import pytest
import yaml

import weft

REPOSITORY = Path(__file__).resolve().parents[2]
ROOMS_WITH_MIRROR = (
    "benchmarks",
    "config",
    "data",
    "diffusion",
    "model",
    "report",
    "sampling",
    "stats",
    "training",
)
TESTED_ELSEWHERE = {
    "data/tasks/*": "tests/unit/data/test_tasks.py",
    "training/trainer.py": "tests/integration/test_micro_reproduction.py",
    "training/finetune.py": "tests/integration/test_micro_reproduction.py",
    "training/pretrain.py": "tests/integration/test_micro_reproduction.py",
    "perf/training.py": "make bench",
    "training/environment.py": "tests/unit/test_cli.py (doctor)",
    "config/sources.py": "tests/unit/config/test_experiment.py",
}


def tracked():
    names = subprocess.run(
        ["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout
    return [REPOSITORY / name for name in names.splitlines()]


def text_of(path):
    return "" if path.suffix in {".safetensors", ".png", ".pdf"} else path.read_text(encoding="utf-8")


@pytest.mark.parametrize("folder", [*(f"weft/{room}" for room in ROOMS_WITH_MIRROR), "perf"])
def test_every_module_has_its_test(folder):
    tests = REPOSITORY / "tests/unit" / folder.removeprefix("weft/")
    for module in (REPOSITORY / folder).rglob("*.py"):
        inside = module.relative_to(REPOSITORY).as_posix().removeprefix("weft/")
        if module.name == "__init__.py" or inside in TESTED_ELSEWHERE or inside.startswith("data/tasks/"):
            continue
        assert (tests / f"test_{module.name.replace('__', '')}").exists(), inside


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

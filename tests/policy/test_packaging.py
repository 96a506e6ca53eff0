"""The declared dependencies fit the lock file, the environments and the imports."""

import ast
import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from weft.errors import EXTRAS as MODULES_OF_EXTRAS

REPOSITORY = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
WITH_THEIR_OWNER = {"pydantic_core", "weft"}
"""Modules that another dependency installs in the exact version that it needs, and weft itself."""


def locked():
    text = "".join((REPOSITORY / f"envs/{name}.lock.txt").read_text() for name in ("weft", "dev"))
    return {canonicalize_name(n): v for n, v in re.findall(r"^([\w.-]+)==(\S+)$", text, flags=re.M)}


def names(requirements):
    return {canonicalize_name(Requirement(text).name) for text in requirements} - {"weft-dllm"}


@pytest.mark.parametrize("group", ["dependencies", *EXTRAS])
def test_every_dependency_has_the_locked_version_as_its_bound(group):
    requirements = PROJECT["dependencies"] if group == "dependencies" else EXTRAS[group]
    assert names(requirements), group
    for requirement in map(Requirement, requirements):
        if requirement.name != "weft-dllm":
            (bound,) = [part for part in requirement.specifier if part.operator == ">="]
            version = locked()[canonicalize_name(requirement.name)]
            assert Version(bound.version) == Version(version), requirement.name


def imported_modules():
    """Return the top-level modules that the files of weft import, with one file for each."""
    found = {}
    for file in (REPOSITORY / "weft").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0]: file for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found[node.module.partition(".")[0]] = file
    return {name: file for name, file in found.items() if name not in sys.stdlib_module_names}


def test_everything_that_weft_imports_is_a_dependency():
    distributions = metadata.packages_distributions()
    needed = set()
    for module, file in imported_modules().items():
        if module in WITH_THEIR_OWNER:
            continue
        owners = {canonicalize_name(name) for name in distributions[module]}
        extra = MODULES_OF_EXTRAS.get(module)
        declared = names(EXTRAS[extra] if extra else PROJECT["dependencies"])
        assert owners & declared, f"{file} imports {module}, which is not a dependency"
        needed |= owners
    assert names(PROJECT["dependencies"]) - needed == set(), "dependencies that no file imports"


def test_the_environments_of_the_rules_contain_only_dependencies():
    allowed = names([*PROJECT["dependencies"], *EXTRAS["deepspeed"]])
    pins = {}
    for file in (REPOSITORY / "envs").glob("*.yaml"):
        entries = yaml.safe_load(file.read_text())["dependencies"]
        pip = next(entry["pip"] for entry in entries if isinstance(entry, dict))
        pins[file.stem] = names(pip)
        assert pins[file.stem] <= allowed, file.name
    assert "torch" not in pins["score"]
    assert pins["weft"] | pins["score"] == allowed, "each dependency is in an environment"


def test_python_versions_are_the_same_everywhere():
    minors = ["3.11", "3.12", "3.13"]
    assert PROJECT["requires-python"] == ">=3.11,<3.14"
    classifiers = [text.rpartition(" ")[2] for text in PROJECT["classifiers"] if "Python ::" in text]
    assert classifiers == minors
    assert f"{'|'.join(minors)}) ;;" in (REPOSITORY / "Makefile").read_text()

"""What the Snakemake workflow catalogue and a container engine find in the repository."""

import re
import subprocess
from pathlib import Path

import yaml

from weft.config.settings import Settings

REPOSITORY = Path(__file__).resolve().parents[2]
DOCKERFILE = (REPOSITORY / "Dockerfile").read_text("utf-8")
INSTRUCTIONS = [
    line.partition(" ")[::2] for line in DOCKERFILE.splitlines() if line and not line.startswith("#")
]


def test_the_files_of_the_catalogue_are_there():
    usage = yaml.safe_load((REPOSITORY / ".snakemake-workflow-catalog.yml").read_text("utf-8"))["usage"]
    assert usage["report"] is usage["software-stack-deployment"]["report"] is True
    assert "pip install" in usage["mandatory-flags"]["desc"]
    for name in ("workflow/Snakefile", "workflow/schemas/config.schema.yaml", "config/README.md"):
        assert (REPOSITORY / name).is_file()


def test_the_catalogue_finds_its_words_in_the_readme():
    text = (REPOSITORY / "README.md").read_text("utf-8").lower()
    assert "snakemake" in text
    assert "workflow" in text


def test_the_deployed_settings_are_those_of_the_workflow():
    assert (REPOSITORY / "config/config.yaml").resolve() == REPOSITORY / "config.yaml"
    described = re.findall(r"^\| `(\w+)` \|", (REPOSITORY / "config/README.md").read_text(), flags=re.M)
    assert described == list(Settings.model_fields)


def test_the_image_begins_with_the_container_of_the_workflow():
    (base,) = [value for name, value in INSTRUCTIONS if name == "FROM"]
    assert f'container: "docker://{base}"' in (REPOSITORY / "workflow/Snakefile").read_text("utf-8")
    assert base.partition(":")[2].startswith("3.11-")


def test_the_image_is_made_by_make_setup_from_tracked_files():
    assert {name for name, _ in INSTRUCTIONS} == {"FROM", "ENV", "WORKDIR", "COPY", "RUN", "CMD"}
    command, opening = [value for name, value in INSTRUCTIONS if name == "RUN"]
    assert opening == "chmod -R a+rwX .venv/torch_extensions", "every user may make torch's lock"
    plan = subprocess.run(
        [*command.split(), "--dry-run", "--always-make"],
        cwd=REPOSITORY, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert "-r envs/dev.lock.txt" in plan
    assert "doctor --build" in plan
    needed = {"Makefile", "pyproject.toml", "envs", "weft"}
    ignored = (REPOSITORY / ".dockerignore").read_text("utf-8").splitlines()
    assert not needed & {line.partition("/")[0] for line in ignored}
    assert [value for name, value in INSTRUCTIONS if name == "COPY"] == [". ."]


def test_the_image_says_that_it_was_not_built():
    assert "NOT BUILT HERE" in DOCKERFILE

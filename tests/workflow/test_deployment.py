"""The workflow is deployed with snakedeploy, and used as a module of another workflow."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
ADDRESS = "https://github.com/some-lab/weft"
"""Address of a repository that does not exist; git is told to take a local one in its place."""


@pytest.fixture
def environment(tmp_path):
    """Commit and tag the files of the workflow, and return variables with which git finds them at ADDRESS."""
    source, hosted = tmp_path / "source", tmp_path / "host" / "some-lab" / "weft"
    for name in ("workflow", "config", "profiles", "envs"):
        shutil.copytree(REPOSITORY / name, source / name, symlinks=True)
    for name in ("config.yaml", "LICENSE"):
        shutil.copy(REPOSITORY / name, source)
    settings = tmp_path / "gitconfig"
    settings.write_text(
        f'[url "file://{tmp_path}/host/"]\n\tinsteadOf = https://github.com/\n'
        "[user]\n\tname = A user\n\temail = user@example.org\n[init]\n\tdefaultBranch = main\n"
    )
    variables = {key: value for key, value in os.environ.items() if not key.startswith(("SLURM", "GIT_"))}
    variables |= {
        "GIT_CONFIG_GLOBAL": str(settings),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "PYTHONPATH": str(REPOSITORY),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    for command in (["init"], ["add", "."], ["commit", "-m", "A release"], ["tag", "v1.2.3"]):
        subprocess.run(["git", *command], cwd=source, env=variables, check=True, capture_output=True)
    shutil.copytree(source / ".git", hosted)
    return variables


def run(*command, directory, environment):
    """Run a command that has to succeed, and return its output."""
    result = subprocess.run(
        [*map(str, command)], cwd=directory, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def jobs(output):
    return {rule: int(count) for rule, count in re.findall(r"^(\w+)\s+(\d+)$", output, flags=re.M)}


def test_the_workflow_is_deployed_from_a_tag_and_is_planned_elsewhere(environment, tmp_path):
    project = tmp_path / "project"
    run("snakedeploy", "deploy-workflow", ADDRESS, project, "--tag", "v1.2.3",
        directory=tmp_path, environment=environment)  # fmt: skip
    settings = project / "config/config.yaml"
    assert settings.read_bytes() == (REPOSITORY / "config.yaml").read_bytes()
    assert not settings.is_symlink()
    assert 'tag="v1.2.3"' in (project / "workflow/Snakefile").read_text()

    settings.write_text("experiment: tiny\nsample_shards: 2\n")  # the other keys have their defaults
    plan = run("snakemake", "-n", "--quiet", "rules", directory=project, environment=environment)
    assert jobs(plan).items() >= {"train": 10, "sample_shard": 22, "questions": 4, "page": 1}.items()


def test_a_module_can_be_a_tag_of_a_clone(environment, tmp_path):
    file = f'gitfile("{tmp_path}/source", path="workflow/Snakefile", tag="v1.2.3")'
    assert 'gitfile("/path/to/weft", path="workflow/Snakefile", tag="TAG")' in (
        REPOSITORY / "docs/guides/module.md"
    ).read_text("utf-8")
    project = tmp_path / "project"
    project.mkdir()
    (project / "Snakefile").write_text(
        f"module weft:\n    snakefile: {file}\n    config: dict(experiment='tiny')\n\nuse rule * from weft\n"
    )
    plan = run(sys.executable, "-m", "snakemake", "-n", "--quiet", "rules",
               directory=project, environment=environment)  # fmt: skip
    assert jobs(plan)["train"] == 10


def test_another_workflow_uses_the_rules_under_other_names(tmp_path):
    (tmp_path / "Snakefile").write_text(
        'configfile: "settings.yaml"\n\n'
        f'module weft:\n    snakefile: "{REPOSITORY}/workflow/Snakefile"\n    config: config["weft"]\n\n'
        "use rule * from weft as weft_*\n\n"
        'rule mine:\n    default_target: True\n    input: rules.weft_tables.output,\n    output: "mine.txt"\n'
        "    shell: 'touch {output}'\n"
    )
    settings = {"weft": {"experiment": "tiny"}, "another_key": 1}
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(settings))
    plan = run(sys.executable, "-m", "snakemake", "-n", "--quiet", "rules",
               directory=tmp_path, environment=os.environ | {"PYTHONPATH": str(REPOSITORY)})  # fmt: skip
    assert jobs(plan).items() >= {"mine": 1, "weft_tables": 1, "weft_train": 10, "weft_sample": 11}.items()


def test_without_the_package_one_sentence_says_what_to_install(tmp_path):
    hide = "import sys; sys.modules['weft'] = None; from snakemake.cli import main; main(sys.argv[1:])"
    result = subprocess.run(
        [sys.executable, "-c", hide, "-n", "--snakefile", REPOSITORY / "workflow/Snakefile"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode != 0
    assert "the Python package weft, which is not installed" in result.stdout + result.stderr
    assert "Traceback" not in result.stdout + result.stderr

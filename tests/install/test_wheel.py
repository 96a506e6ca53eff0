"""The wheel contains all that weft needs outside a clone."""

import json
import subprocess
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

import weft
from weft.config import load_experiment
from weft.layout import provenance_file
from weft.plan import plan_lines
from weft.provenance import write_provenance
from weft.records import Provenance
from weft.records.files import read_json
from weft.report.deviations import load_deviations

REPOSITORY = Path(__file__).resolve().parents[2]
ROWS = [
    {
        "example_id": str(number),
        "benchmark": benchmark,
        "question": "?",
        "reference": reference,
        "generation": rf"<answer>\boxed{{{answer}}}</answer>",
    }
    for number, (benchmark, reference, answer) in enumerate(
        [("gsm8k", 4.0, "4"), ("gsm8k", 4.0, "5"), ("math500", r"\frac{1}{2}", r"0.5"), ("math500", "x", "y")]
    )
]


def tracked(*folders):
    command = ["git", "ls-files", "--", *folders]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.split()


def test_the_wheel_contains_the_package_with_its_data_and_the_shipped_files(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    package = set(tracked("weft"))
    shipped = tracked("Snakefile", "config.yaml", "workflow", "experiments", "profiles", "envs", "examples")
    assert len(package) > 150
    assert len(shipped) > 20
    assert package <= names
    assert {f"weft/shipped/{name}" for name in [*shipped, "docs/deviations.md"]} <= names
    others = {name for name in names if not name.startswith(("weft/", "weft_dllm-"))}
    assert others == set(), "nothing is installed beside the package, such as tests or tools"


def test_entry_points_exist(light):
    code = (
        "from importlib import metadata; import json; "
        "print(json.dumps([(e.group, e.name, e.module) for e in "
        "metadata.distribution('weft-dllm').entry_points]))"
    )
    declared = {(group, name): module for group, name, module in json.loads(light.print(code))}
    assert declared.keys() == {("console_scripts", "weft"), ("lm_eval.models", "weft")}
    assert all(find_spec(module) for module in declared.values())


def test_without_torch_answers_are_scored(light, tmp_path):
    assert "ModuleNotFoundError: No module named 'torch'" in light.run("python", "-c", "import torch").stderr
    for benchmark in ("gsm8k", "math500"):
        rows = [row for row in ROWS if row["benchmark"] == benchmark]
        answers = light.elsewhere / f"{benchmark}.jsonl"
        answers.write_text("".join(json.dumps(row) + "\n" for row in rows))
        out = light.elsewhere / f"{benchmark}-scores.jsonl"
        arguments = ["--benchmark", benchmark, "--rules", "strict", "--out", out, answers]
        result = light.run("weft", "score", *arguments)
        assert result.returncode == 0, result.stderr
        assert [json.loads(line)["credit"] for line in out.read_text().splitlines()] == [1, 0]
    provenance = read_json(provenance_file(out), Provenance)
    write_provenance(tmp_path, settings={}, experiment="here")
    here = read_json(provenance_file(tmp_path), Provenance)
    assert provenance.commit is None, "the commit of a repository around the environment is not ours"
    assert (provenance.weft_version, provenance.source_digest) == (here.weft_version, here.source_digest)
    assert light.print("import weft; print(weft.__version__)") == weft.__version__


def test_shipped_experiments_are_found_from_every_folder(light):
    for name in ("tiny", "paper"):
        experiment = load_experiment(REPOSITORY / f"experiments/{name}.yaml")
        result = light.run("weft", "plan", name)
        assert result.returncode == 0, result.stderr
        assert next(plan_lines(experiment, offline=[])) in result.stdout
    (light.elsewhere / "mine.yaml").write_text("extends: tiny.yaml\nname: mine\nseeds: [7]\n")
    assert "seeds [7]" in light.run("weft", "plan", "mine").stdout
    result = light.run("weft", "plan", "nothing")
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert "one of ['ablations'," in result.stderr


def test_the_report_finds_its_templates_and_the_deviations(light):
    code = (
        "import weft.report.page, weft.report.figures; from weft.report.deviations import load_deviations; "
        "from weft.report.downloads import *; print(len(load_deviations()))"
    )
    assert light.print(code) == str(len(load_deviations()))


@pytest.mark.parametrize(
    ("command", "module", "extra"),
    [(["run", "tiny"], "snakemake", "[workflow]"), (["doctor"], "torch", "")],
    ids=["workflow", "torch"],
)
def test_a_missing_package_is_named_with_what_installs_it(light, command, module, extra):
    result = light.run("weft", *command)
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert f"module '{module}'" in result.stderr
    assert f"python -m pip install 'weft-dllm{extra}'" in result.stderr


def test_the_shipped_base_model_answers(full):
    arguments = ["--base", "experiments/tiny-base", "--question", "Numbers: [3, 7, 5]\nTarget: 26"]
    result = full.run("weft", "trace", *arguments)
    assert result.returncode == 0, result.stderr
    assert "Least confident" in result.stdout


def test_the_shipped_workflow_runs_with_the_installed_package(full):
    result = full.run(
        "weft", "run", "tiny", "results/tiny/base", "--cores", "1", "--config", "train_processes=1"
    )
    assert result.returncode == 0, result.stderr
    assert (full.elsewhere / "results/tiny/base/model.safetensors").is_file()
    assert (full.elsewhere / ".snakemake/weft/weft").resolve() == full.site / "weft"


@pytest.mark.release
def test_a_whole_experiment_runs_with_the_installed_package(full):
    micro = REPOSITORY / "tests/workflow/micro.yaml"
    result = full.run("weft", "run", micro, timeout=1200)
    assert result.returncode == 0, result.stderr
    assert "deviations" in (full.elsewhere / "results/micro/report/index.html").read_text()

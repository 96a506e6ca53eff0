import importlib.util
import json
import sys
import tomllib
from importlib.metadata import EntryPoint

import pytest
import yaml

from tests.conftest import REPOSITORY
from weft.errors import ConfigError
from weft.harness.command import MODEL_CLASS, MODEL_NAME, register, run_harness, with_defaults

ADDED = ["run", "--model", "weft", "--batch_size", "auto"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["--tasks", "gsm8k"], [*ADDED, "--tasks", "gsm8k"]),
        (["run", "-t", "gsm8k"], [*ADDED, "-t", "gsm8k"]),
        (["-M", "hf", "-t", "x"], ["run", "--batch_size", "auto", "-M", "hf", "-t", "x"]),
        (["--model=weft", "--batch_size=4"], ["run", "--model=weft", "--batch_size=4"]),
        (["-b", "4", "-t", "x"], ["run", "--model", "weft", "-b", "4", "-t", "x"]),
    ],
)
def test_a_run_uses_weft_and_finds_the_batch_size(given, expected):
    assert with_defaults(given) == expected


@pytest.mark.parametrize(
    "given",
    [[], ["--help"], ["run"], ["run", "--help"], ["ls", "tasks"], ["validate", "-t", "x"], ["-C", "a"]],
)
def test_other_commands_are_left_as_they_are(given):
    assert with_defaults(given) == given


def test_a_missing_harness_is_explained(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r'pip install "weft-dllm\[eval\]"'):
        run_harness(["ls", "tasks"])


@pytest.mark.parametrize(("given", "got"), [(["--tasks", "gsm8l"], "gsm8l"), ([], "nothing")])
def test_wrong_tasks_are_an_error_without_a_traceback(given, got):
    pytest.importorskip("lm_eval")
    with pytest.raises(ConfigError, match=rf"--tasks must name tasks .* got {got}; weft lm-eval ls tasks"):
        run_harness([*given, "--model_args", f"pretrained={REPOSITORY / 'experiments' / 'tiny-base'}"])


def test_the_entry_point_names_the_class_as_the_harness_expects():
    registry = pytest.importorskip("lm_eval.api.registry")
    content = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    [(name, value)] = content["project"]["entry-points"]["lm_eval.models"].items()
    assert (name, value) == (MODEL_NAME, MODEL_CLASS)
    from weft.harness.lm_eval_model import WeftLM

    models = registry.Registry("model")
    models.register(name, target=EntryPoint(name, value, "lm_eval.models"))
    assert models.get(name) is WeftLM


def test_registering_twice_is_harmless():
    registry = pytest.importorskip("lm_eval.api.registry")
    register()
    register()
    assert {"weft", "hf"} <= set(registry.model_registry.keys())


def write_task(folder, name, installed, rows):
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    file = str(folder / f"{name}.jsonl")
    changes = {
        "include": str(installed),
        "task": name,
        "tag": None,
        "dataset_path": "json",
        "dataset_name": None,
        "dataset_kwargs": {"data_files": {"train": file, "validation": file, "test": file}},
        "num_fewshot": 0,
    }
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(changes))


@pytest.mark.filterwarnings("ignore")
def test_the_harness_evaluates_two_installed_tasks_on_local_questions(tmp_path, monkeypatch, capsys):
    tasks = pytest.importorskip("lm_eval.tasks").__path__[0]
    sums = [(12, 30), (7, 8), (45, 11)]
    write_task(
        tmp_path,
        "local_gsm8k",
        f"{tasks}/gsm8k/gsm8k.yaml",
        [{"question": f"What is {a} plus {b}?", "answer": f"{a}+{b}={a + b}\n#### {a + b}"} for a, b in sums],
    )
    write_task(
        tmp_path,
        "local_arc",
        f"{tasks}/arc/arc_easy.yaml",
        [
            {
                "id": str(a),
                "question": f"What is {a} plus {b}?",
                "choices": {"text": [str(a + b), "a large number", "14"], "label": ["A", "B", "C"]},
                "answerKey": "A",
            }
            for a, b in sums
        ],
    )
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    base = REPOSITORY / "experiments/tiny-base"
    before = sys.argv
    run_harness(
        [
            *("--model_args", f"pretrained={base},gen_length=32,mc_num=8"),
            *("--tasks", "local_gsm8k,local_arc", "--include_path", str(tmp_path)),
            *("--output_path", str(tmp_path / "out"), "--log_samples", "--apply_chat_template"),
        ]
    )
    assert sys.argv is before
    [results] = (tmp_path / "out").rglob("results_*.json")
    content = json.loads(results.read_text())
    assert content["n-samples"]["local_gsm8k"]["effective"] == 3
    assert 0 <= content["results"]["local_arc"]["acc,none"] <= 1
    assert content["config"]["weft_arguments"]["mc_num"] == 8
    assert content["config"]["model"] == "weft"
    [samples] = (tmp_path / "out").rglob("samples_local_gsm8k_*.jsonl")
    [answer] = json.loads(samples.read_text().splitlines()[0])["resps"][0]
    assert answer.startswith("<reasoning>12")  # the form that the tiny base has learned
    [samples] = (tmp_path / "out").rglob("samples_local_arc_*.jsonl")
    options = [option for [option] in json.loads(samples.read_text().splitlines()[0])["resps"]]
    assert all(float(value) < 0 for value, _ in options)
    assert "local_arc" in capsys.readouterr().out

"""The first example of docs/python.md gives the history, the adapter and the tokens of the workflow."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file

import weft
from tests.support.ports import free_port
from weft.records import Question
from weft.records.files import write_lines
from weft.training.environment import extensions_folder

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]
REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = (REPOSITORY / "docs/python.md").read_text(encoding="utf-8")
EXAMPLE = re.search(r"^```python\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)[1]
BASE = REPOSITORY / "experiments/tiny-base"
GEN_LENGTH = 32
PROGRAM = """
import datasets
import weft
from weft.config import load_experiment
from weft.training.adapters import lora_settings
from weft.training.finetune import training_arguments

experiment = load_experiment("pens.yaml")
training, method = experiment.training, experiment.methods["weft"]
trainer = weft.DiffusionTrainer(
    "base",
    training_arguments(training, method, "state", seed=1, num_processes=1),
    datasets.load_dataset("json", data_files="rows.jsonl", split="train"),
    method=method,
    peft_config=lora_settings(training.lora),
    max_length=training.max_length,
    t_min=training.t_min,
)
trainer.train()
trainer.save_model("under-deepspeed")
"""

RANKS = """
import json
import os
import datasets
import weft
from peft import LoraConfig
from transformers import TrainingArguments

arguments = TrainingArguments(
    "ranks", per_device_train_batch_size=2, gradient_accumulation_steps=2, num_train_epochs=2, seed=1,
    learning_rate=4e-3, logging_steps=1, use_cpu=True, save_strategy="no",
)
modules = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
rows = datasets.load_dataset("json", data_files="rows.jsonl", split="train")
adapters = LoraConfig(r=16, lora_alpha=32, target_modules=modules)
few = rows.select(range(7))
trainer = weft.DiffusionTrainer("base", arguments, rows, few, peft_config=adapters, max_length=64)
before = trainer.evaluate()["eval_loss"]
trainer.train()
if trainer.is_world_process_zero():
    with open("ranks.json", "w") as file:
        json.dump([before, [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]], file)
trainer.accelerator.wait_for_everyone()
trainer.accelerator.end_training()
os._exit(0)  # the threads of Gloo can abort the shutdown of the interpreter (pytorch/pytorch#190489)
"""


def run(*command, cwd, **environment):
    result = subprocess.run(
        [*map(str, command)], cwd=cwd, check=False, capture_output=True, text=True, timeout=500,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)} | environment,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-6000:]


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """The variables of the example after it ran in a folder of its own."""
    folder = tmp_path_factory.mktemp("python")
    (folder / "experiments").mkdir()
    (folder / "experiments/tiny-base").symlink_to(BASE)
    (folder / "base").symlink_to(BASE)
    before = Path.cwd()
    os.chdir(folder)
    try:
        names = {"folder": folder}
        exec(compile(EXAMPLE, "docs/python.md", "exec"), names)
    finally:
        os.chdir(before)
    return names


@pytest.fixture(scope="module")
def workflow(names):
    """The folder in which the steps of the workflow have trained on the same rows."""
    folder, arguments = names["folder"], names["arguments"]
    rows = [
        {"question": row["prompt"], "reasoning": row["reasoning"], "answer": row["answer"]}
        for row in names["train"]
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    content = yaml.safe_load((REPOSITORY / "tests/workflow/micro.yaml").read_text())
    del content["learning_curve"]
    content |= {
        "name": "pens",
        "datasets": {"train": {"source": "jsonl", "path": str(folder / "rows.jsonl")}},
    }
    content["training"] |= {
        "epochs": arguments.num_train_epochs,
        "batch_size": arguments.per_device_train_batch_size,
        "micro_batch_size": arguments.per_device_train_batch_size,
        "learning_rate": arguments.learning_rate,
        "weight_decay": arguments.weight_decay,
        "max_grad_norm": arguments.max_grad_norm,
        "max_length": names["trainer"].collate.max_length,
        "lora": {"rank": 16, "alpha": 32, "dropout": 0.0, "target_modules": names["modules"]},
        "save_every": 1000,
    }
    content["sampling"] |= {"block_length": 8, "tokens_per_step": 1, "temperature": 0.5, "seed": 3}
    content["sampling"]["early_stop"] = False
    (folder / "pens.yaml").write_text(yaml.safe_dump(content))
    questions = [
        Question(
            example_id=f"{number:016x}", benchmark="gsm8k", question=row["prompt"], prompt=row["prompt"],
            reference=int(row["answer"]),
        )
        for number, row in enumerate(names["test"])
    ]  # fmt: skip
    write_lines(folder / "gsm8k.jsonl", questions)
    settings = [sys.executable, "-m", "weft"]
    described = ["--experiment", "pens.yaml"]
    run(*settings, "data", "dataset", *described, "--out", "examples.jsonl", "train", cwd=folder)
    run(
        *settings, "data", "prepare", *described, "--examples", "examples.jsonl",
        "--base", "base", "--out", "prepared", cwd=folder,
    )  # fmt: skip
    run(
        *settings, "train", *described, "--run", "weft-train-seed1", "--base", "base",
        "--prepared", "prepared", "--out", "run", "--device", "cpu", cwd=folder,
    )  # fmt: skip
    return folder


def test_the_history_is_that_of_the_workflow(names, workflow):
    expected = [json.loads(line) for line in (workflow / "run/history.jsonl").read_text().splitlines()]
    steps = [entry for entry in names["trainer"].state.log_history if "loss" in entry]
    assert len(steps) == len(expected) == 50
    for step, other in zip(steps, expected, strict=True):
        for name in ("loss", "grad_norm", "learning_rate", "mean_rate", "mean_uncertainty", "masked_share"):
            assert step[name] == pytest.approx(other[name], rel=1e-5, abs=1e-5), name
    adapters, others = (
        load_file(file / "adapter_model.safetensors")
        for file in (workflow / "run", workflow / "pens/adapter")
    )
    assert adapters.keys() == others.keys()
    for name, tensor in adapters.items():
        torch.testing.assert_close(tensor, others[name], atol=1e-5, rtol=0)


def test_the_bytes_under_deepspeed_are_those_of_the_workflow(workflow):
    (workflow / "program.py").write_text(PROGRAM)
    run(
        Path(sys.executable).parent / "deepspeed", "--num_gpus", 1, "--master_port", free_port(),
        "program.py", cwd=workflow, DS_ACCELERATOR="cpu", TORCHDYNAMO_DISABLE="1", OMP_NUM_THREADS="1",
        TORCH_EXTENSIONS_DIR=str(extensions_folder()),
    )  # fmt: skip
    for name in ("adapter_model.safetensors", "adapter_config.json"):
        assert (workflow / "under-deepspeed" / name).read_bytes() == (workflow / "run" / name).read_bytes(), (
            name
        )


def test_the_tokens_are_those_of_the_workflow_with_the_same_seed(names, workflow):
    run(
        sys.executable, "-m", "weft", "sample", "--experiment", "pens.yaml", "--run", "weft-train-seed1",
        "--questions", "gsm8k.jsonl", "--gen-length", GEN_LENGTH, "--base", "base", "--adapter", "run",
        "--out", "answers.jsonl", "--device", "cpu", cwd=workflow,
    )  # fmt: skip
    expected = [json.loads(line) for line in (workflow / "answers.jsonl").read_text().splitlines()]
    tokenizer = names["tokenizer"]
    ids = weft.generate(
        weft.load_model(BASE, adapter=workflow / "run"),
        [weft.encode_prompt(tokenizer, row["prompt"], prefill="<reasoning>") for row in names["test"]],
        mask_token_id=tokenizer.mask_token_id,
        temperature=0.5,
        seed=3,
        example_keys=[row["example_id"] for row in expected],
        **names["lengths"],
    )
    assert tokenizer.batch_decode(ids) == [row["generation"] for row in expected]
    assert len(set(tokenizer.batch_decode(ids))) > 1


def test_two_processes_without_deepspeed_train_and_evaluate_as_one(names, workflow):
    (workflow / "ranks.py").write_text(RANKS)
    run(
        sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", 2, "--master_port", free_port(),
        "ranks.py", cwd=workflow, OMP_NUM_THREADS="1",
    )  # fmt: skip
    evaluated, losses = json.loads((workflow / "ranks.json").read_text())
    expected = [entry["loss"] for entry in names["trainer"].state.log_history if "loss" in entry]
    assert losses[:10] == pytest.approx(expected[:10], rel=1e-3)  # rounding grows with the steps
    trainer = weft.DiffusionTrainer(
        str(BASE), names["arguments"], names["train"], list(names["train"])[:7], max_length=64
    )
    assert evaluated == pytest.approx(trainer.evaluate()["eval_loss"], rel=1e-5)

"""The hours and the memory in the documentation are those of the plan."""

import re
from pathlib import Path

import pytest

from weft.config import load_experiment
from weft.costs import GPUS, gpu_hours
from weft.costs.gpus import GIB
from weft.costs.stages import list_jobs
from weft.plan import describe_material
from weft.plan.cost_lines import _format_hours

PAGE = (Path(__file__).resolve().parents[3] / "docs/faq.md").read_text(encoding="utf-8")
PAPER = load_experiment("experiments/paper.yaml")


def sampled(length):
    sampling = PAPER.sampling.model_copy(update={"gen_lengths": [length], "early_stop": False})
    return PAPER.model_copy(update={"sampling": sampling}), "sample", "base"


ROWS = {
    "SFT on s1K": (PAPER, "train", "sft-s1k-seed1"),
    "WeFT on s1K, live probe": (PAPER, "train", "weft-s1k-seed1"),
    "SFT and WeFT on the paper's three training sets, one seed": (PAPER, "train", ""),
    "one model on four benchmarks, 128 tokens, no early stop": sampled(128),
    "the same, 256 tokens": sampled(256),
    "the same, 512 tokens": sampled(512),
    "seven models, three lengths, early stop": (PAPER, "sample", ""),
}


@pytest.mark.parametrize("title", ROWS)
def test_the_hours_are_those_of_the_plan(title):
    experiment, stage, name = ROWS[title]
    jobs = list_jobs(experiment, describe_material(experiment, offline=[]).material, num_processes=1)
    operations = sum(job.operations for job in jobs if job.stage == stage and name in ("", job.name))
    hours = [_format_hours(gpu_hours(operations, GPUS[gpu])) for gpu in ("h100", "a100-80")]
    assert f"| {title} | {operations / 1e18:.2g} | {hours[0]} | {hours[1]} |" in PAGE


def test_the_memory_is_that_of_the_plan():
    jobs = list_jobs(PAPER, describe_material(PAPER, offline=[]).material, num_processes=1)
    memory = next(job.memory for job in jobs if job.stage == "train")
    printed = dict(re.findall(r"^\| ([\w' ,-]+) \| ([\d.]+) \|$", PAGE, flags=re.M))
    parts = {
        "weights": "weights in bfloat16, adapters in float32",
        "gradients": "gradients of the adapters",
        "optimizer": "AdamW's states and DeepSpeed's copy of the adapters",
        "buckets": "DeepSpeed's buffer for gradients",
        "activations": "stored activations",
        "logits": "logits, which are computed in parts",
        "context": "CUDA and its libraries, assumed",
    }
    for part, title in parts.items():
        assert printed[title] == f"{memory.by_part()[part] / GIB:.1f}", part
    assert printed["sum"] == f"{memory.total / GIB:.1f}"

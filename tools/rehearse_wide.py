"""Train and sample a model of LLaDA-8B's width with few layers, by the commands of the workflow.

    python -m tools.rehearse_wide results/wide

The model has random weights (`tools.wide_model`). All settings are those of ``experiments/paper.yaml``,
except those in `CHANGES` and the sizes of the rehearsal: one training step of SFT and one of WeFT with a
single example, and one answer in four sampling steps by default. Each command runs in a process of its own,
whose time and peak memory are printed.
"""

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from tools.commands import brief_errors
from tools.wide_model import WEIGHT_RMS, llada_8b_config, write_wide_model
from weft.config.places import find_path
from weft.records import Generation, StepMetrics
from weft.records.files import read_lines

PAPER = "experiments/paper.yaml"
BENCHMARK = "sudoku"
DATASET = "worked"
CHANGES: Mapping[str, Any] = {
    "title": "Rehearsal at true width",
    "caption": "Random weights; the numbers show that the commands run.",
    "datasets": {DATASET: {"source": "generated", "tasks": {BENCHMARK: 1}, "seed": 11}},
    "benchmarks": {BENCHMARK: {"source": "generated", "num_examples": 1, "seed": 21}},
    "training": {"epochs": 1, "batch_size": 1, "heldout_share": 0.0},
    "sampling": {"early_stop": False},  # random weights may predict the end of the text at once
}
"""Keys of the experiment -> their values here; those of ``training`` and ``sampling`` replace single keys."""
GIB = 1 << 30
WIDE = llada_8b_config()


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Sizes of a rehearsal.

    Attributes:
        num_layers: transformer blocks of the model.
        max_length: tokens of the training example, padding included.
        gen_length: tokens of the answer, which is sampled as one block.
        sampling_steps: forward passes in which the answer is sampled.
        methods: methods with which a model is trained.
    """

    num_layers: int = 2
    max_length: int = 4096
    gen_length: int = 512
    sampling_steps: int = 4
    methods: tuple[str, ...] = ("sft", "weft")


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Cost of a command.

    Attributes:
        name: the command.
        wall_seconds: time from start to end.
        cpu_seconds: processor time of all its processes.
        peak_gib: largest resident set of one of its processes, pages of mapped weights included.
    """

    name: str
    wall_seconds: float
    cpu_seconds: float
    peak_gib: float


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Results of a rehearsal.

    Attributes:
        folder: folder with the experiment, the model, and what the commands wrote.
        metrics: method -> metrics of its training step.
        answers: the sampled answers of the last method.
        costs: cost of each command, in order.
    """

    folder: Path
    metrics: Mapping[str, StepMetrics]
    answers: Sequence[Generation]
    costs: Sequence[Cost]

    def adapter(self, method: str) -> Path:
        """Return the folder of the adapter that was trained with a method."""
        return self.folder / "runs" / _run_name(method)


LOGIT_STD = math.sqrt(WIDE.hidden_size) * WEIGHT_RMS
"""Standard deviation of the logits of a token, if the inputs of the head have a mean square of 1."""


def expected_entropy() -> float:
    """Return the entropy of the predictions, in nats, if the logits of a token are independent and normal.

    It is ln V - s^2 / 2 for V tokens and logits of standard deviation s.
    """
    return math.log(WIDE.vocab_size) - LOGIT_STD**2 / 2


def expected_loss(metrics: StepMetrics) -> float:
    """Return the loss of a step of SFT with one example, in nats.

    It is the cross-entropy ln V + s^2 / 2 times the share of masked tokens over the diffusion time. Most
    targets are the same token, that of padding, and masked positions have similar hidden states. The loss
    therefore differs from this value by about one draw of a logit, whose standard deviation is s.
    """
    assert metrics.masked_share is not None, "a step has a share of masked tokens"
    assert metrics.mean_t is not None, "a step has diffusion times"
    return (math.log(WIDE.vocab_size) + LOGIT_STD**2 / 2) * metrics.masked_share / metrics.mean_t


def rehearse(folder: Path, sizes: Sizes) -> Outcome:
    """Write the model and the experiment, and run the commands.

    Args:
        folder: folder for everything; a model that is there already is used again.
        sizes: sizes of the rehearsal.

    Returns:
        What the commands wrote, and what they cost.

    Raises:
        SystemExit: a command failed; its output is printed.
    """
    base = folder / f"base-{sizes.num_layers}"
    if not (base / "tokenizer_config.json").exists():  # which is written last
        write_wide_model(base, num_layers=sizes.num_layers)
    experiment = folder / "wide.yaml"
    experiment.write_text(yaml.safe_dump(experiment_fields(base, sizes), sort_keys=False))
    examples, prepared = folder / "examples.jsonl", folder / "prepared"
    questions, answers = folder / "questions.jsonl", folder / "answers.jsonl"
    common = ["--experiment", experiment]
    commands: list[list[Any]] = [
        ["data", "dataset", *common, "--out", examples, DATASET],
        ["data", "benchmark", *common, "--out", questions, BENCHMARK],
        ["data", "prepare", *common, "--examples", examples, "--base", base, "--out", prepared],
    ]
    for method in sizes.methods:
        out = folder / "runs" / _run_name(method)
        commands.append([
            "train", *common, "--run", _run_name(method), "--base", base, "--prepared", prepared,
            "--out", out, "--device", "cpu",
        ])  # fmt: skip
    commands.append([
        "sample", *common, "--run", _run_name(sizes.methods[-1]), "--base", base, "--adapter", out,
        "--questions", questions, "--gen-length", sizes.gen_length, "--out", answers, "--device", "cpu",
    ])  # fmt: skip
    costs = [_run(command) for command in commands]
    histories = {
        m: read_lines(folder / "runs" / _run_name(m) / "history.jsonl", StepMetrics) for m in sizes.methods
    }
    return Outcome(
        folder=folder,
        metrics={method: history[-1] for method, history in histories.items()},
        answers=read_lines(answers, Generation),
        costs=costs,
    )


def experiment_fields(base: Path, sizes: Sizes) -> dict[str, Any]:
    """Return the content of the experiment file of a rehearsal."""
    fields: dict[str, Any] = yaml.safe_load(find_path(PAPER).read_text())
    for name, value in CHANGES.items():
        fields[name] = fields[name] | value if name in {"training", "sampling"} else value
    fields["name"] = "wide"
    fields["base_model"] = {"source": "path", "path": str(base.absolute())}
    fields["training"]["max_length"] = sizes.max_length
    fields["sampling"] |= {
        "gen_lengths": [sizes.gen_length],
        "block_length": sizes.gen_length,
        "tokens_per_step": math.ceil(sizes.gen_length / sizes.sampling_steps),
    }
    return fields


def _run_name(method: str) -> str:
    return f"{method}-{DATASET}-seed1"


def _run(arguments: Sequence[Any]) -> Cost:
    """Run a command of weft and measure it."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "weft", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None, "the output is a pipe"
    with process.stdout as stream:
        output = stream.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)  # so that Popen does not wait for it again
    name = " ".join(map(str, arguments[: 2 if arguments[0] == "data" else 1]))
    if process.returncode:
        raise SystemExit(f"weft {name} failed:\n{output[-4000:]}")
    return Cost(
        name=name,
        wall_seconds=time.perf_counter() - began,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        peak_gib=usage.ru_maxrss * 1024 / GIB,
    )


def describe(outcome: Outcome) -> str:
    """Return a table of the costs and the metrics of the training steps."""
    lines = ["| command | wall, s | processor, s | peak memory, GiB |", "|---|---|---|---|"]
    for cost in outcome.costs:
        lines.append(
            f"| {cost.name} | {cost.wall_seconds:.0f} | {cost.cpu_seconds:.0f} | {cost.peak_gib:.1f} |"
        )
    for method, metrics in outcome.metrics.items():
        expected = f"loss {expected_loss(metrics):.1f}, give or take {LOGIT_STD:.1f}"
        if metrics.mean_uncertainty is not None:
            expected = f"mean_uncertainty {expected_entropy():.1f}"
        lines.append(f"{method}: {json.dumps(metrics.as_object())}; expected: {expected}")
    return "\n".join(lines)


def main(
    folder: Annotated[Path, typer.Argument(help="Folder for the model and all results (3 GB).")],
    layers: Annotated[int, typer.Option(min=1, help="Transformer blocks of the model.")] = 2,
    max_length: Annotated[int, typer.Option(min=1, help="Tokens of the training example.")] = 4096,
) -> None:
    """Run the rehearsal and print its costs."""
    with brief_errors():
        print(describe(rehearse(folder, Sizes(num_layers=layers, max_length=max_length))))


if __name__ == "__main__":
    typer.run(main)

"""``weft verify-gpu``: check and measure weft on a GPU."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from weft.cli.shared import DeviceOption, ThreadsOption, app, load_fine_tuning
from weft.config.places import find_path
from weft.devices.choice import choose_device, device_kind
from weft.devices.visible import list_visible
from weft.errors import ConfigError, find_by_name

SizeName = Literal["8b", "tiny"]


@app.command("verify-gpu")
def verify_gpu(
    part: Annotated[
        list[str] | None,
        typer.Option(
            help="Part to run: parity, step or sample; may be given several times. By default all three."
        ),
    ] = None,
    size: Annotated[
        SizeName, typer.Option(help="Network with random weights: LLaDA-8B's shape, or a tiny one.")
    ] = "8b",
    model: Annotated[
        Path | None,
        typer.Option(help="Checkpoint directory of LLaDA or Dream; without it, random weights."),
    ] = None,
    questions: Annotated[
        list[Path] | None,
        typer.Option(help="Questions of a benchmark for --model, from weft data benchmark; one file each."),
    ] = None,
    experiment: Annotated[
        str, typer.Option("--experiment", help="Experiment with the settings of training and sampling.")
    ] = "paper",
    gpus: Annotated[
        int | None, typer.Option(min=1, help="GPUs of the steps under ZeRO; by default all visible ones.")
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", help="Directory of verify-gpu.json and verify-gpu.md.")
    ] = Path("results/verify-gpu"),
    threads: ThreadsOption = 4,
    device: DeviceOption = "auto",
) -> None:
    """Compare weft with the plain published code on a GPU, and measure its steps and its sampler.

    Each part takes less than eight minutes on an H100. The results of several calls are joined in one
    file, beside which a page to post is written. With --size tiny, all of it runs on a processor.
    """
    import torch

    from weft.verify.page import format_measurement
    from weft.verify.records import PARTS, Measurement, PartName, Skipped
    from weft.verify.run import PAGE_FILE, Plan, verify

    parts = [find_by_name("--part", name, {known: known for known in PARTS}) for name in part or PARTS]
    if device_kind(device) == "cpu" and (size == "8b" or model is not None):
        raise ConfigError(
            "--size 8b and --model require a GPU that torch can use, found none; --size tiny without --model "
            "runs on a processor"
        )
    if questions and model is None:
        raise ConfigError("--questions requires --model, whose tokenizer encodes them, got none")

    def report(name: PartName, outcome: Measurement | Skipped) -> None:
        if isinstance(outcome, Skipped):
            typer.echo(f"{name}: not measured: {outcome.what}: {outcome.why}")
        else:
            typer.echo(f"{name}: {format_measurement(outcome)}")

    num_devices = count_devices(device) if gpus is None else gpus
    plan = Plan(
        experiment=load_fine_tuning(experiment),
        size_name=size,
        checkpoint=None if model is None else find_path(model),
        questions=questions or [],
        device=torch.device(choose_device(device, count=num_devices)),
        num_devices=num_devices,
        threads=threads,
        report=report,
    )
    result = verify(plan, parts, out)
    typer.echo(f"verify-gpu: {out / PAGE_FILE}")
    if any(item.failures for item in result.parts):
        raise typer.Exit(1)


def count_devices(name: str) -> int:
    """Return the number of GPUs that are visible and can train together, or 1 for a processor.

    Args:
        name: the device: cpu, cuda, cuda:N or auto.

    Returns:
        1 also if a single GPU is named, or if the GPUs are MIG instances, which cannot communicate.
    """
    if device_kind(name) == "cpu" or ":" in name:
        return 1
    import torch

    visible = list_visible()
    if visible is None:
        return max(1, torch.cuda.device_count())
    return 1 if any(device.is_slice for device in visible) else max(1, len(visible))

"""Run the parts of ``weft verify-gpu`` and join their results in one file and one page."""

import gc
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

import weft
from weft.config import FineTuning
from weft.config.methods import Method
from weft.errors import ConfigError
from weft.records import Question
from weft.records.files import read_json, read_lines, write_json, write_text
from weft.verify import parity, planned, sample, step, zero
from weft.verify.build import build_model, describe_network, find_eos, num_usual_ids
from weft.verify.device import describe_machine
from weft.verify.page import write_page
from weft.verify.records import PARTS, Machine, Measurement, PartName, PartResult, Skipped, VerifyReport
from weft.verify.sizes import NUM_QUESTIONS, SIZES, Size

RESULT_FILE, PAGE_FILE = "verify-gpu.json", "verify-gpu.md"
SECONDS_OF_PART = 420.0
"""Time after which a part begins no further measurement; every part is to end within eight minutes."""

Outcome = Measurement | Skipped


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be verified, and with which settings.

    Attributes:
        experiment: the experiment whose training and sampling settings are used.
        size_name: name of the size of the networks.
        checkpoint: checkpoint directory; None for random weights.
        questions: files of questions, one for each benchmark; none for prompts of random tokens.
        device: the device of the parts that use one device.
        num_devices: GPUs of the steps under ZeRO.
        threads: CPU threads of each process.
        report: called with each measurement and each omission.
    """

    experiment: FineTuning
    size_name: str
    checkpoint: Path | None
    questions: Sequence[Path]
    device: torch.device
    num_devices: int
    threads: int
    report: Callable[[PartName, Outcome], None]

    @property
    def size(self) -> Size:
        """The size of the networks."""
        return SIZES[self.size_name]

    @property
    def weights(self) -> str:
        """Origin of the weights, as it is recorded."""
        return "random" if self.checkpoint is None else self.checkpoint.name


def verify(plan: Plan, parts: Sequence[PartName], out: Path) -> VerifyReport:
    """Run some parts and write their results, with those of earlier runs, after each part.

    Args:
        plan: what is to be verified.
        parts: names of the parts.
        out: directory of the result and of the page.

    Returns:
        The joined results.

    Raises:
        ConfigError: the experiment is not suitable, or the directory cannot be made or has results of another
            machine.
    """
    require_suitable(plan)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"--out must be a directory, got {str(out)!r} ({error}); give another --out"
        ) from error
    torch.set_num_threads(plan.threads)
    machine = describe_machine(plan.device, plan.size.dtype)
    report = join_earlier(plan, machine, out / RESULT_FILE)
    for name in PARTS:
        if name in parts:
            report = report.with_part(run_part(plan, name, machine))
            write_json(out / RESULT_FILE, report)
            write_text(out / PAGE_FILE, write_page(report))
    return report


def run_part(plan: Plan, name: PartName, machine: Machine) -> PartResult:
    """Run a part and collect its outcomes."""
    began = time.perf_counter()
    measurements, skipped = [], []
    release_memory()
    for outcome in PART_FUNCTIONS[name](plan, machine):
        shown = outcome
        if isinstance(outcome, Skipped):
            skipped.append(outcome)
        else:
            shown = outcome if plan.size.is_judged else outcome.model_copy(update={"goal": None})
            measurements.append(shown)
        plan.report(name, shown)
    return PartResult(
        part=name,
        subject=describe_network(plan.size, plan.checkpoint),
        seconds=time.perf_counter() - began,
        measurements=measurements,
        skipped=skipped,
    )


def release_memory() -> None:
    """Return the memory of deleted models to the device; wrapped models are parts of cycles."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def join_earlier(plan: Plan, machine: Machine, file: Path) -> VerifyReport:
    """Return the earlier results of this machine, or an empty report.

    Args:
        plan: what is to be verified.
        machine: the device and the programs.
        file: file with the earlier results, which may be missing.

    Returns:
        The report to which the results of this run are added.

    Raises:
        ConfigError: the earlier results are of another machine, size or model.
    """
    report = VerifyReport(
        weft=weft.__version__, size=plan.size_name, weights=plan.weights, machine=machine, parts=[]
    )
    if not file.exists():
        return report
    earlier = read_json(file, VerifyReport, error=ConfigError, remedy="remove it, or give another --out")
    for what, ours, theirs in (
        ("version of weft", report.weft, earlier.weft),
        ("size", report.size, earlier.size),
        ("weights", report.weights, earlier.weights),
        ("device", report.machine.device, earlier.machine.device),
        ("versions", report.machine.versions, earlier.machine.versions),
    ):
        if ours != theirs:
            raise ConfigError(
                f"{file} must have the results of the same {what}, to which this run is added, got {theirs} "
                f"and now {ours}; give another --out"
            )
    return report.model_copy(update={"parts": earlier.parts})


def require_suitable(plan: Plan) -> None:
    """Check that the experiment can be measured.

    Args:
        plan: what is to be verified.

    Raises:
        ConfigError: the experiment trains no adapters, has other than two contrasted methods, or samples in a
            way that the plain loop does not.
    """
    experiment, sampling = plan.experiment, plan.experiment.sampling
    unsuitable = {
        "training.lora: null": experiment.training.lora is None,
        "no contrast of two methods": experiment.main_contrast is None,
        "sampling.tokens_per_step: null": sampling.tokens_per_step is None,
        "sampling.kv_cache": sampling.kv_cache is not None,
        "sampling.temperature": sampling.temperature > 0,
        "sampling.remasking": sampling.remasking != "low_confidence",
        "sampling.cfg_scale": sampling.cfg_scale > 0,
        "sampling.attend_padding": sampling.attend_padding,
    }
    if others := [name for name, is_set in unsuitable.items() if is_set]:
        raise ConfigError(
            f"experiment {experiment.name!r} must train adapters with two methods and sample like the plain "
            f"loop, got {', '.join(others)}; choose another experiment, such as paper"
        )


def _parity(plan: Plan, machine: Machine) -> Iterator[Outcome]:
    del machine
    yield from parity.check_stored(plan.device)
    yield from parity.compare_with_plain(build_model(plan.size, plan.checkpoint, plan.device))


def _step(plan: Plan, machine: Machine) -> Iterator[Outcome]:
    began, peak = time.perf_counter(), planned.find_peak(machine)
    training, methods = plan.size.training(plan.experiment), _methods(plan.experiment)
    model = build_model(plan.size, plan.checkpoint, plan.device)
    config = model.config
    yield from step.measure_steps(model, training, methods, num_steps=plan.size.num_steps, peak=peak)
    del model
    release_memory()  # which the ranks need
    seconds = {}
    for name, method in methods.items():
        if time.perf_counter() - began > SECONDS_OF_PART / 2:
            yield Skipped(what=f"{name}: steps under ZeRO", why="the part had used half of its time")
            continue
        outcomes = zero.measure_zero(
            name,
            method,
            training,
            config,
            size=plan.size_name,
            checkpoint=plan.checkpoint,
            num_devices=plan.num_devices,
            device=plan.device.type,
            threads=plan.threads,
            peak=peak,
        )
        for outcome in outcomes:
            if isinstance(outcome, Measurement) and outcome.quantity == step.TIME:
                seconds[name] = outcome.value
            yield outcome
    if len(seconds) == len(methods):
        yield step.compare_methods(seconds, subject="optimiser step under ZeRO")


def _sample(plan: Plan, machine: Machine) -> Iterator[Outcome]:
    model = build_model(plan.size, plan.checkpoint, plan.device)
    experiment, has_random_weights = plan.experiment, plan.checkpoint is None
    assert experiment.sampling.tokens_per_step is not None, "require_suitable has checked it"
    bench = sample.Bench(
        model=model,
        sampling=experiment.sampling,
        mask_token_id=model.config.mask_token_id,
        eos_token_id=find_eos(plan.size, plan.checkpoint),
        imposes_ends=has_random_weights,
        is_exact=plan.size.dtype == torch.float32,
        peak=planned.find_peak(machine),
    )
    rows = sample.list_rows(
        plan.size,
        read_prompts(plan, num_usual_ids(model.config)),
        experiment.sampling.tokens_per_step,
        has_random_weights=has_random_weights,
    )
    yield from sample.measure_rows(bench, rows, seconds_left=SECONDS_OF_PART)


def read_prompts(plan: Plan, num_ids: int) -> dict[str, list[list[int]]]:
    """Return the prompts of each benchmark: the first questions of each file, or random ids below a number.

    Args:
        plan: what is to be verified, with the files.
        num_ids: ids of random prompts are below this number.

    Returns:
        Token ids of eight prompts for each benchmark.

    Raises:
        ConfigError: a file has fewer than eight questions.
    """
    if not plan.questions or plan.checkpoint is None:
        return sample.random_questions(num_ids)
    from weft.data.encoding import encode_prompt
    from weft.loading import load_tokenizer

    tokenizer = load_tokenizer(plan.checkpoint)
    prompts = {}
    for file in plan.questions:
        questions = read_lines(file, Question, error=ConfigError)[:NUM_QUESTIONS]
        if len(questions) < NUM_QUESTIONS:
            raise ConfigError(
                f"{file} must have at least {NUM_QUESTIONS} questions, got {len(questions)}; write it with "
                "weft data benchmark"
            )
        prefill = plan.experiment.sampling.prefill
        prompts[questions[0].benchmark] = [
            encode_prompt(tokenizer, question.prompt, prefill=prefill) for question in questions
        ]
    return prompts


def _methods(experiment: FineTuning) -> Mapping[str, Method]:
    """Return the control and the method of the main contrast, by name."""
    assert experiment.main_contrast is not None, "require_suitable has checked it"
    method, control = experiment.main_contrast
    return {name: experiment.methods[name] for name in (control, method)}


PART_FUNCTIONS: Mapping[PartName, Callable[[Plan, Machine], Iterator[Outcome]]] = {
    "parity": _parity,
    "step": _step,
    "sample": _sample,
}
"""Name of a part -> function that measures it."""

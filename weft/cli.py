"""The command line: one subcommand per rule, and the only place where rooms meet.

Heavy libraries are imported inside the subcommands that need them, so that scoring and planning
start at once.
"""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from weft.config import (
    BASE_RUN,
    FineTuning,
    Run,
    StoredGenerations,
    find_experiment,
    list_runs,
    load_experiment,
    read_settings,
)
from weft.config.pins import pins_path
from weft.config.sources import (
    GeneratedBenchmark,
    HubFile,
    HubModel,
    JsonlData,
    OwnBenchmark,
    PublishedBenchmark,
    ScratchModel,
)
from weft.errors import ConfigError, DataError
from weft.provenance import digest, file_sha256, write_sidecar

app = typer.Typer(
    help="Weighted entropy-driven fine-tuning of masked diffusion language models, reproduced.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
data_app = typer.Typer(
    help="Make or fetch questions, training examples and the base model.", no_args_is_help=True
)
report_app = typer.Typer(help="Tables, figures and the report page.", no_args_is_help=True)
config_app = typer.Typer(help="Look at experiment files.", no_args_is_help=True)
app.add_typer(data_app, name="data")
app.add_typer(report_app, name="report")
app.add_typer(config_app, name="config")

RANK_MARK = "WEFT_TRAINING_KEY"
"""Environment variable by which the launcher tells a rank that it is one, and for which settings."""

PROBE_MARK = "WEFT_PROBE_KEY"
"""Environment variable with the name under which the base model's uncertainties are kept."""

ExperimentOption = Annotated[str, typer.Option("--experiment", help="Experiment file, or its name.")]
OutOption = Annotated[Path, typer.Option("--out", help="What to write.")]
OfflineOption = Annotated[
    list[str] | None, typer.Option("--offline", help="Folder to search before a download.")
]
DeviceOption = Annotated[str, typer.Option("--device", help="cpu, cuda, or auto.")]
ThreadsOption = Annotated[int, typer.Option("--threads", min=1, help="CPU threads of a model process.")]


class Rules(StrEnum):
    """Rule sets of ``weft score``."""

    d1 = "d1"
    strict = "strict"


class Form(StrEnum):
    """What ``weft export`` writes."""

    checkpoint = "checkpoint"
    adapter = "adapter"


@data_app.command("benchmark")
def data_benchmark(
    experiment: ExperimentOption, benchmark: str, out: OutOption, offline: OfflineOption = None
) -> None:
    """Write the test questions of one benchmark."""
    from weft.benchmarks.own import load_own_file
    from weft.data.benchmarks import generate_questions, read_own, write_jsonl

    described = _fine_tuning(experiment)
    if benchmark not in described.benchmarks:
        raise ConfigError(f"benchmark must be one of {sorted(described.benchmarks)}, got {benchmark!r}")
    source = described.benchmarks[benchmark]
    inputs: list[Path] = []
    notes: dict[str, Any] = {}
    if isinstance(source, GeneratedBenchmark):
        rows = generate_questions(benchmark, source)
    elif isinstance(source, OwnBenchmark):
        rows = read_own(benchmark, load_own_file(source.path), num_examples=source.num_examples)
        inputs = [Path(source.path)]
    else:
        pins = pins_path(find_experiment(experiment))
        rows, notes = _published_questions(benchmark, source, out, _offline(offline), pins=pins)
    write_jsonl(rows, out)
    _record(out, described, seed=getattr(source, "seed", None), inputs=inputs, notes=notes)
    typer.echo(f"{benchmark}: {len(rows)} questions -> {out}")


@data_app.command("dataset")
def data_dataset(
    experiment: ExperimentOption, dataset: str, out: OutOption, offline: OfflineOption = None
) -> None:
    """Write the training examples of one data set as text."""
    from weft.data.benchmarks import write_jsonl
    from weft.data.datasets import drop_repeats, load_examples
    from weft.data.instructions import describe_instruction
    from weft.data.remote import fetch_hub_file, record_hub_file

    described = _fine_tuning(experiment)
    if dataset not in described.datasets:
        raise ConfigError(f"dataset must be one of {sorted(described.datasets)}, got {dataset!r}")
    source = described.datasets[dataset]
    folders = _offline(offline)
    pins = pins_path(find_experiment(experiment))
    examples = load_examples(dataset, source, offline=folders, pins=pins)
    num_repeated = 0
    if isinstance(source, JsonlData):  # published sets are kept as published
        examples, num_repeated = drop_repeats(examples)
    files = []
    for file in getattr(source, "files", []):
        files.append(fetch_hub_file(file, offline=folders, pins=pins))
        record_hub_file(file, files[-1], pins=pins)
    write_jsonl((example.as_record() for example in examples), out)
    instruction = describe_instruction(getattr(source, "instruction", "none"))
    notes = _used_files(files) | {"instruction": instruction, "num_repeated": num_repeated}
    _record(out, described, notes=notes)
    repeated = f" ({num_repeated} repeated lines left out)" if num_repeated else ""
    typer.echo(f"{dataset}: {len(examples)} examples{repeated} -> {out}")


@data_app.command("prepare")
def data_prepare(
    experiment: ExperimentOption,
    examples: Annotated[Path, typer.Option(help="Training examples as text.")],
    questions: Annotated[list[Path], typer.Option(help="Test questions that must not be trained on.")],
    base: Annotated[Path, typer.Option(help="Checkpoint directory with the tokenizer.")],
    out: OutOption,
) -> None:
    """Tokenise training examples; refuse them if a test question is among them."""
    from weft.data.benchmarks import read_jsonl
    from weft.data.examples import Example, find_leaks
    from weft.data.prepare import describe_summary, prepare_examples
    from weft.model import load_tokenizer, read_config

    described = _fine_tuning(experiment)
    texts = [Example.from_record(row) for row in read_jsonl(examples)]
    leaked = find_leaks(texts, [row["question"] for file in questions for row in read_jsonl(file)])
    if leaked and described.forbid_test_questions:
        raise DataError(
            f"training and test questions must differ, {len(leaked)} are in both, first {leaked[:3]}; "
            "remove them from the training set, or set forbid_test_questions: false to only count them"
        )
    tokenizer = load_tokenizer(base, mask_token_id=read_config(base).mask_token_id)
    with _finished_directory(out) as folder:
        summary = prepare_examples(
            texts,
            tokenizer,
            folder,
            max_length=described.training.max_length,
            heldout_share=described.training.heldout_share,
            layout=described.training.example_layout,
        )
    _record(out, described, inputs=[examples], notes={"summary": summary, "num_test_questions": len(leaked)})
    typer.echo(f"{describe_summary(summary)} -> {out}")


@data_app.command("base")
def data_base(
    experiment: ExperimentOption,
    out: OutOption,
    offline: OfflineOption = None,
    retrained: Annotated[Path | None, typer.Option(help="Checkpoint trained anew, to be used.")] = None,
) -> None:
    """Put the base model into place: the shipped one, one trained anew, or a download."""
    from weft.data.base import locate_base
    from weft.data.remote import model_files, record_hub_model, resolved_commit
    from weft.model import read_config

    described = _fine_tuning(experiment)
    pins = pins_path(find_experiment(experiment))
    source = retrained or locate_base(described.base_model, offline=_offline(offline), pins=pins)
    read_config(source)
    if isinstance(described.base_model, HubModel):
        record_hub_model(described.base_model, source, pins=pins)
    with _finished_directory(out) as folder:
        for file in model_files(source):
            _link_or_copy(file, folder / file.name)
    origin = described.base_model.model_dump(mode="json", exclude={"recipe"})
    _record(out, described, notes={"source": origin, "commit_used": resolved_commit(source)})
    typer.echo(f"base model {source} -> {out}")


@app.command()
def pretrain(experiment: ExperimentOption, out: OutOption, threads: ThreadsOption = 2) -> None:
    """Train the base model of an experiment from scratch."""
    from weft.training.pretrain import pretrain as run_pretraining

    described = _fine_tuning(experiment)
    if not isinstance(described.base_model, ScratchModel):
        raise ConfigError(
            f"base_model.source must be 'scratch' to train it, got {described.base_model.source!r}"
        )
    os.environ["OMP_NUM_THREADS"] = str(threads)
    state = _state_folder(out, digest(described.base_model.recipe.model_dump(mode="json")))
    with _only_writer(out), _finished_directory(out) as folder:
        log = run_pretraining(described.base_model.recipe, folder, state=state)
        notes = {"recipe": described.base_model.recipe.model_dump(mode="json"), "log": log}
        (folder / "pretraining.json").write_text(json.dumps(notes, indent=1) + "\n")
    _record(out, described, seed=described.base_model.recipe.seed, notes=notes)
    shutil.rmtree(state)


@app.command()
def train(
    experiment: ExperimentOption,
    run: Annotated[str, typer.Option(help="Which run, for example weft-s1k-seed1.")],
    base: Annotated[Path, typer.Option(help="Checkpoint directory of the base model.")],
    prepared: Annotated[Path, typer.Option(help="Prepared examples.")],
    out: OutOption,
    processes: Annotated[int, typer.Option(min=1, help="DeepSpeed ranks on this machine.")] = 1,
    threads: ThreadsOption = 1,
    workers: Annotated[int, typer.Option(min=0, help="Processes that load examples, per rank.")] = 0,
    device: DeviceOption = "auto",
) -> None:
    """Fine-tune one model.  Starts the ranks through DeepSpeed's launcher, unless it is a rank itself."""
    described = _fine_tuning(experiment)
    chosen = _find_run(described, run)
    if RANK_MARK not in os.environ:
        from weft.training.deepspeed import accumulation_steps, launch_command, launch_environment

        try:
            accumulation_steps(described.training, num_processes=processes)
        except ValueError as error:
            raise ConfigError(str(error)) from error
        files = ["--base", str(base), "--prepared", str(prepared), "--out", str(out)]
        arguments = ["train", "--experiment", experiment, "--run", run, "--workers", str(workers), *files]
        command = launch_command(arguments, num_processes=processes)
        environment = launch_environment(device=_device(device), threads_per_process=threads)
        # A checkpoint may be resumed only under the settings, inputs and number of ranks that made it.
        method, training = described.methods[chosen.method], described.training
        inputs = [file_sha256(base), file_sha256(prepared)]
        settings = [training.model_dump(mode="json"), method.model_dump(mode="json")]
        environment[RANK_MARK] = digest([*settings, *inputs, processes])
        # The base model's uncertainties depend on less, so that methods and seeds share them.
        asked = {
            name: getattr(method, name) for name in ("rate_source", "padding_probed", "padding_reference")
        }
        environment[PROBE_MARK] = digest([*inputs, training.max_length, training.dtype, asked])
        os.execvpe(command[0], command, environment)  # noqa: S606 - no shell; signals reach the launcher directly
    from weft.training.finetune import FineTuningFiles, finetune

    is_first = os.environ["RANK"] == "0"
    state = _state_folder(out, os.environ[RANK_MARK], clear=is_first)
    growing = out.with_name(f".{out.name}.new")

    def finish() -> None:
        if out.exists():
            shutil.rmtree(out)
        growing.replace(out)
        _record(out, described, seed=chosen.seed, inputs=[base, prepared], notes={"run": run})

    with _only_writer(out, wanted=is_first):
        finetune(
            described,
            chosen,
            FineTuningFiles(
                base=base,
                prepared=prepared,
                out=growing,
                state=state,
                frozen_probe=out.parent / ".probes" / f"{os.environ[PROBE_MARK]}.safetensors",
            ),
            num_workers=workers,
            finish=finish,
        )
        if is_first:
            shutil.rmtree(state, ignore_errors=True)


@app.command()
def probe(
    experiment: ExperimentOption,
    base: Annotated[Path, typer.Option(help="Checkpoint directory of the base model.")],
    prepared: Annotated[Path, typer.Option(help="Prepared examples.")],
    out: OutOption,
    threads: ThreadsOption = 1,
    device: DeviceOption = "auto",
) -> None:
    """Write the entropy of every answer token of a training set under the base model."""
    from weft.model import load_tokenizer
    from weft.training.probe import probe_dataset

    described = _fine_tuning(experiment)
    model = _load(base, described.training.dtype, device, threads)
    tokenizer = load_tokenizer(base, mask_token_id=model.config.mask_token_id)
    frame = probe_dataset(
        model,
        tokenizer,
        prepared,
        max_length=described.training.max_length,
        batch_size=described.training.micro_batch_size,
    )
    _write_parquet(frame, out)
    _record(out, described, inputs=[base, prepared], device=str(model.device))


@app.command()
def gradients(
    experiment: ExperimentOption,
    base: Annotated[Path, typer.Option(help="Checkpoint directory of the base model.")],
    prepared: Annotated[Path, typer.Option(help="Prepared examples.")],
    out: OutOption,
    threads: ThreadsOption = 1,
    device: DeviceOption = "auto",
) -> None:
    """Compare the methods' gradients at the base model: whose they are, and how much they vary."""
    import datasets

    from weft.data.collate import PadToLength
    from weft.model import load_tokenizer
    from weft.training.gradients import study_gradients

    described = _fine_tuning(experiment)
    study, training = described.gradient_study, described.training
    if study is None:
        raise ConfigError("gradient_study must be in the experiment for this step, it is not there")
    model = _load(base, "float32", device, threads)
    tokenizer = load_tokenizer(base, mask_token_id=model.config.mask_token_id)
    examples = list(datasets.load_from_disk(str(prepared)).take(study.num_examples))
    batch = PadToLength(max_length=training.max_length, pad_token_id=tokenizer.pad_token_id)(examples)
    frame = study_gradients(
        model,
        {name: tensor.to(model.device) for name, tensor in batch.items()},
        described.methods,
        study,
        target_modules=None if training.lora is None else training.lora.target_modules,
        t_min=training.t_min,
        mask_token_id=tokenizer.mask_token_id,
    )
    _write_parquet(frame, out)
    _record(out, described, seed=study.seed, inputs=[base, prepared], device=str(model.device))


@app.command()
def sample(
    experiment: ExperimentOption,
    run: Annotated[str, typer.Option(help="Which run, or 'base'.")],
    questions: Annotated[Path, typer.Option(help="Test questions.")],
    gen_length: Annotated[int, typer.Option(help="Length of the answers, in tokens.")],
    base: Annotated[Path, typer.Option(help="Checkpoint directory of the base model.")],
    out: OutOption,
    adapter: Annotated[
        Path | None,
        typer.Option(help="What the run made: a PEFT adapter, or the directory of a full checkpoint."),
    ] = None,
    threads: ThreadsOption = 1,
    device: DeviceOption = "auto",
) -> None:
    """Answer the questions of one benchmark; an interrupted job goes on where it stopped."""
    from weft.sampling.job import SamplingJob, run_job

    described = _fine_tuning(experiment)
    chosen = _find_run(described, run)
    if (adapter is None) != (chosen.method == BASE_RUN):
        raise ConfigError(f"--adapter must be given for a fine-tuned run and only then; run is {run!r}")
    model = _load(base, described.sampling.dtype, device, threads, adapter=adapter)
    content = [
        described.sampling.model_dump(mode="json"),
        gen_length,
        file_sha256(questions),
        file_sha256(base),
    ]
    job = SamplingJob(
        sampling=described.sampling,
        gen_length=gen_length,
        model_name=f"{described.name}/{run}",
        seed=chosen.seed,
        digest=digest([*content, file_sha256(adapter) if adapter else None]),
    )
    with _only_writer(out):
        run_job(job, model, tokenizer_folder=base, questions=questions, out=out)
    inputs = [questions, base] + ([adapter] if adapter else [])
    _record(out, described, seed=chosen.seed, inputs=inputs, device=str(model.device))


@app.command()
def export(
    base: Annotated[Path, typer.Option(help="Checkpoint directory of the base model.")],
    out: OutOption,
    tuned: Annotated[
        Path | None, typer.Option(help="What fine-tuning made: an adapter or a full checkpoint.")
    ] = None,
    form: Annotated[
        Form, typer.Option(help="A whole model, adapter merged, or the adapter under published names.")
    ] = Form.checkpoint,
) -> None:
    """Write a model or an adapter in its published form, for other tools.

    They bring code of their own for the network, or take it from the published repository: Python files
    named in config.json's auto_map must then be put beside the result.
    """
    from weft.model import export_adapter, load_tuned, merge_adapter, save_model
    from weft.model.checkpoint import read_family, stored_dtype
    from weft.model.tokenizer import TOKENIZER_FILES

    inputs = [base, *([tuned] if tuned else [])]
    for source in inputs:
        if out.resolve() in (source.resolve(), *source.resolve().parents):
            raise ConfigError(f"--out must be another directory than what is read, got {out} for {source}")
    family = read_family(base)
    if form is Form.adapter:
        if tuned is None:
            raise ConfigError("--tuned must name the adapter for --form adapter")
        with _finished_directory(out) as folder:
            made = f"adapter of {export_adapter(tuned, folder, family=family)} modules"
    else:
        is_whole = tuned is not None and not (tuned / "adapter_config.json").exists()
        dtype = stored_dtype(tuned if tuned is not None and is_whole else base)
        model = merge_adapter(load_tuned(base, tuned, dtype))
        with _finished_directory(out) as folder:
            save_model(model, folder)
            for name in TOKENIZER_FILES:
                if (base / name).exists():
                    shutil.copyfile(base / name, folder / name)
        made = f"checkpoint of {model.num_parameters():,} parameters in {str(dtype).removeprefix('torch.')}"
    write_sidecar(out, settings={"form": form.value}, experiment="", inputs=inputs)
    typer.echo(f"{family}: {made} -> {out}")


@app.command()
def score(
    files: Annotated[list[Path], typer.Argument(help="Generations: our JSONL or d1's JSON.")],
    benchmark: Annotated[
        str, typer.Option(help="Whose rules: sudoku, countdown, gsm8k, math500, or any name with --own.")
    ],
    out: OutOption,
    rules: Annotated[Rules, typer.Option(help="Rule set.")] = Rules.d1,
    own: Annotated[
        Path | None, typer.Option(help="Python file of an own benchmark; it is run (docs/own-benchmarks.md).")
    ] = None,
) -> None:
    """Judge generations, in file order, and print one summary line."""
    from tqdm import tqdm

    from weft.benchmarks import SCORERS, find_scorer
    from weft.benchmarks.own import load_own_file
    from weft.benchmarks.scoring import (
        read_files,
        require_harmless,
        score_generations,
        summarise,
        write_scores,
    )

    if (benchmark in SCORERS) == (own is not None):
        raise ConfigError(
            f"--benchmark must be one of {list(SCORERS)}, or another name together with --own FILE, "
            f"got {benchmark!r} {'with' if own else 'without'} --own"
        )
    require_harmless(out, [*files, *([own] if own else [])])
    scorer = load_own_file(own).score if own else find_scorer(benchmark, rules.value)
    generations = read_files(files, benchmark)
    # shown in a terminal only, and gone at the end
    progress = tqdm(
        generations, desc=f"{benchmark} ({rules.value})", unit="answer", leave=False, disable=None
    )
    records = list(score_generations(progress, scorer=scorer, rules=rules.value))
    write_scores(records, out)
    summary = summarise(records)
    typer.echo(
        f"{benchmark} ({rules.value}): accuracy {100 * summary['accuracy']:.2f} % of {summary['n']} "
        "examples, "
        f"{summary['num_correct']} correct, {summary['num_unscorable']} unscorable -> {out}"
    )


@report_app.command("tables")
def report_tables(experiment: ExperimentOption, root: Path, out: OutOption) -> None:
    """Compute statistics from scores and write the tables."""
    from weft.report.tables import make_tables

    described = load_experiment(find_experiment(experiment))
    make_tables(described, root, out)
    for line in (out / "headline.md").read_text().splitlines():
        typer.echo(line)
    _record(out / "scores.csv", described, inputs=[root / "scores"])


@report_app.command("figures")
def report_figures(
    experiment: ExperimentOption,
    root: Path,
    out: OutOption,
    tables: Annotated[Path, typer.Option(help="Folder with the tables.")],
) -> None:
    """Draw the figures."""
    from weft.report.figures import make_figures

    make_figures(load_experiment(find_experiment(experiment)), root, tables, out)


@report_app.command("page")
def report_page(
    experiment: ExperimentOption,
    root: Path,
    out: OutOption,
    tables: Annotated[Path, typer.Option(help="Folder with the tables.")],
    figures: Annotated[Path, typer.Option(help="Folder with the figures.")],
) -> None:
    """Write the self-contained report page."""
    from weft.report.load import load_samples
    from weft.report.page import make_page

    described = load_experiment(find_experiment(experiment))
    samples = load_samples(described, root, num_per_verdict=1) if isinstance(described, FineTuning) else []
    make_page(described, root, tables, figures, out, samples=samples)


@app.command()
def plan(
    experiment: Annotated[str, typer.Argument(help="Experiment file, or its name.")],
    offline: OfflineOption = None,
) -> None:
    """Say what an experiment will do, and what it needs from outside."""
    from weft.config.plan import plan_lines

    file = find_experiment(experiment)
    for line in plan_lines(load_experiment(file), offline=_offline(offline), pins=pins_path(file)):
        typer.echo(line)


@app.command()
def doctor(
    build: Annotated[
        bool, typer.Option("--build", help="Compile what DeepSpeed needs on this machine.")
    ] = False,
) -> None:
    """Say what this machine offers."""
    from weft.training.environment import build_extensions, machine_lines

    if build:
        build_extensions()
    for line in machine_lines(read_settings(Path("config.yaml")).offline):
        typer.echo(line)


@app.command()
def bench(threads: ThreadsOption = 2) -> None:
    """Measure speed as ratios in one run."""
    from weft.training.bench import bench_training

    for line in bench_training(threads=threads):
        typer.echo(line)


@config_app.command("show")
def config_show(experiment: str) -> None:
    """Print an experiment with every value filled in."""
    import yaml

    described = load_experiment(find_experiment(experiment))
    typer.echo(
        yaml.safe_dump(described.model_dump(mode="json"), sort_keys=False, allow_unicode=True), nl=False
    )


@config_app.command("docs")
def config_docs() -> None:
    """Print docs/config.md, made from the descriptions of the settings."""
    from weft.config.document import document

    typer.echo(document(), nl=False)


def _fine_tuning(experiment: str) -> FineTuning:
    described = load_experiment(find_experiment(experiment))
    if isinstance(described, StoredGenerations):
        raise ConfigError(
            f"experiment {described.name!r} must be of kind fine-tuning for this step, got generations"
        )
    return described


def _find_run(experiment: FineTuning, run_id: str) -> Run:
    runs = {run.run_id: run for run in list_runs(experiment)}
    if run_id not in runs:
        raise ConfigError(f"run must be one of {sorted(runs)}, got {run_id!r}")
    return runs[run_id]


def _offline(folders: list[str] | None) -> list[str]:
    """Take the folders that were given, or those of config.yaml."""
    return folders or read_settings(Path("config.yaml")).offline


def _device(name: str) -> str:
    if name != "auto":
        return name
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _load(base: Path, dtype: str, device: str, threads: int, *, adapter: Path | None = None) -> Any:
    import torch

    from weft.model import load_tuned

    torch.set_num_threads(threads)
    return load_tuned(base, adapter, getattr(torch, dtype)).to(_device(device))


def _record(
    result: Path,
    experiment: FineTuning | StoredGenerations,
    *,
    seed: int | None = None,
    inputs: list[Path] | None = None,
    device: str = "cpu",
    notes: dict[str, Any] | None = None,
) -> None:
    write_sidecar(
        result,
        settings=experiment.model_dump(mode="json"),
        experiment=experiment.name,
        seed=seed,
        inputs=inputs or [],
        device=device,
        notes=notes,
    )


def _published_questions(
    benchmark: str, source: PublishedBenchmark, out: Path, offline: list[str], *, pins: Path
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Fetch a published benchmark; return its questions, and what to note in their provenance."""
    from weft.data.benchmarks import read_published
    from weft.data.instructions import describe_instruction, find_instruction
    from weft.data.remote import fetch_hub_file, fetch_web_file, record_hub_file

    if isinstance(source.file, HubFile):
        file = fetch_hub_file(source.file, offline=offline, pins=pins)
    else:
        file = out.with_name(f"{benchmark}.source{Path(source.file.offline).suffix}")
        fetch_web_file(source.file, file, offline=offline)
    text = find_instruction(source.instruction, offline=offline)
    rows = read_published(benchmark, file, num_examples=source.num_examples, instruction=text)
    if isinstance(source.file, HubFile):
        record_hub_file(source.file, file, pins=pins)
    return rows, _used_files([file]) | {"instruction": describe_instruction(source.instruction)}


def _used_files(files: list[Path]) -> dict[str, Any]:
    from weft.data.remote import resolved_commit

    used = [
        {"file": file.name, "commit": resolved_commit(file), "sha256": file_sha256(file)} for file in files
    ]
    return {"files": used}


def _state_folder(out: Path, key: str, *, clear: bool = True) -> Path:
    """Where a job keeps what it needs to resume: beside the output, unknown to Snakemake.

    The key stands for everything that the result depends on; what other keys left behind is removed.
    """
    folder = out.with_name(f".{out.name}.{key[:12]}.state")
    for other in out.parent.glob(f".{out.name}.*.state") if clear else ():
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def _finished_directory(out: Path) -> Iterator[Path]:
    """Give a folder that gets its final name only when everything in it has been written."""
    growing = out.with_name(f".{out.name}.new")
    shutil.rmtree(growing, ignore_errors=True)
    growing.mkdir(parents=True)
    yield growing
    shutil.rmtree(out, ignore_errors=True)
    growing.replace(out)


@contextmanager
def _only_writer(out: Path, *, wanted: bool = True) -> Iterator[None]:
    """Wait until no other process works on the same output; a killed workflow may leave one running."""
    from filelock import FileLock

    if not wanted:
        yield
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(out.with_name(f".{out.name}.lock")):
        yield


def _write_parquet(frame: Any, out: Path) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    growing = out.with_name(f".{out.name}.new")
    frame.to_parquet(growing, index=False)
    growing.replace(out)


def _link_or_copy(source: Path, target: Path) -> None:
    """Hard-link large files where the file system allows it."""
    try:
        target.hardlink_to(source.resolve())
    except OSError:
        shutil.copyfile(source, target)

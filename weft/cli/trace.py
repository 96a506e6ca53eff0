"""``weft trace``: show step by step how a model unmasks an answer."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from weft.cli.shared import (
    AdapterOption,
    BaseOption,
    DeviceOption,
    ThreadsOption,
    app,
    load_for_sampling,
    load_sampled,
    require_adapter_of,
    save_provenance,
)
from weft.config import Run, Sampled
from weft.errors import ConfigError, DataError
from weft.layout import ResultLayout
from weft.records import Question

MAX_IDS_NAMED = 5
"""Maximum number of example ids in an error message."""


@app.command()
def trace(
    base: BaseOption,
    experiment: Annotated[
        str,
        typer.Option("--experiment", help="Path or name of the experiment file with the sampling settings."),
    ] = "tiny",
    adapter: AdapterOption = None,
    run: Annotated[
        str | None,
        typer.Option(
            help="Run of the experiment to which the model belongs, or 'base'; for title and caption."
        ),
    ] = None,
    question: Annotated[str | None, typer.Option(help="Text of a question.")] = None,
    questions: Annotated[
        list[Path] | None, typer.Option(help="File of test questions; may be given several times.")
    ] = None,
    example: Annotated[str, typer.Option(help="Number of the question, from 1, or its example_id.")] = "1",
    gen_length: Annotated[
        int | None,
        typer.Option(min=1, help="Length of the answer, in tokens; by default the experiment's longest."),
    ] = None,
    every: Annotated[int, typer.Option(min=1, help="Print every Nth step only.")] = 1,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print the answers only.")] = False,
    out: Annotated[Path | None, typer.Option("--out", help="HTML page to write.")] = None,
    threads: ThreadsOption = 1,
    device: DeviceOption = "auto",
) -> None:
    """Answer a question, and show the tokens revealed in each step with the model's confidence."""
    described = load_sampled(experiment)
    if (question is None) == (not questions):
        given = "neither" if question is None else "both"
        raise ConfigError(f"either --question TEXT or --questions FILE must be given, got {given}")
    chosen = None if run is None else described.find_run(run)
    if chosen is not None:
        require_adapter_of(described, chosen, adapter)

    from rich.console import Console

    from weft.model import load_tokenizer
    from weft.sampling.files import read_questions
    from weft.sampling.job import SamplingJob
    from weft.trace.job import custom_question, trace_questions
    from weft.trace.terminal import print_answer, print_trace

    files = {file: list(read_questions(file).values()) for file in questions or []}
    examples = _find_examples(files, example) if files else [([custom_question(question or "")], 0)]
    job = SamplingJob(
        sampling=described.sampling,
        gen_length=gen_length or max(described.gen_lengths),
        special_tokens=described.special_tokens,
    )
    model = load_for_sampling(described, base, device, threads, adapter=adapter)
    tokenizer = load_tokenizer(base, mask_token_id=getattr(model.config, "mask_token_id", None))
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # replace characters that the terminal lacks
    console = Console(highlight=False, markup=False, emoji=False)
    traces = []
    for rows, index in examples:
        traces += trace_questions(job, model, tokenizer, rows, [index])
        if quiet:
            print_answer(console, traces[-1])
        else:
            print_trace(console, traces[-1], every=every)
    if out is not None:
        model_paths = [base, *([adapter] if adapter else [])]
        _write_page(traces, out, described, chosen, model=model, model_paths=model_paths)
        seed = chosen.seed if chosen else None
        inputs = [*(questions or []), *model_paths]
        notes = {"run": run} if run else None
        save_provenance(out, described, seed=seed, inputs=inputs, device=str(model.device), notes=notes)
        typer.echo(f"page with every step -> {out}")


def _write_page(
    traces: Sequence[Any],
    out: Path,
    experiment: Sampled,
    run: Run | None,
    *,
    model: Any,
    model_paths: Sequence[Path],
) -> None:
    """Write `weft.trace.collect.Trace` objects as a page whose title names the run or the model."""
    from weft.report.labels import benchmark_name, full_caption, run_label
    from weft.trace.page import write_trace_page

    sampling = experiment.sampling
    settings = {
        "experiment": experiment.name,
        "run": run.run_id if run else "none",
        "parameters": f"{model.num_parameters():,} in {sampling.dtype}",
        "seed of the noise": "no noise" if sampling.seed is None else str(sampling.seed),
    }
    names = [trace.question.benchmark for trace in traces]
    model_name = " with ".join(path.resolve().name for path in model_paths)
    write_trace_page(
        traces,
        out,
        title=f"An answer step by step: {run_label(run) if run else model_name}",
        settings=settings,
        headings=[benchmark_name(experiment, name) if name else "Question" for name in names],
        caption=full_caption(experiment) if run else "",  # it describes the experiment's runs only
        report=_link_to_report(experiment, run, out),
    )


def _link_to_report(experiment: Sampled, run: Run | None, out: Path) -> str | None:
    """Return the link to the report if the page has its place in the experiment's results."""
    layout = ResultLayout.of(experiment.name)
    if run is None or out.resolve() != layout.trace(run.run_id).resolve():
        return None
    return Path(os.path.relpath(layout.page, out.parent)).as_posix()


def _find_examples(files: dict[Path, list[Question]], example: str) -> list[tuple[list[Question], int]]:
    """Return the question with this id from any file, or the question with this number from every file.

    Each question is returned as all questions of its file and its index in the file.
    """
    for file, rows in files.items():
        if not rows:
            raise DataError(f"{file} must contain questions, got none; create the file again")
    for rows in files.values():
        for index, question in enumerate(rows):
            if question.example_id == example:
                return [(rows, index)]
    shortest = min(map(len, files.values()))
    if example.isascii() and example.isdigit() and 1 <= int(example) <= shortest:
        return [(rows, int(example) - 1) for rows in files.values()]
    names = [question.example_id for rows in files.values() for question in rows]
    more = f" and {len(names) - MAX_IDS_NAMED} more" if len(names) > MAX_IDS_NAMED else ""
    raise ConfigError(
        f"--example must be a number from 1 to {shortest}, or one of {names[:MAX_IDS_NAMED]}{more}, "
        f"got {example!r}"
    )

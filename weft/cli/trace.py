"""Command ``weft trace``: show step by step how a model fills in one answer."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from weft.cli.shared import (
    AdapterOption,
    BaseOption,
    DeviceOption,
    ThreadsOption,
    app,
    load_fine_tuning,
    load_for_sampling,
    require_adapter_of,
    save_provenance,
)
from weft.config import FineTuning
from weft.errors import ConfigError, DataError
from weft.records import Question

MAX_IDS_NAMED = 5
"""Example ids named in an error message."""


@app.command()
def trace(
    base: BaseOption,
    experiment: Annotated[
        str,
        typer.Option("--experiment", help="Experiment file, or its name, whose sampling settings are used."),
    ] = "tiny",
    adapter: AdapterOption = None,
    run: Annotated[
        str | None,
        typer.Option(
            help="Run of the experiment that the model belongs to, or 'base'; for title and caption."
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
    """Answer a question and show after each step what is revealed, and how confident the model is."""
    described = load_fine_tuning(experiment)
    if (question is None) == (not questions):
        raise ConfigError(
            "either --question TEXT or --questions FILE must be given, got "
            + ("neither" if question is None else "both")
        )
    title, caption = _heading(described, run, base, adapter)

    from rich.console import Console

    from weft.model import load_tokenizer
    from weft.sampling.files import read_questions
    from weft.sampling.job import SamplingJob
    from weft.trace.job import custom_question, trace_questions
    from weft.trace.terminal import print_answer, print_trace

    files = {str(file): list(read_questions(file).values()) for file in questions or []}
    asked = _find_examples(files, example) if files else [([custom_question(question or "")], 0)]
    sampling = described.sampling
    job = SamplingJob(
        sampling=sampling, gen_length=max(sampling.gen_lengths) if gen_length is None else gen_length
    )
    model = load_for_sampling(described, base, device, threads, adapter=adapter)
    tokenizer = load_tokenizer(base, mask_token_id=getattr(model.config, "mask_token_id", None))
    if hasattr(sys.stdout, "reconfigure"):  # characters that the terminal lacks are replaced
        sys.stdout.reconfigure(errors="replace")
    console = Console(highlight=False, markup=False, emoji=False)
    traces = []
    for rows, index in asked:
        traces += trace_questions(job, model, tokenizer, rows, [index])
        if quiet:
            print_answer(console, traces[-1])
        else:
            print_trace(console, traces[-1], every=every)
    if out is not None:
        _write_page(out, described, traces, title=title, caption=caption, model=model, run=run)
        inputs = [*(questions or []), base, *([adapter] if adapter else [])]
        seed = None if run is None else described.find_run(run).seed
        save_provenance(out, described, seed=seed, inputs=inputs, device=str(model.device))
        typer.echo(f"page with every step -> {out}")


def _heading(described: FineTuning, run: str | None, base: Path, adapter: Path | None) -> tuple[str, str]:
    """Return title and caption of the page; the experiment's caption is used for its own runs only."""
    from weft.report.labels import full_caption, run_label

    if run is None:
        name = base.resolve().name
        return (f"{name} with {adapter.resolve().name}" if adapter else name), ""
    chosen = described.find_run(run)
    require_adapter_of(chosen, adapter)
    return run_label(chosen), full_caption(described)


def _find_examples(files: dict[str, list[Question]], example: str) -> list[tuple[list[Question], int]]:
    """Return the question with this id from any file, or the one with this number from every file.

    Each question is returned as all questions of its file and its index in the file.
    """
    empty = [file for file, rows in files.items() if not rows]
    if empty:
        raise DataError(f"{empty[0]} must have questions, got none; make the file again")
    ids = [
        (question.example_id, rows, index) for rows in files.values() for index, question in enumerate(rows)
    ]
    matches = [(rows, index) for example_id, rows, index in ids if example_id == example]
    if matches:
        return matches[:1]
    shortest = min(len(rows) for rows in files.values())
    if example.isascii() and example.isdigit() and 1 <= int(example) <= shortest:
        return [(rows, int(example) - 1) for rows in files.values()]
    names = [example_id for example_id, *_ in ids]
    more = f" and {len(names) - MAX_IDS_NAMED} more" if len(names) > MAX_IDS_NAMED else ""
    raise ConfigError(
        f"--example must be a number from 1 to {shortest}, or one of {names[:MAX_IDS_NAMED]}{more}, "
        f"got {example!r}"
    )


def _write_page(
    out: Path,
    described: FineTuning,
    traces: list[Any],
    *,
    title: str,
    caption: str,
    model: Any,
    run: str | None,
) -> None:
    """Write the page, with the settings that belong to the experiment and not to the sampler."""
    from weft.report.labels import benchmark_name
    from weft.trace.page import write_trace_page

    sampling = described.sampling
    settings = {
        "experiment": described.name,
        "run": run or "none",
        "parameters": f"{model.num_parameters():,} in {sampling.dtype}",
        "seed of the noise": "no noise" if sampling.seed is None else str(sampling.seed),
    }
    names = [trace.question.benchmark for trace in traces]
    headings = [benchmark_name(described, name) if name else "Question" for name in names]
    write_trace_page(
        traces,
        out,
        title=f"An answer step by step: {title}",
        settings=settings,
        headings=headings,
        caption=caption,
    )

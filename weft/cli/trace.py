"""``weft trace``: watch one answer come about, step by step."""

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

NUM_NAMED = 5  # example ids in an error message


@app.command()
def trace(
    base: BaseOption,
    experiment: Annotated[
        str, typer.Option("--experiment", help="Experiment file, or its name: whose sampling settings.")
    ] = "tiny",
    adapter: AdapterOption = None,
    run: Annotated[
        str | None,
        typer.Option(
            help="Which run of the experiment this is, or 'base'; for the page's title and caption."
        ),
    ] = None,
    question: Annotated[str | None, typer.Option(help="A question of your own.")] = None,
    questions: Annotated[
        list[Path] | None, typer.Option(help="Test questions, JSONL; may be given several times.")
    ] = None,
    example: Annotated[str, typer.Option(help="Which of them: its number, from 1, or its example_id.")] = "1",
    gen_length: Annotated[
        int | None,
        typer.Option(min=1, help="Length of the answer, in tokens; the experiment's longest if not given."),
    ] = None,
    every: Annotated[int, typer.Option(min=1, help="Print every Nth step only.")] = 1,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print the answers only.")] = False,
    out: Annotated[Path | None, typer.Option("--out", help="HTML page to write.")] = None,
    threads: ThreadsOption = 1,
    device: DeviceOption = "auto",
) -> None:
    """Answer a question and show the canvas step by step: what was revealed when, and how sure it was."""
    described = load_fine_tuning(experiment)
    if (question is None) == (not questions):
        raise ConfigError(
            "either --question TEXT or --questions FILE must be given, got "
            + ("neither" if question is None else "both")
        )
    title, caption = _heading(described, run, base, adapter)

    from rich.console import Console

    from weft.model import load_tokenizer
    from weft.sampling.job import SamplingJob
    from weft.sampling.shards import Shard, read_questions
    from weft.trace.job import own_question, trace_questions
    from weft.trace.terminal import print_answer, print_trace

    files = {str(file): list(read_questions(file).values()) for file in questions or []}
    asked = _find_examples(files, example) if files else [([own_question(question or "")], 0)]
    job = SamplingJob(
        sampling=described.sampling,
        gen_length=max(described.sampling.gen_lengths) if gen_length is None else gen_length,
        model_name="",
        seed=None,
        inputs=(),
        shard=Shard(),
    )
    model = load_for_sampling(described, base, device, threads, adapter=adapter)
    tokenizer = load_tokenizer(base, mask_token_id=getattr(model.config, "mask_token_id", None))
    if hasattr(sys.stdout, "reconfigure"):  # signs that the terminal does not have are replaced
        sys.stdout.reconfigure(errors="replace")
    console = Console(highlight=False, markup=False, emoji=False)
    traces = []
    for rows, place in asked:
        (made,) = trace_questions(job, model, tokenizer, rows, [place])
        traces.append(made)
        if quiet:
            print_answer(console, made)
        else:
            print_trace(console, made, every=every)
    if out is not None:
        _write_page(out, described, traces, title=title, caption=caption, model=model, run=run)
        inputs = [*(questions or []), base, *([adapter] if adapter else [])]
        seed = None if run is None else described.find_run(run).seed
        save_provenance(out, described, seed=seed, inputs=inputs, device=str(model.device))
        typer.echo(f"page with every step -> {out}")


def _heading(described: FineTuning, run: str | None, base: Path, adapter: Path | None) -> tuple[str, str]:
    """Make the page's title and caption; the experiment's caption is true of its own models only."""
    from weft.report.labels import full_caption, run_label

    if run is None:
        name = base.resolve().name
        return (f"{name} with {adapter.resolve().name}" if adapter else name), ""
    chosen = described.find_run(run)
    require_adapter_of(chosen, adapter)
    return run_label(chosen), full_caption(described)


def _find_examples(
    files: dict[str, list[dict[str, Any]]], example: str
) -> list[tuple[list[dict[str, Any]], int]]:
    """Find the question with a number in every file, or the one with an id in any file."""
    empty = [file for file, rows in files.items() if not rows]
    if empty:
        raise DataError(f"{empty[0]} must hold questions, got none")
    places = [
        (rows, place)
        for rows in files.values()
        for place, row in enumerate(rows)
        if row["example_id"] == example
    ]
    if places:
        return places[:1]
    shortest = min(len(rows) for rows in files.values())
    if example.isascii() and example.isdigit() and 1 <= int(example) <= shortest:
        return [(rows, int(example) - 1) for rows in files.values()]
    names = [row["example_id"] for rows in files.values() for row in rows]
    more = f" and {len(names) - NUM_NAMED} more" if len(names) > NUM_NAMED else ""
    raise ConfigError(
        f"--example must be a number from 1 to {shortest}, or one of {names[:NUM_NAMED]}{more}, "
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
    from weft.report.labels import benchmark_name
    from weft.trace.page import write_trace_page

    sampling = described.sampling
    settings = {
        "experiment": described.name,
        "run": run or "none",
        "parameters": f"{model.num_parameters():,} in {sampling.dtype}",
        "seed of the noise": "no noise" if sampling.seed is None else str(sampling.seed),
    }
    names = [one.subject.benchmark for one in traces]
    headings = [benchmark_name(described, name) if name else "Question" for name in names]
    write_trace_page(
        traces,
        out,
        title=f"How an answer comes about: {title}",
        settings=settings,
        headings=headings,
        caption=caption,
    )

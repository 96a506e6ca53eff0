"""``weft report``: statistics, tables, figures and the page."""

import itertools
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from weft.cli.shared import (
    ExperimentOption,
    OfflineOption,
    OutOption,
    app,
    offline_folders,
    save_provenance,
)
from weft.cli.verify_results import describe_outcome
from weft.config import Experiment, Run, StoredGenerations, find_experiment, load_experiment
from weft.errors import WeftError
from weft.layout import FIGURE_FORMATS, SUMMARY_FILE, ResultLayout
from weft.provenance import input_digests
from weft.records.files import read_bytes, read_text, write_json, write_text
from weft.report.outputs import list_figures, main_table, table_formats

report_app = typer.Typer(help="Tables, figures and the report page.", no_args_is_help=True)
app.add_typer(report_app, name="report")

RootArgument = Annotated[Path, typer.Argument(help="Results folder of the experiment.")]


@report_app.command("tables")
def report_tables(experiment: ExperimentOption, root: RootArgument, out: OutOption) -> None:
    """Compute statistics from scores, write the tables, and print the main one."""
    from weft.report.results import load_results
    from weft.report.tables import compute_tables, write_table

    checked, layout = load_experiment(find_experiment(experiment)), ResultLayout(root)
    tables = compute_tables(checked, load_results(checked, layout))
    inputs = _digest_inputs(checked, layout)
    for name, frame in tables.items():
        write_table(checked, name, frame, out)
    files = [out / f"{name}.{ending}" for name in tables for ending in table_formats(name)]
    save_provenance(out, checked, inputs=inputs, files=files)
    typer.echo(read_text(out / f"{main_table(checked)}.md"), nl=False)


@report_app.command("figures")
def report_figures(experiment: ExperimentOption, root: RootArgument, out: OutOption) -> None:
    """Draw the figures."""
    from weft.report.figures import write_figures
    from weft.report.results import load_results

    checked, layout = load_experiment(find_experiment(experiment)), ResultLayout(root)
    write_figures(checked, load_results(checked, layout), out)
    files = [out / f"{name}.{ending}" for name in list_figures(checked) for ending in FIGURE_FORMATS]
    save_provenance(out, checked, inputs=_digest_inputs(checked, layout), files=files)


@report_app.command("page")
def report_page(
    experiment: ExperimentOption,
    root: RootArgument,
    out: OutOption,
    figures: Annotated[Path, typer.Option(help="Folder with the figures.")],
    offline: OfflineOption = None,
) -> None:
    """Verify all results, and write the report page, with a file of all answers and the outcome beside it."""
    from weft.audit import verify_results
    from weft.records.files import write_compressed_lines
    from weft.report.answer_files import answer_source
    from weft.report.answer_rows import list_rows
    from weft.report.browser import make_browser
    from weft.report.page import EMBEDDED_FORMAT, render_page
    from weft.report.results import check_origin, load_results
    from weft.report.tables import compute_tables

    checked, layout = load_experiment(find_experiment(experiment)), ResultLayout(root)
    results = load_results(checked, layout)
    inputs = _digest_inputs(checked, layout)
    shown = _list_shown(checked, layout, figures)
    outcome = verify_results(root, page_inputs=[*map(Path, inputs), *shown])
    if figures.resolve() != layout.figures.resolve():  # otherwise the figures have been verified
        check_origin(figures, checked, inputs)
    paths = {name: figures / f"{name}.{EMBEDDED_FORMAT}" for name in list_figures(checked)}
    images = {name: read_bytes(path, remedy="make the figures again") for name, path in paths.items()}
    tables = compute_tables(checked, results)
    browser, download = None, out.with_name(layout.all_answers.name)
    verification = out.with_name(layout.verification.name)
    if results.scores:
        answers = answer_source(partial(_answer_files, checked, layout, offline))
        write_compressed_lines(download, list_rows(checked, results, answers))
        browser = make_browser(checked, results, answers)
        save_provenance(download, checked, inputs=inputs)
    write_json(verification, outcome)
    save_provenance(verification, checked, inputs=inputs)
    write_text(out, render_page(checked, results, tables, images, browser, verification=outcome))
    written = [path for path in (download, verification) if path.exists()]
    save_provenance(out, checked, inputs=inputs | input_digests([*shown, *written]))
    if not outcome.holds:
        typer.echo(describe_outcome(outcome), err=True)


def _list_shown(experiment: Experiment, layout: ResultLayout, figures: Path) -> list[Path]:
    """Return what the page shows or links to, beyond the inputs of the tables, as far as it is there."""
    from weft.report.deviations import DEVIATIONS_FILE

    paths = [layout.tables, figures, *(layout.trace(run.run_id) for run in experiment.traced_runs)]
    for name in experiment.dataset_names:
        paths += [layout.examples(name), layout.check(name), layout.prepared(name) / SUMMARY_FILE]
    return [path for path in [*paths, DEVIATIONS_FILE] if path.exists()]


def _answer_files(
    experiment: Experiment,
    layout: ResultLayout,
    offline: list[str] | None,
    run: Run,
    benchmark: str,
    gen_length: int,
) -> list[Path]:
    """Return the paths of the answers of a run; an empty list if published answers are not at hand."""
    from weft.data.offline import find_generations

    if not isinstance(experiment, StoredGenerations):
        return [layout.samples(run.run_id, benchmark, gen_length)]
    try:
        return find_generations(experiment.generations, benchmark, gen_length, offline_folders(offline))
    except WeftError:  # the page then says that the answers were not found
        return []


def _digest_inputs(experiment: Experiment, layout: ResultLayout) -> dict[str, str]:
    """Return the digests of the files and folders from which the tables and figures are computed, by path."""
    cells = itertools.product(
        experiment.scoring, experiment.run_ids, experiment.benchmark_names, experiment.gen_lengths
    )
    paths = [layout.scores(*cell) for cell in cells]
    for run in experiment.trained_runs:
        paths += [layout.history(run.run_id), layout.timing(run.run_id)]
    paths += [layout.curve(run_id) for run_id in experiment.run_ids]
    for name in experiment.dataset_names:
        paths += [layout.probe(name), layout.gradients(name)]
    return input_digests(path for path in paths if path.exists())

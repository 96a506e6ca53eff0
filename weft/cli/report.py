"""``weft report``: statistics, tables, figures and the page."""

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
from weft.config import Experiment, Run, StoredGenerations, find_experiment, load_experiment
from weft.errors import WeftError
from weft.layout import ResultLayout
from weft.provenance import input_digests
from weft.records.files import read_text, write_text
from weft.report.outputs import list_figures, list_tables, main_table

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
        save_provenance(out / f"{name}.csv", checked, inputs=inputs)
    typer.echo(read_text(out / f"{main_table(checked)}.md"), nl=False)


@report_app.command("figures")
def report_figures(experiment: ExperimentOption, root: RootArgument, out: OutOption) -> None:
    """Draw the figures."""
    from weft.report.figures import write_figures
    from weft.report.results import load_results

    checked, layout = load_experiment(find_experiment(experiment)), ResultLayout(root)
    write_figures(checked, load_results(checked, layout), out)
    inputs = _digest_inputs(checked, layout)
    for name in list_figures(checked):
        save_provenance(out / f"{name}.png", checked, inputs=inputs)


@report_app.command("page")
def report_page(
    experiment: ExperimentOption,
    root: RootArgument,
    out: OutOption,
    figures: Annotated[Path, typer.Option(help="Folder with the figures.")],
    offline: OfflineOption = None,
) -> None:
    """Check the digests of all results, and write the report page, with a file of all answers beside it."""
    from weft.records.files import write_compressed_lines
    from weft.report.answer_files import answer_source
    from weft.report.answer_rows import list_rows
    from weft.report.browser import make_browser
    from weft.report.deviations import DEVIATIONS_FILE
    from weft.report.page import EMBEDDED_FORMAT, render_page
    from weft.report.results import check_digests, check_origin, load_results
    from weft.report.tables import compute_tables

    checked, layout = load_experiment(find_experiment(experiment)), ResultLayout(root)
    results = load_results(checked, layout)
    check_digests(layout, results.provenance)
    paths = {name: figures / f"{name}.{EMBEDDED_FORMAT}" for name in list_figures(checked)}
    inputs = _digest_inputs(checked, layout)
    check_origin(_list_derived(checked, layout, figures), checked, inputs)
    images = {name: path.read_bytes() for name, path in paths.items()}
    tables = compute_tables(checked, results)
    browser, download = None, out.with_name(layout.all_answers.name)
    if results.scores:
        answers = answer_source(partial(_answer_files, checked, layout, offline))
        write_compressed_lines(download, list_rows(checked, results, answers))
        browser = make_browser(checked, results, answers)
    write_text(out, render_page(checked, results, tables, images, browser))
    data = [file for name in checked.dataset_names for file in (layout.examples(name), layout.check(name))]
    texts = [path for path in (*data, DEVIATIONS_FILE) if path.exists()]
    save_provenance(out, checked, inputs=inputs | input_digests([*paths.values(), *texts]))
    if results.scores:
        save_provenance(download, checked, inputs=[layout.all_scores])


def _list_derived(experiment: Experiment, layout: ResultLayout, figures: Path) -> list[Path]:
    """Return the files of figures, and those of tables as far as they exist, that have provenance."""
    tables = [path for name in list_tables(experiment) if (path := layout.table(name)).exists()]
    return [*(figures / f"{name}.png" for name in list_figures(experiment)), *tables]


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
    paths = [layout.all_scores]
    for run in experiment.trained_runs:
        paths += [layout.history(run.run_id), layout.timing(run.run_id)]
    paths += [layout.curve(run_id) for run_id in experiment.run_ids]
    for name in experiment.dataset_names:
        paths += [layout.probe(name), layout.gradients(name)]
    return input_digests(path for path in paths if path.exists())

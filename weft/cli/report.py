"""``weft report``: statistics, tables, figures and the page."""

from pathlib import Path
from typing import Annotated

import typer

from weft.cli.shared import ExperimentOption, OutOption, app, save_provenance
from weft.config import FineTuning, find_experiment, load_experiment

report_app = typer.Typer(help="Tables, figures and the report page.", no_args_is_help=True)
app.add_typer(report_app, name="report")


@report_app.command("tables")
def report_tables(experiment: ExperimentOption, root: Path, out: OutOption) -> None:
    """Compute statistics from scores and write the tables."""
    from weft.report.tables import make_tables

    described = load_experiment(find_experiment(experiment))
    make_tables(described, root, out)
    for line in (out / "headline.md").read_text().splitlines():
        typer.echo(line)
    save_provenance(out / "scores.csv", described, inputs=[root / "scores"])


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

"""``weft archive``: pack a finished experiment for a journal, an archive or a reader."""

import re
from pathlib import Path
from typing import Annotated, Literal

import typer

from weft.cli.shared import app
from weft.config import find_experiment
from weft.errors import ConfigError, DataError

LICENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*")
"""Form of a name in the list of SPDX."""


@app.command("archive")
def archive_experiment(
    root: Annotated[Path, typer.Argument(help="Results folder of a finished experiment.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Zip file to write; NAME.crate.zip if it is not given.")
    ] = None,
    experiment: Annotated[
        str | None,
        typer.Option(
            "--experiment", help="Path or name of the experiment file; the name of the folder by default."
        ),
    ] = None,
    weights: Annotated[
        Literal["none", "adapters", "all"],
        typer.Option(
            help="Weights to pack. adapters: adapters, and base models that weft trained itself; base models "
            "of the hub are named by address and SHA-256."
        ),
    ] = "adapters",
    author: Annotated[
        list[str] | None,
        typer.Option(help="Name of a person who made the results; may be given several times."),
    ] = None,
    licence: Annotated[
        str | None,
        typer.Option("--license", help="Licence of the archive, as SPDX names it; that of weft by default."),
    ] = None,
    keep_paths: Annotated[
        bool, typer.Option("--keep-paths", help="Also pack files that hold paths of this machine.")
    ] = False,
) -> None:
    """Pack a finished experiment as a Workflow Run RO-Crate, whose metadata name each file and its origin.

    The archive holds the results, the experiment file, the workflow, the package, the lock file, the licence
    and the citation. The same results give the same bytes.
    """
    from weft.sharing.archive import Wanted, pack_experiment

    name = root.resolve().name
    if licence is not None and not LICENCE.fullmatch(licence):
        raise ConfigError(
            f"--license must be a licence as SPDX names it, such as CC-BY-4.0, got {licence!r}; correct it"
        )
    file = Path(f"{name}.crate.zip") if out is None else out
    if file.suffix != ".zip" or file.is_dir():
        raise ConfigError(f"--out must be a file that ends in .zip, got {file}; choose another name")
    if file.resolve().is_relative_to(root.resolve()):
        raise ConfigError(f"--out must not lie in the folder that is packed, got {file}; choose another")
    wanted = Wanted(
        root=root,
        experiment_file=find_experiment(experiment or name),
        weights=weights,
        authors=author or (),
        licence=licence,
        keep_paths=keep_paths,
    )
    contents = pack_experiment(wanted, file, verify=require_verified)
    for left_out in contents.left_out:
        typer.echo(f"not packed: {left_out.name} ({left_out.size:,} bytes)")
    typer.echo(f"{name}: {len(contents.members) + 2} files -> {file}")


def require_verified(root: Path) -> None:
    """Raise a DataError unless all results in a folder verify, as ``weft verify`` does."""
    from weft.audit import verify_results

    outcome = verify_results(root)
    if not outcome.holds:
        first = next(finding for finding in outcome.findings if finding.status in {"fails", "missing"})
        raise DataError(
            f"all results must verify before they are packed, but {outcome.count('fails')} checks do not "
            f"hold and {outcome.count('missing')} files are missing, first {first.result}: {first.text}; run "
            f"weft verify {root} to see all, and run the experiment again"
        )

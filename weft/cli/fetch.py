"""``weft data fetch``: bring everything that an experiment needs into one folder, and check such a folder."""

from pathlib import Path
from typing import Annotated

import typer

from weft.cli.data import data_app
from weft.cli.shared import OfflineOption, offline_folders
from weft.config import find_experiment, load_experiment
from weft.data.pins import pins_path
from weft.errors import ConfigError, DataError
from weft.layout import SHIPPED_FILES


@data_app.command("fetch")
def data_fetch(
    experiment: Annotated[
        str | None, typer.Argument(help="Path or name of the experiment file; none with --check.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder to write; it may exist.")] = None,
    check: Annotated[
        Path | None, typer.Option("--check", help="Folder whose files are compared with its SHA256SUMS.")
    ] = None,
    offline: OfflineOption = None,
) -> None:
    """Bring everything that an experiment needs into one folder, for a machine without a network.

    The folder holds data sets, benchmarks, instruction texts, models, adapters and published generations as
    the setting "offline" reads them, and in experiments/ the experiment with its lock file. Given again, the
    command downloads only what is missing.
    """
    if (experiment is None) == (check is None) or (check is not None and out is not None):
        raise ConfigError("give either an experiment and --out FOLDER, or --check FOLDER alone")
    if check is not None:
        _check(check)
        return
    if out is None or experiment is None:
        raise ConfigError("--out must be given with an experiment, got none; name the folder to write")
    _fetch(experiment, out, offline_folders(offline))


def _check(folder: Path) -> None:
    from weft.data.carried import check_carried, read_manifest

    differences = check_carried(folder)
    for line in differences:
        typer.echo(line)
    if differences:
        raise DataError(
            f"{folder} must hold the files of its manifest and no others, but {len(differences)} differ; "
            "fetch the files again, or copy them again"
        )
    typer.echo(f"{folder}: {len(read_manifest(folder))} files, all as in the manifest")


def _fetch(name: str, out: Path, offline: list[str]) -> None:
    from huggingface_hub import constants

    from weft.data.carried import write_manifest
    from weft.data.fetch import EXPERIMENTS, fetch_experiment, find_fetched
    from weft.data.sizes import describe_downloads, list_downloads

    if out.exists() and not out.is_dir():
        raise ConfigError(f"--out must be a folder, got the file {out}; choose another name")
    if SHIPPED_FILES.is_dir() and out.resolve().is_relative_to(SHIPPED_FILES.resolve()):
        raise ConfigError(f"--out must lie outside the installed package, got {out}; choose another folder")
    file = find_experiment(name)
    described, pins = load_experiment(file), pins_path(file)
    fetched = find_fetched(described, out)
    if fetched is None:
        downloads = list_downloads(described, offline=[str(out), *offline], pins=pins)
        typer.echo(describe_downloads(downloads, [out, Path(constants.HF_HUB_CACHE)]))
        fetched = fetch_experiment(described, file, out, offline=offline, report=typer.echo)
    else:
        typer.echo(f"everything is in {out} already")
        write_manifest(out)
    for path in fetched.not_carried:
        typer.echo(f"not in {out}, because the experiment does not name it by a relative path: {path}")
    typer.echo(f"{described.name}: {len(fetched.files)} files -> {out}")
    typer.echo(
        "on the other machine: weft data fetch --check FOLDER; weft run "
        f"FOLDER/{EXPERIMENTS}/{file.name} --config offline=FOLDER"
    )

"""``weft export``: write a model or an adapter in the published format of its family, with a model card."""

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from weft.cli.shared import BaseOption, OutOption, app, load_fine_tuning, show_log
from weft.errors import ConfigError, WeftError
from weft.layout import HISTORY_FILE, SNAKEMAKE_TIMESTAMP, digests_file
from weft.provenance import write_provenance
from weft.records import FileDigests
from weft.records.files import atomic_directory, read_json
from weft.sharing.hub import push_folder, require_repository, require_token

if TYPE_CHECKING:
    from weft.sharing.facts import RunFacts

Form = Literal["checkpoint", "adapter"]
LICENCE_NAME = re.compile(r"[a-z0-9][a-z0-9.+-]*")
"""Form of the licences that the hub knows."""


@app.command()
def export(
    base: BaseOption,
    out: OutOption,
    finetuned: Annotated[
        Path | None, typer.Option(help="Result of a training run: an adapter or a full checkpoint.")
    ] = None,
    form: Annotated[
        Form, typer.Option(help="checkpoint: the model with its adapter merged; adapter: the adapter alone.")
    ] = "checkpoint",
    experiment: Annotated[
        str | None,
        typer.Option(help="Experiment of the run, for the card of a run whose folder does not describe it."),
    ] = None,
    base_name: Annotated[
        str | None,
        typer.Option(help="Repository of the base model, OWNER/NAME; by default that of the experiment."),
    ] = None,
    license_name: Annotated[
        str | None,
        typer.Option("--license", help="Licence of the model, as the hub names it, such as apache-2.0."),
    ] = None,
    push: Annotated[
        str | None, typer.Option(help="Upload to this repository, OWNER/NAME, with the token in HF_TOKEN.")
    ] = None,
    private: Annotated[
        bool, typer.Option("--private", help="With --push: create the repository as a private one.")
    ] = False,
) -> None:
    """Write a model or an adapter in its published form, for other tools, with a model card.

    Tools that run the code of the published repository also need its Python files in the same directory; they
    are listed under auto_map in config.json.
    """
    from weft.model.checkpoint import read_family
    from weft.sharing.card import ModelCard, write_card
    from weft.sharing.results import read_results

    show_log()
    _check(base, finetuned, out, form)
    _check_words(license_name, push, private)
    for option, repository in {"--base-name": base_name, "--push": push}.items():
        require_repository(option, repository)
    token = None if push is None else require_token()
    family, facts = read_family(base), _find_facts(base, finetuned, experiment)
    card = ModelCard(
        name=push or out.resolve().name,
        form=form,
        family=family,
        is_adapter=finetuned is not None and (finetuned / "adapter_config.json").exists(),
        facts=facts,
        base=base_name,
        licence=license_name,
        results=read_results(finetuned, facts) if finetuned and facts else (),
    )
    with atomic_directory(out) as folder:
        if form == "adapter" and finetuned is not None:
            from weft.model import export_adapter

            # The path of a folder on this machine is of no use to others.
            named = card.base_repository or (str(base) if push is None else base.name)
            number = export_adapter(
                finetuned, folder, family=family, base_name=named, base_commit=card.base_commit
            )
            content = f"adapter of {number} modules"
        else:
            content = _write_checkpoint(base, finetuned, folder)
        write_card(folder, card)
    inputs = [base, *([finetuned] if finetuned else [])]
    write_provenance(out, settings={"form": form}, experiment="", inputs=inputs)
    typer.echo(f"{family}: {content} -> {out}")
    if push is not None and token is not None:
        typer.echo(f"uploaded -> {push_folder(out, push, token=token, private=private)}")


def _check(base: Path, finetuned: Path | None, out: Path, form: Form) -> None:
    """Check the options before any work is done."""
    for source in [base, *([finetuned] if finetuned else [])]:
        if out.resolve() in (source.resolve(), *source.resolve().parents):
            raise ConfigError(f"--out must not contain an input, got {out} with {source}; choose another")
    if form == "adapter" and finetuned is None:
        raise ConfigError("--finetuned must be given with --form adapter, got none")
    if (out.exists() or out.is_symlink()) and not _may_be_replaced(out):
        raise ConfigError(
            f"--out must be a new folder or one with an earlier export, got {out} with other files; choose "
            "another"
        )


def _may_be_replaced(out: Path) -> bool:
    """Return whether a path is an empty folder, or one with nothing but an earlier export."""
    from weft.sharing.card import CARD_FILE

    if out.is_symlink() or not out.is_dir():
        return False
    content = {str(file.relative_to(out)) for file in out.rglob("*") if file.name != SNAKEMAKE_TIMESTAMP}
    try:
        written = read_json(digests_file(out), FileDigests).files
    except WeftError:  # weft has not written this folder
        written = {}
    is_export = CARD_FILE in content and HISTORY_FILE not in content  # the result of a training has both
    return not content or (is_export and content <= set(written))


def _check_words(license_name: str | None, push: str | None, private: bool) -> None:
    """Check the options that say how the model is published."""
    if license_name is not None and not LICENCE_NAME.fullmatch(license_name):
        raise ConfigError(
            f"--license must be a licence as the hub names it, such as apache-2.0 or other, got "
            f"{license_name!r}; write it in lower case, without spaces"
        )
    if private and push is None:
        raise ConfigError("--push must be given with --private, got none; name the repository")


def _find_facts(base: Path, finetuned: Path | None, experiment: str | None) -> "RunFacts | None":
    """Return what a model was trained from: as its folder says, or as an experiment says."""
    from weft.sharing.facts import describe_run, read_facts

    facts = None if finetuned is None else read_facts(finetuned)
    if facts is not None or finetuned is None or experiment is None:
        return facts
    described = load_fine_tuning(experiment)
    return describe_run(described, described.find_run(finetuned.resolve().name), base)


def _write_checkpoint(base: Path, finetuned: Path | None, folder: Path) -> str:
    """Write a whole model with its tokenizer, and return a description of it."""
    from weft.model import load_finetuned, merge_adapter, save_model
    from weft.model.checkpoint import stored_dtype
    from weft.records.model_files import TOKENIZER_FILES

    is_full = finetuned is not None and not (finetuned / "adapter_config.json").exists()
    dtype = stored_dtype(finetuned if finetuned and is_full else base)
    model = merge_adapter(load_finetuned(base, finetuned, dtype))
    save_model(model, folder)
    for name in TOKENIZER_FILES:
        if (base / name).exists():
            shutil.copyfile(base / name, folder / name)
    return f"checkpoint of {model.num_parameters():,} parameters in {str(dtype).removeprefix('torch.')}"

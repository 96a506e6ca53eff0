"""``weft export``: write a model or an adapter in the published format of its family."""

import shutil
from pathlib import Path
from typing import Annotated, Literal

import typer

from weft.cli.shared import BaseOption, OutOption, app
from weft.errors import ConfigError
from weft.provenance import write_provenance
from weft.records.files import atomic_directory


@app.command()
def export(
    base: BaseOption,
    out: OutOption,
    finetuned: Annotated[
        Path | None, typer.Option(help="Result of a training run: an adapter or a full checkpoint.")
    ] = None,
    form: Annotated[
        Literal["checkpoint", "adapter"],
        typer.Option(help="checkpoint: the model with its adapter merged; adapter: the adapter alone."),
    ] = "checkpoint",
) -> None:
    """Write a model or an adapter in its published form, for other tools.

    Tools that run the code of the published repository also need its Python files in the same directory; they
    are listed under auto_map in config.json.
    """
    from weft.model import export_adapter, load_finetuned, merge_adapter, save_model
    from weft.model.checkpoint import read_family, stored_dtype
    from weft.model.tokenizer import TOKENIZER_FILES

    inputs = [base, *([finetuned] if finetuned else [])]
    for source in inputs:
        if out.resolve() in (source.resolve(), *source.resolve().parents):
            raise ConfigError(f"--out must not contain an input, got {out} with {source}; choose another")
    family = read_family(base)
    if form == "adapter":
        if finetuned is None:
            raise ConfigError("--finetuned must be given with --form adapter, got none")
        with atomic_directory(out) as folder:
            content = f"adapter of {export_adapter(finetuned, folder, family=family)} modules"
    else:
        is_full = finetuned is not None and not (finetuned / "adapter_config.json").exists()
        dtype = stored_dtype(finetuned if finetuned and is_full else base)
        model = merge_adapter(load_finetuned(base, finetuned, dtype))
        with atomic_directory(out) as folder:
            save_model(model, folder)
            for name in TOKENIZER_FILES:
                if (base / name).exists():
                    shutil.copyfile(base / name, folder / name)
        name = str(dtype).removeprefix("torch.")
        content = f"checkpoint of {model.num_parameters():,} parameters in {name}"
    write_provenance(out, settings={"form": form}, experiment="", inputs=inputs)
    typer.echo(f"{family}: {content} -> {out}")

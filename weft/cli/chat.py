"""``weft chat``: talk to a model in the terminal, and see its answers being denoised."""

import math
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
    load_on_device,
)
from weft.config import FineTuning
from weft.config.numbers import MAX_SEED
from weft.records.base import JsonObject

GEN_LENGTH, BLOCK_LENGTH = 128, 32
"""Length of an answer and of a block, in tokens, where neither options nor an experiment give them."""
DEFAULTS: JsonObject = {"remasking": "low_confidence", "temperature": 0.0, "early_stop": True}
"""Options of the sampler without an experiment."""


@app.command()
def chat(
    base: BaseOption,
    adapter: AdapterOption = None,
    experiment: Annotated[
        str | None,
        typer.Option("--experiment", help="Experiment whose sampling settings and prefill are the defaults."),
    ] = None,
    system: Annotated[str | None, typer.Option(help="System message.")] = None,
    gen_length: Annotated[int | None, typer.Option(min=1, help="Length of an answer, in tokens.")] = None,
    block_length: Annotated[int | None, typer.Option(min=1, help="Length of a block, in tokens.")] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Denoising steps of an answer; by default one per token.")
    ] = None,
    temperature: Annotated[float | None, typer.Option(min=0, help="Temperature of the noise.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=MAX_SEED, help="Seed of the noise.")] = 0,
    threads: ThreadsOption = 1,
    device: DeviceOption = "auto",
) -> None:
    """Talk to a model. The answer is redrawn in every step; in a file or a pipe, only answers are printed.

    /reset forgets the conversation, /exit or Ctrl-D ends it, and Ctrl-C stops an answer.
    """
    from rich.console import Console

    from weft.model import load_tokenizer
    from weft.sampling.config import SamplingConfig
    from weft.trace import chat as terminal

    described = None if experiment is None else load_fine_tuning(experiment)
    model = _load(described, base, adapter, device, threads)
    tokenizer = load_tokenizer(base, mask_token_id=getattr(model.config, "mask_token_id", None))
    given = {"gen_length": gen_length, "block_length": block_length, "diffusion_steps": steps}
    options = _choose(described, given, context=model.config.max_position_embeddings)
    if temperature is not None:
        options["temperature"] = temperature
    ids = {"mask_token_id": tokenizer.mask_token_id, "eos_token_id": tokenizer.eos_token_id}
    conversation = terminal.Conversation(
        model,
        tokenizer,
        SamplingConfig(**options, **ids),
        seed=seed,
        prefill=described.sampling.prefill if described else "",
        system=system,
        context=model.config.max_position_embeddings,
    )
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # replace characters that the terminal lacks
    console, notes = (Console(highlight=False, markup=False, emoji=False, stderr=e) for e in (False, True))
    is_asked = console.is_terminal and sys.stdin.isatty()
    if is_asked:
        import readline  # noqa: F401 - input() then has a history and can be edited

        notes.print(terminal.HELP, style="dim")
    lines = terminal.Lines(lambda: input("> " if is_asked else ""))
    terminal.chat(conversation, console, notes, lines, is_drawn=console.is_terminal)


def _load(described: FineTuning | None, base: Path, adapter: Path | None, device: str, threads: int) -> Any:
    """Load the model in the type of the experiment or, without one, in that of the base model's file."""
    if described is not None:
        return load_for_sampling(described, base, device, threads, adapter=adapter).eval()
    from weft.model.checkpoint import stored_dtype

    dtype = str(stored_dtype(base)).removeprefix("torch.")
    return load_on_device(base, dtype, device, threads, adapter=adapter).eval()


def _choose(described: FineTuning | None, given: dict[str, int | None], *, context: int) -> JsonObject:
    """Return the sampler's settings: those given, those of the experiment, and otherwise the defaults."""
    sampling = None if described is None else described.sampling
    options = dict(DEFAULTS) if sampling is None else sampling.options()
    longest = GEN_LENGTH if sampling is None else max(sampling.gen_lengths)
    length = given["gen_length"] or min(longest, context // 2)
    block = given["block_length"] or math.gcd(options.get("block_length", BLOCK_LENGTH), length)
    steps = given["diffusion_steps"] or (length if sampling is None else sampling.diffusion_steps(length))
    return options | {"gen_length": length, "block_length": block, "diffusion_steps": steps}

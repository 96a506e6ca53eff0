"""Print a training example as text: prompt, answer, masked versions, and a table of its tokens.

In a terminal, prompt, answer and masks are told apart by styles; in a file or a pipe they are plain text. The
table shows the beginning and the end of each part, unless all tokens are wanted. Spaces in it are signs.
"""

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from weft.report.shown_text import MASK_SIGN
from weft.trace.collect import SPACE_SIGN, visible
from weft.trace.example import ExampleView, MaskedBy, Part

SHOWN: dict[Part, tuple[int, int]] = {
    "prompt": (8, 8),
    "answer": (24, 8),
    "padding": (2, 1),
    "cut off": (2, 2),
}
"""Part -> number of its first and of its last tokens in the table."""
STYLES: dict[Part, str] = {"prompt": "dim", "answer": "green", "padding": "dim", "cut off": "red"}
INDENT = "  "
TOKEN_WIDTH = 24
"""Width of the column with the texts of the tokens in a terminal."""


def print_example(
    console: Console, view: ExampleView, *, heading: Sequence[str], seed: int, has_all: bool = False
) -> None:
    """Print an example.

    Args:
        console: console to print to.
        view: the example.
        heading: lines above it, such as its place in a file.
        seed: seed of the masks.
        has_all: show all tokens in the table.
    """
    for line in heading:
        _print(console, Text(line, "bold"))
    sections: list[tuple[str, str, Part]] = [
        ("Prompt", "never masked", "prompt"),
        ("Answer", f"from position {view.boundary} on, masked and trained", "answer"),
        ("Cut off", "beyond the limit and not trained", "cut off"),
    ]
    for title, meaning, part in sections:
        count = view.count(part)
        if count:
            _print(console, Text(f"\n{title}: {count} tokens, {meaning}", "bold"))
            _print_text(console, view.text_of(part), STYLES[part])
    _print(console, Text(f"\n{_describe_rest(view)}", "bold"))
    for name, masked in view.masks.items():
        _print_masks(console, view, name, masked, seed=seed)
    if view.unknown:
        names = ", ".join(view.unknown)
        _print(console, Text(f"\nNo masks of {names}: their rates need a model with weights (--base)."))
    _print(console, Text("\nTokens", "bold"))
    _print_table(console, _make_table(view, has_all=has_all, is_plain=not console.is_terminal))


def _describe_rest(view: ExampleView) -> str:
    if view.is_too_long:
        return (
            f"The prompt of {view.boundary} tokens leaves no room for an answer within {view.max_length} "
            "tokens: the preparation stops, or leaves the example out with too_long: drop."
        )
    padding = view.count("padding")
    if not padding:
        return f"No padding: the limit is {view.max_length} tokens."
    sign = visible(view.texts[-1])
    return f"Padding: {padding} tokens {sign} up to the limit of {view.max_length} tokens"


def _print_masks(console: Console, view: ExampleView, name: str, masked: MaskedBy, *, seed: int) -> None:
    num_masked = {
        part: sum(masked.is_masked[index] for index, other in enumerate(view.parts) if other == part)
        for part in ("answer", "padding")
    }
    title = (
        f"\nMasked by {name} at t = {view.t:g} with seed {seed}: {num_masked['answer']} of "
        f"{view.count('answer')} tokens of the answer, {num_masked['padding']} of {view.count('padding')} of "
        "the padding"
    )
    _print(console, Text(title, "bold"))
    pieces = [
        MASK_SIGN if masked.is_masked[index] else view.texts[index]
        for index, part in enumerate(view.parts)
        if part == "answer"
    ]
    _print_text(console, "".join(pieces), "green")


def _make_table(view: ExampleView, *, has_all: bool, is_plain: bool) -> Table:
    table = Table(box=None if is_plain else box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    widest = None if is_plain else TOKEN_WIDTH
    table.add_column("position", justify="right", no_wrap=True)
    table.add_column("id", justify="right", no_wrap=True, min_width=6)
    table.add_column("token", max_width=widest, no_wrap=True)
    table.add_column("part", no_wrap=True, min_width=7)
    for name, masked in view.masks.items():
        table.add_column(name, justify="center")
        if masked.uncertainty:
            table.add_column("rate", justify="right")
            table.add_column("H, nats", justify="right")
    for row in _list_rows(view, has_all=has_all):
        if isinstance(row, int):
            cells = _cells(view, row)
            table.add_row(*cells, style="" if is_plain else STYLES[view.parts[row]])
        else:
            table.add_row("…", "", row)
        if row == view.boundary - 1:
            table.add_section()
            table.add_row("", "", "--- boundary ---")
            table.add_section()
    return table


def _list_rows(view: ExampleView, *, has_all: bool) -> Iterator[int | str]:
    """Yield the positions to show, and a text in place of those that are left out."""
    for part, (first, last) in SHOWN.items():
        positions = [index for index, other in enumerate(view.parts) if other == part]
        if has_all or len(positions) <= first + last + 1:
            yield from positions
            continue
        yield from positions[:first]
        yield f"{len(positions) - first - last} more (--all)"
        yield from positions[-last:]


def _cells(view: ExampleView, index: int) -> list[str]:
    token = visible(view.texts[index]).replace(" ", SPACE_SIGN) or "(part of the character before)"
    cells = [str(index), str(view.token_ids[index]), token, view.parts[index]]
    is_noised = view.parts[index] in ("answer", "padding")
    for masked in view.masks.values():
        shown = index < len(masked.rate) and is_noised
        cells += [MASK_SIGN if shown and masked.is_masked[index] else ""]
        if masked.uncertainty:
            cells += [f"{masked.rate[index]:.3f}" if shown else ""]
            has_own = shown and view.parts[index] == "answer"
            cells += [f"{masked.uncertainty[index]:.3f}" if has_own else ""]
    return cells


def _print_text(console: Console, text: str, style: str) -> None:
    for line in visible(text, keep="\n").split("\n"):
        _print(console, Text(f"{INDENT}{line}", style))


def _print_table(console: Console, table: Table) -> None:
    if console.is_terminal:
        console.print(table)
        return
    with console.capture() as capture:
        console.print(table)
    lines = capture.get().splitlines()
    console.out("\n".join(line.rstrip() for line in lines), highlight=False)


def _print(console: Console, text: Text) -> None:
    console.print(text, soft_wrap=True)

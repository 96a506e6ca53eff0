"""Print a trace as text: the answer after each step, and the tokens that the step revealed.

Every position has the same column in all steps: a mask (▒) is padded (░) to the width of the token that will
replace it. In a terminal the new tokens are shown in reverse video; in a file, or if the terminal has no
styles, carets mark them on the line below. Signs that the encoding lacks are replaced by ASCII characters.
Console markup in the text is not interpreted, and control characters are replaced by signs.
"""

from collections.abc import Iterator
from functools import cache

from rich.cells import cell_len
from rich.console import Console, Group
from rich.text import Text

from weft.report.shown_text import END_SIGN, MASK_SIGN
from weft.sampling.stream import StepOutput
from weft.trace.collect import (
    SPACE_SIGN,
    Trace,
    TracedToken,
    describe,
    describe_confidence,
    visible,
)

MASK, ROOM = MASK_SIGN, "░"
LINE_END, TAB = "↵", "⇥"
IN_ASCII = {MASK: "#", ROOM: ".", END_SIGN: "~", SPACE_SIGN: "_", LINE_END: r"\n", TAB: r"\t"}
"""Replacements of signs that the terminal's encoding lacks."""
INDENT = 2
MAX_LISTED = 4
"""Maximum number of tokens listed in the line above a canvas; further tokens are only counted."""
NUM_LEAST_CONFIDENT = 3
"""Number of tokens listed at the end."""
STYLES = {0.9: "green", 0.5: "cyan", 0.0: "magenta underline"}
"""Lower bound of the confidence -> style of a token; the lowest level is also marked without colour."""


def print_trace(console: Console, trace: Trace, *, every: int = 1) -> None:
    """Print a trace.

    Args:
        console: console to print to.
        trace: the trace.
        every: print only each n-th canvas and the last; tokens count as new if the canvas printed before does
            not contain them.
    """
    console.print(_head(console, trace))
    widths = [max(1, cell_len(fit_encoding(console, trace.sign(token_id)))) for token_id in trace.token_ids]
    canvases, seen = trace.canvases(), 0
    for number, step in enumerate(trace.steps):
        is_shown = (number + 1) % every == 0 or number + 1 == len(trace.steps)
        if is_shown:
            fresh = {token.column for token in trace.tokens if token.step in range(seen, number + 1)}
            seen = number + 1
            console.print(_step_line(console, trace, number, step), soft_wrap=True)
            for line in _canvas_lines(console, trace, canvases[number], widths, fresh):
                console.print(line, soft_wrap=True)
    console.print(_foot(console, trace), soft_wrap=True)
    console.print()


def print_answer(console: Console, trace: Trace) -> None:
    """Print the text of the answer only."""
    console.print(Text(fit_encoding(console, visible(trace.answer, keep="\n"))), soft_wrap=True)


def _head(console: Console, trace: Trace) -> Group:
    settings = Text("; ".join(f"{name}: {value}" for name, value in describe(trace.config).items()), "dim")
    legend = Text(f"numbers: {describe_confidence(trace.config)}\nnew: ")
    if console.color_system is not None:
        legend.append("reverse", "reverse")
        legend.append(", confidence ")
        levels = (Text(f"from {lowest:g} on", style) for lowest, style in STYLES.items())
        legend.append_text(Text(", ").join(levels))
    else:
        legend.append("^")
    legend.append(fit_encoding(console, f"   {MASK} mask   {LINE_END} line end   {END_SIGN} end of text"))
    question = Text(fit_encoding(console, visible(trace.question.question.rstrip("\n"), keep="\n")))
    return Group(Text("Question", "bold"), question, Text(), settings, legend)


def _step_line(console: Console, trace: Trace, number: int, step: StepOutput) -> Text:
    line = Text(
        f"\nstep {number + 1} of {len(trace.steps)}, block {step.block + 1} of {trace.config.num_blocks}",
        "bold",
    )
    kept = [index for index, is_revealed in enumerate(step.is_revealed) if is_revealed]
    for index in kept[:MAX_LISTED]:
        line.append("  ", "not bold")
        style = f"not bold {_style(step.confidence[index])}"
        line.append(fit_encoding(console, f"{trace.label(step.token_ids[index]).strip()} "), style)
        line.append(f"{step.confidence[index]:.2f}", "not bold dim")
    if len(kept) > MAX_LISTED:
        line.append(f"  and {len(kept) - MAX_LISTED} more", "not bold dim")
    return line


def _canvas_lines(
    console: Console, trace: Trace, canvas: list[int], widths: list[int], fresh: set[int]
) -> Iterator[Text]:
    """Yield the lines of a canvas, broken between tokens unless a token is wider than a line."""
    room = max(10, console.width - INDENT)
    line, marks = Text(" " * INDENT), " " * INDENT
    for column, token_id in enumerate(canvas):
        text, style = _cell(trace, trace.tokens[column], token_id, widths[column], column in fresh)
        text = fit_encoding(console, text)
        mark = ("^" if column in fresh else " ") * cell_len(text)
        while text:
            left = room + INDENT - line.cell_len
            if cell_len(text) > left and line.cell_len > INDENT:
                yield from _with_carets(console, line, marks)
                line, marks = Text(" " * INDENT), " " * INDENT
                continue
            part = _prefix_that_fits(text, left)
            line.append(part, style)
            marks += mark[: cell_len(part)]
            text = text[len(part) :]
    yield from _with_carets(console, line, marks)


def _with_carets(console: Console, line: Text, marks: str) -> Iterator[Text]:
    yield line
    if console.color_system is None and marks.strip():
        yield Text(marks.rstrip())


def _prefix_that_fits(text: str, room: int) -> str:
    """Return as many characters as fit into a width of ``room``, but at least the first."""
    width = 0
    for index, character in enumerate(text):
        width += cell_len(character)
        if width > room and index:
            return text[:index]
    return text


def _cell(trace: Trace, token: TracedToken, token_id: int, width: int, is_fresh: bool) -> tuple[str, str]:
    """Return text and style of one position."""
    if token_id == trace.config.mask_token_id:
        return MASK + ROOM * (width - 1), "dim"
    text = trace.sign(token_id)
    style = _style(token.confidence) if token.step is not None else "dim"
    return text, f"bold reverse {style}" if is_fresh else style


def _style(confidence: float | None) -> str:
    return next(style for lowest, style in STYLES.items() if (confidence or 0.0) >= lowest)


def _foot(console: Console, trace: Trace) -> Text:
    foot = Text("\nAnswer\n", "bold")
    foot.append(fit_encoding(console, visible(trace.answer, keep="\n").rstrip("\n")), "not bold")
    least = sorted(trace.in_order, key=lambda token: token.confidence or 0.0)[:NUM_LEAST_CONFIDENT]
    if least:
        foot.append("\nLeast confident: ", "bold")
        foot.append(fit_encoding(console, "; ".join(_described(trace, token) for token in least)), "not bold")
    if trace.ended_early:
        filled = sum(token.step is None for token in trace.tokens)
        foot.append(f"\nEnded early: {filled} positions after the end were filled in.", "not bold")
    return foot


def _described(trace: Trace, token: TracedToken) -> str:
    assert token.step is not None, "only revealed tokens are described"
    name = trace.label(token.token_id).strip()
    return f"{name} ({token.confidence:.2f}, {token.entropy:.2f} nats, step {token.step + 1})"


def fit_encoding(console: Console, text: str) -> str:
    """Return text that the console's encoding can show, so that its width is known."""
    fitting = text.translate(_replacements(console.encoding))
    return fitting.encode(console.encoding, "replace").decode(console.encoding)


@cache
def _replacements(encoding: str) -> dict[int, str]:
    return {ord(sign): plain for sign, plain in IN_ASCII.items() if not _has(encoding, sign)}


def _has(encoding: str, sign: str) -> bool:
    try:
        sign.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True

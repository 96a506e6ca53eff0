"""Write traces as a self-contained HTML page without scripts, small enough to send by e-mail.

Model output is untrusted: the template escapes all text, control characters are replaced by signs, and the
content security policy of the page forbids browsers to load or execute anything.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from weft.records.files import write_text
from weft.report.page_template import load_template
from weft.report.shown_text import END_SIGN, reference_text
from weft.sampling.stream import StepOutput
from weft.trace.collect import (
    Trace,
    TracedToken,
    describe,
    describe_confidence,
    visible,
)
from weft.trace.terminal import MASK

SHADES = 10
NATS_PER_SHADE = 0.3
"""Range of entropies that have the same shade, equal on all pages, so that pages can be compared."""


def write_trace_page(
    traces: Sequence[Trace],
    out: Path,
    *,
    title: str,
    settings: dict[str, str],
    headings: Sequence[str],
    caption: str = "",
    report: str | None = None,
) -> None:
    """Write a page with traces. Equal traces give equal bytes.

    Args:
        traces: answers with the same settings.
        out: HTML file to write.
        title: heading of the page.
        settings: name -> value of settings that are shown before those of the sampler.
        headings: a heading for each trace.
        caption: text below the title; may be empty.
        report: relative link to the report that the page belongs to; None for a page of its own.
    """
    config = traces[0].config
    content = {
        "title": title,
        "caption": caption.strip(),
        "report": report,
        "settings": settings | describe(config),
        "visible": visible,
        "end_sign": END_SIGN,
        "mask_sign": MASK,
        "is_random": config.remasking == "random",
        "token_kind": "most probable" if config.temperature == 0 else "drawn",
        "confidence_note": describe_confidence(config).capitalize(),
        "confidence_key": [(shade, f"0.{shade}") for shade in range(SHADES)],
        "entropy_key": [(shade, f"{NATS_PER_SHADE * shade:.1f}") for shade in range(SHADES)],
        "headings": headings,
        "traces": traces,
        "views": [_view(trace) for trace in traces],
    }
    write_text(out, load_template("trace.html.j2").render(content))


def _view(trace: Trace) -> dict[str, Any]:
    """Return what the template needs of a trace besides the trace itself."""
    return {
        "reference": reference_text(trace.question.reference),
        "step_key": _step_key(len(trace.steps)),
        "tokens": [(token, *_shade_and_tooltip(trace, token)) for token in trace.tokens],
        "confidence_paths": _paths(trace, lambda step: map(_confidence_shade, step.confidence)),
        "entropy_paths": _paths(trace, lambda step: map(_entropy_shade, step.entropy)),
        "blocks": _blocks(trace),
    }


def _shade_and_tooltip(trace: Trace, token: TracedToken) -> tuple[int, str]:
    """Return shade and tooltip of a token of the answer."""
    is_masked = token.token_id == trace.config.mask_token_id
    is_end = token.token_id == trace.config.eos_token_id
    title = f"{trace.label(token.token_id)}, " * (is_masked or is_end) + f"position {token.column + 1}"
    if token.step is None:
        return 0, title + (", stayed masked" if is_masked else ", filled in")
    title += f", step {token.step + 1}, confidence {token.confidence:.3f}, entropy {token.entropy:.3f} nats"
    return _step_shade(token.step, len(trace.steps)), title


def _step_shade(step: int, num_steps: int) -> int:
    return step * SHADES // num_steps


def _step_key(num_steps: int) -> list[tuple[int, str]]:
    """Return each shade with the number of its first step, from 1."""
    first: dict[int, str] = {}
    for step in range(num_steps):
        first.setdefault(_step_shade(step, num_steps), str(step + 1))
    return list(first.items())


def _confidence_shade(confidence: float) -> int:
    return min(SHADES - 1, int(confidence * SHADES))


def _entropy_shade(entropy: float) -> int:
    return min(SHADES - 1, int(max(entropy, 0.0) / NATS_PER_SHADE))


def _paths(trace: Trace, shades_of: Callable[[StepOutput], Iterable[int]]) -> list[str]:
    """Return an SVG path for each shade, with a row for each step; neighbours of equal shade are joined."""
    paths = [""] * SHADES
    for number, step in enumerate(trace.steps):
        runs: list[tuple[int, int, int]] = []  # shade, first column, length
        for column, shade in zip(step.columns, shades_of(step), strict=True):
            if runs and runs[-1][0] == shade and runs[-1][1] + runs[-1][2] == column:
                runs[-1] = (shade, runs[-1][1], runs[-1][2] + 1)
            else:
                runs.append((shade, column, 1))
        for shade, column, length in runs:
            paths[shade] += f"M{column} {number}h{length}"
    return paths


def _blocks(trace: Trace) -> list[dict[str, Any]]:
    """Return the table of each block: its columns, and the cells of each step by column."""
    blocks: dict[int, dict[str, Any]] = {}
    for number, step in enumerate(trace.steps):
        shades = map(_confidence_shade, step.confidence)
        cells = zip(step.token_ids, shades, step.is_revealed, strict=True)
        block = blocks.setdefault(step.block, {"number": step.block, "columns": set(), "steps": []})
        block["columns"].update(step.columns)
        block["steps"].append((number, dict(zip(step.columns, cells, strict=True))))
    return [block | {"columns": sorted(block["columns"])} for block in blocks.values()]

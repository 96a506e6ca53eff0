"""Traces as one HTML page with everything inside, without scripts, small enough to mail.

Model output is untrusted: the template escapes all text, control characters have become signs, and the page's
own security policy lets browsers load and run nothing.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from weft.report.html import load_template
from weft.trace.collect import (
    END_SIGN,
    Trace,
    TracedToken,
    TraceStep,
    describe,
    describe_confidence,
    visible,
)
from weft.trace.terminal import MASK

SHADES = 10
WIDE = 128  # positions; wider maps get the whole width
NATS_PER_SHADE = 0.3
"""The same in all traces, so that pages can be compared."""


def write_trace_page(
    traces: Sequence[Trace],
    out: Path,
    *,
    title: str,
    settings: dict[str, str],
    headings: Sequence[str],
    caption: str = "",
) -> None:
    """Write a page; the same traces give the same bytes.

    Args:
        traces: answers with the same settings.
        out: the HTML file to write.
        title: head of the page.
        settings: what was run, beside the settings of the reverse process; shown as it is.
        headings: one per trace.
        caption: what the numbers are and are not, if there is something to say.
    """
    decoding = traces[0].decoding
    content = {
        "title": visible(title),
        "caption": visible(caption.strip(), keep="\n"),
        "settings": [
            (visible(name), visible(value)) for name, value in (settings | describe(decoding)).items()
        ],
        "end_sign": END_SIGN,
        "mask_sign": MASK,
        "is_random": decoding.remasking == "random",
        "token_kind": "most probable" if decoding.temperature == 0 else "drawn",
        "confidence_note": describe_confidence(decoding).capitalize(),
        "confidence_key": [(shade, f"0.{shade}") for shade in range(SHADES)],
        "entropy_key": [(shade, f"{NATS_PER_SHADE * shade:.1f}") for shade in range(SHADES)],
        "traces": [_content(trace, heading) for trace, heading in zip(traces, headings, strict=True)],
    }
    page = load_template("trace.html.j2").render(content)
    out.parent.mkdir(parents=True, exist_ok=True)
    growing = out.with_name(f".{out.name}.new")
    growing.write_text(page, encoding="utf-8", newline="\n")
    growing.replace(out)


def _content(trace: Trace, heading: str) -> dict[str, Any]:
    """Make what the template shows of one trace."""
    num_steps = len(trace.steps)
    reference = trace.subject.reference
    text = reference if isinstance(reference, str) else json.dumps(reference, ensure_ascii=False)
    return {
        "heading": visible(heading),
        "question": visible(trace.subject.question, keep="\n"),
        "prompt": visible(trace.subject.prompt, keep="\n"),
        "name": visible(trace.subject.name),
        "reference": "" if reference is None else visible(text),
        "gen_length": len(trace.token_ids),
        "is_wide": len(trace.token_ids) > WIDE,
        "num_steps": num_steps,
        "step_key": _step_key(num_steps),
        "tokens": [_token(trace, token) for token in trace.tokens],
        "num_unrevealed": sum(token.step is None for token in trace.tokens),
        "ended_early": trace.ended_early,
        "confidence_paths": _paths(trace, lambda step: map(_confidence_shade, step.confidence)),
        "entropy_paths": _paths(trace, lambda step: map(_entropy_shade, step.entropy)),
        "dots": "".join(
            f"M{column}.5 {number}h0"
            for number, step in enumerate(trace.steps)
            for column, is_revealed in zip(step.columns, step.is_revealed, strict=True)
            if is_revealed
        ),
        "blocks": list(_blocks(trace)),
        "order": [
            {
                "step": (token.step or 0) + 1,
                "position": token.column + 1,
                "text": trace.label(token.token_id),
                "confidence": f"{token.confidence:.3f}",
                "entropy": f"{token.entropy:.3f}",
            }
            for token in trace.in_order
        ],
    }


def _token(trace: Trace, token: TracedToken) -> dict[str, Any]:
    is_masked = token.token_id == trace.decoding.mask_token_id
    is_end = token.token_id == trace.decoding.eos_token_id
    place = f"{trace.label(token.token_id)}, " * (is_masked or is_end) + f"position {token.column + 1}"
    if token.step is None:
        what = "stayed masked" if is_masked else "filled in"
        title, shade = f"{place}, {what}", 0
    else:
        values = f"confidence {token.confidence:.3f}, entropy {token.entropy:.3f} nats"
        title = f"{place}, step {token.step + 1}, {values}"
        shade = _step_shade(token.step, len(trace.steps))
    return {
        "text": MASK if is_masked else trace.sign(token.token_id),
        "step": None if token.step is None else token.step + 1,
        "shade": shade,
        "title": title,
    }


def _step_shade(step: int, num_steps: int) -> int:
    return step * SHADES // num_steps


def _step_key(num_steps: int) -> list[tuple[int, str]]:
    """Name the first step of each shade, from 1."""
    first: dict[int, str] = {}
    for step in range(num_steps):
        first.setdefault(_step_shade(step, num_steps), str(step + 1))
    return list(first.items())


def _confidence_shade(confidence: float) -> int:
    return min(SHADES - 1, int(confidence * SHADES))


def _entropy_shade(entropy: float) -> int:
    return min(SHADES - 1, int(max(entropy, 0.0) / NATS_PER_SHADE))


def _paths(trace: Trace, shades_of: Any) -> list[str]:
    """Draw a row per step: one path per shade, its pieces joined where neighbours have the same."""
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


def _blocks(trace: Trace) -> Iterator[dict[str, Any]]:
    """Lay out the steps of each block as a table."""
    numbered = list(enumerate(trace.steps))
    for block in dict.fromkeys(step.block for step in trace.steps):
        steps = [(number, step) for number, step in numbered if step.block == block]
        columns = sorted({column for _, step in steps for column in step.columns})
        yield {
            "number": block + 1,
            "first": columns[0] + 1,
            "last": columns[-1] + 1,
            "columns": [column + 1 for column in columns],
            "rows": [
                {"step": number + 1, "cells": [_cells(trace, step).get(column) for column in columns]}
                for number, step in steps
            ],
            "final": [_name(trace, trace.token_ids[column]) for column in columns],
        }


def _name(trace: Trace, token_id: int) -> str:
    """Show a token in a cell of its own."""
    return trace.sign(token_id) if token_id == trace.decoding.eos_token_id else trace.label(token_id)


def _cells(trace: Trace, step: TraceStep) -> dict[int, dict[str, Any]]:
    """Describe the predictions of a step, by column."""
    return {
        column: {
            "text": _name(trace, step.token_ids[index]),
            "shade": _confidence_shade(step.confidence[index]),
            "is_revealed": step.is_revealed[index],
        }
        for index, column in enumerate(step.columns)
    }

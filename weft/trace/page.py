"""Write traces as one self-contained HTML page without scripts, small enough to mail.

Model output is untrusted: the template escapes all text, control characters are replaced by signs, and the
content security policy of the page forbids browsers to load or run anything.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from weft.records.files import write_text
from weft.report.page_template import load_template
from weft.sampling.stream import StepOutput
from weft.trace.collect import (
    END_SIGN,
    Trace,
    TracedToken,
    describe,
    describe_confidence,
    visible,
)
from weft.trace.terminal import MASK

SHADES = 10
WIDE = 128
"""Number of positions above which a map gets the whole width of the page."""
NATS_PER_SHADE = 0.3
"""Entropy per shade; the same in all traces, so that pages can be compared."""


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
        out: HTML file to write.
        title: heading of the page.
        settings: name -> value of settings that are shown before those of the sampler.
        headings: a heading for each trace.
        caption: text below the title; may be empty.
    """
    config = traces[0].config
    content = {
        "title": visible(title),
        "caption": visible(caption.strip(), keep="\n"),
        "settings": [
            (visible(name), visible(value)) for name, value in (settings | describe(config)).items()
        ],
        "end_sign": END_SIGN,
        "mask_sign": MASK,
        "is_random": config.remasking == "random",
        "token_kind": "most probable" if config.temperature == 0 else "drawn",
        "confidence_note": describe_confidence(config).capitalize(),
        "confidence_key": [(shade, f"0.{shade}") for shade in range(SHADES)],
        "entropy_key": [(shade, f"{NATS_PER_SHADE * shade:.1f}") for shade in range(SHADES)],
        "traces": [_content(trace, heading) for trace, heading in zip(traces, headings, strict=True)],
    }
    write_text(out, load_template("trace.html.j2").render(content))


def _content(trace: Trace, heading: str) -> dict[str, Any]:
    """Return what the template shows of one trace."""
    num_steps = len(trace.steps)
    reference = trace.question.reference
    text = reference if isinstance(reference, str) else json.dumps(reference, ensure_ascii=False)
    return {
        "heading": visible(heading),
        "question": visible(trace.question.question, keep="\n"),
        "prompt": visible(trace.prompt, keep="\n"),
        "name": visible(trace.question.example_id),
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
    """Return text, shade and tooltip of a token of the answer."""
    is_masked = token.token_id == trace.config.mask_token_id
    is_end = token.token_id == trace.config.eos_token_id
    title = f"{trace.label(token.token_id)}, " * (is_masked or is_end) + f"position {token.column + 1}"
    if token.step is None:
        title += ", stayed masked" if is_masked else ", filled in"
        shade = 0
    else:
        title += f", step {token.step + 1}, confidence {token.confidence:.3f}"
        title += f", entropy {token.entropy:.3f} nats"
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
    """Return an SVG path for each shade, with a row for each step; neighbours of one shade are joined."""
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
    """Yield the table of each block: a row for each step, a column for each position."""
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
                {"step": number + 1, "cells": list(map(_cells(trace, step).get, columns))}
                for number, step in steps
            ],
            "final": [_label(trace, trace.token_ids[column]) for column in columns],
        }


def _label(trace: Trace, token_id: int) -> str:
    """Return the text of a token in a table cell."""
    return trace.sign(token_id) if token_id == trace.config.eos_token_id else trace.label(token_id)


def _cells(trace: Trace, step: StepOutput) -> dict[int, dict[str, Any]]:
    """Return the table cells of a step by column."""
    return {
        column: {
            "text": _label(trace, step.token_ids[index]),
            "shade": _confidence_shade(step.confidence[index]),
            "is_revealed": step.is_revealed[index],
        }
        for index, column in enumerate(step.columns)
    }

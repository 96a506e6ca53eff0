"""How far a job is, at what rate, and how long it will take: a bar for people, lines for a log."""

import sys
from io import TextIOBase
from typing import Any, TextIO

from tqdm import tqdm

SECONDS_BETWEEN_LINES = 30.0


class _Lines:
    """A stream on which every refresh of a bar becomes a line of its own."""

    def __init__(self, stream: TextIO | TextIOBase) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        line = text.strip()
        if line:
            self._stream.write(f"{line}\n")

    def flush(self) -> None:
        self._stream.flush()


def show_progress(
    *,
    total: int,
    done: int,
    name: str,
    stream: TextIO | TextIOBase | None = None,
    seconds_between_lines: float = SECONDS_BETWEEN_LINES,
) -> Any:
    """Make a progress bar; where the stream is no terminal, one that writes a line now and then.

    Args:
        total: answers that there will be.
        done: how many are there already; they do not count for the rate.
        name: stands in front.
        stream: where to show it; the standard error stream when empty.
        seconds_between_lines: in a log.
    """
    stream = stream or sys.stderr
    if stream.isatty():
        return tqdm(total=total, initial=done, desc=name, unit="answer", file=stream)
    return tqdm(
        total=total,
        initial=done,
        desc=name,
        unit="answer",
        file=_Lines(stream),
        mininterval=seconds_between_lines,
        miniters=1,
        ascii=True,
        ncols=100,
    )

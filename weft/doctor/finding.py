"""The result of a check of the machine: whether it would stop or disturb a run, and what to do."""

from typing import Literal

from weft.records.base import Record

Level = Literal["ok", "warning", "problem"]


class Finding(Record):
    """What a check of the machine came to."""

    level: Level
    """``problem`` if a run would stop, ``warning`` if it may be slow, wait or differ, otherwise ``ok``."""
    check: str
    """What was checked, such as ``disk``."""
    text: str
    """What was seen."""
    remedy: str | None = None
    """What to do; None if there is nothing to do."""

    def as_text(self) -> str:
        """Return the finding as a line of text."""
        remedy = "" if self.remedy is None else f"; {self.remedy}"
        return f"{self.level:<8} {self.check}: {self.text}{remedy}"


def ok(check: str, text: str) -> Finding:
    """Return the finding of a check that shows nothing wrong."""
    return Finding(level="ok", check=check, text=text)


def warning(check: str, text: str, remedy: str) -> Finding:
    """Return the finding of something that does not stop a run."""
    return Finding(level="warning", check=check, text=text, remedy=remedy)


def problem(check: str, text: str, remedy: str) -> Finding:
    """Return the finding of something that would stop a run."""
    return Finding(level="problem", check=check, text=text, remedy=remedy)

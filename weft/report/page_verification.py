"""What the page tells of the verification of its results (`weft.audit`)."""

from dataclasses import dataclass

from weft.records import Verification
from weft.report.shown_text import printable

MAX_FINDINGS = 50
"""Number of findings that the page lists."""


@dataclass(frozen=True)
class ShownVerification:
    """The outcome of verifying the results, in the form that the template shows.

    Attributes:
        holds: True if no check failed and nothing is missing.
        summary: what was verified, and the outcome, in a sentence.
        findings: what fails, is missing or belongs to nothing, and notes.
    """

    holds: bool
    summary: str
    findings: tuple[str, ...]


def show_verification(outcome: Verification) -> ShownVerification:
    """Return the sentence and the list that the page shows."""
    verified = f"{outcome.num_checks:,} checks of {outcome.num_results:,} results"
    if outcome.holds:
        summary = f"All {verified} hold: digests, inputs, counts and verdicts."
    else:
        summary = (
            f"Of {verified}, {outcome.count('fails'):,} do not hold, and {outcome.count('missing'):,} files "
            "are missing. The numbers on this page may not be those of the experiment."
        )
    lines = [
        printable(f"{finding.status}: {finding.result + ': ' if finding.result else ''}{finding.text}")
        for finding in outcome.findings
    ]
    further = len(lines) - MAX_FINDINGS
    more = (f"and {further} more, which weft verify lists",) if further > 0 else ()
    return ShownVerification(outcome.holds, summary, (*lines[:MAX_FINDINGS], *more))

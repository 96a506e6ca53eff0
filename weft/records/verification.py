"""The outcome of verifying the results of an experiment, which `weft.audit` computes."""

from typing import Literal

from pydantic import Field

from weft.records.base import Count, Record

Status = Literal["fails", "missing", "extra", "note"]
"""What a finding means: ``fails``, a check does not hold; ``missing``, a result or an input of one is not
there; ``extra``, a file belongs to no result; ``note``, something that a reader should know and that is no
fault."""


class Finding(Record):
    """Something that verifying the results has brought to light."""

    status: Status
    """What it means."""
    result: str
    """Path of the result in the folder of the experiment; empty if it concerns all of them."""
    text: str
    """What was expected, what is there, and what to do."""


class KindSummary(Record):
    """The checks of all results of a kind."""

    num_results: Count = 0
    """Number of results."""
    num_checks: Count = 0
    """Number of checks, of digests, inputs, counts and verdicts."""
    num_failed: Count = 0
    """Number of checks that do not hold."""
    num_missing: Count = 0
    """Number of results, or of inputs of other results, that are not there."""


class Verification(Record):
    """The outcome of verifying the results of an experiment; the file ``report/verification.json``."""

    experiment: str
    """Name of the experiment, as its results record it."""
    includes_page: bool
    """Whether the report page and the files that are made with it were verified too."""
    kinds: dict[str, KindSummary]
    """Kind of result, such as scores -> its checks."""
    findings: tuple[Finding, ...] = Field(strict=False)
    """All that does not hold, is missing or belongs to nothing, and notes."""

    @property
    def holds(self) -> bool:
        """True if no check fails and nothing is missing."""
        return not any(finding.status in {"fails", "missing"} for finding in self.findings)

    @property
    def num_results(self) -> int:
        """Number of results."""
        return sum(kind.num_results for kind in self.kinds.values())

    @property
    def num_checks(self) -> int:
        """Number of checks."""
        return sum(kind.num_checks for kind in self.kinds.values())

    def count(self, status: Status) -> int:
        """Return the number of findings with a status."""
        return sum(finding.status == status for finding in self.findings)

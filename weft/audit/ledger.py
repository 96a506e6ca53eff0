"""The checks that were made, and what they have brought to light."""

from collections import Counter
from collections.abc import Collection

from weft.audit.tree import kind_of
from weft.errors import name_some
from weft.records.verification import Finding, KindSummary, Status, Verification


class Ledger:
    """Collects checks and findings, and summarises them as a `Verification`.

    Args:
        unused: results on which the page does not depend, such as those of a benchmark that was removed from
            the experiment. What does not hold for them is no fault.
    """

    def __init__(self, unused: Collection[str] = ()) -> None:
        self._unused = unused
        self._results: dict[str, str] = {}
        self._checks: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._findings: list[Finding] = []
        self._users: dict[str, list[str]] = {}

    def add_result(self, name: str) -> None:
        """Count a result that the page uses."""
        if name not in self._unused:
            self._results[name] = kind_of(name)

    def check(self, result: str, holds: bool, text: str) -> None:
        """Record a check of a result, with the text of the finding if it does not hold."""
        if result in self._unused:
            if not holds:
                self.add("extra", result, f"the page does not use it, and it does not verify: {text}")
            return
        self._checks[kind_of(result)] += 1
        if not holds:
            self._failed[kind_of(result)] += 1
            self._findings.append(Finding(status="fails", result=result, text=text))

    def add_missing(self, name: str, *, user: str) -> None:
        """Record that a file is missing, and whose input or part it is."""
        users = [] if user in self._unused else self._users.setdefault(name, [])
        if user not in users:
            users.append(user)

    def add(self, status: Status, result: str, text: str) -> None:
        """Record a finding that is no check."""
        self._findings.append(Finding(status=status, result=result, text=text))

    def summarise(self, experiment: str, *, includes_page: bool) -> Verification:
        """Return the outcome; what fails comes first, then what is missing, then all else."""
        missing = [
            Finding(status="missing", result=name, text=f"it belongs to {name_some(users)}")
            for name, users in sorted(self._users.items())
        ]
        order: list[Status] = ["fails", "missing", "extra", "note"]
        findings = sorted([*self._findings, *missing], key=lambda finding: order.index(finding.status))
        num_results, num_missing = Counter(self._results.values()), Counter(map(kind_of, self._users))
        kinds = {
            kind: KindSummary(
                num_results=num_results[kind],
                num_checks=self._checks[kind],
                num_failed=self._failed[kind],
                num_missing=num_missing[kind],
            )
            for kind in sorted({*num_results, *self._checks, *num_missing})
        }
        return Verification(
            experiment=experiment, includes_page=includes_page, kinds=kinds, findings=tuple(findings)
        )

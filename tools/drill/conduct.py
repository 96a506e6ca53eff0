"""The course of a drill: the undisturbed run, the faults, and the comparison of each finished run."""

import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tools.drill.compare import digest_results, list_differences, list_leftovers, read_answers
from tools.drill.damage import Target, damage_file
from tools.drill.faults import SIGNALS, Fault
from tools.drill.processes import list_abandoned, list_shared_memory
from tools.drill.records import DONE, RUNS, FaultRecord, RunRecord, read_faults, read_runs
from tools.drill.session import DrillError, Session, Sessions, Setup
from tools.drill.tamper import is_verifiable, tamper
from weft.records.base import Record
from weft.records.files import LineAppender, read_json, write_json

ORPHAN_SECONDS = 120.0
"""Time, in seconds, that the processes of a finished run have to end, also on a busy machine."""
QUIET_SECONDS = 2.0
"""Time, in seconds, that killed processes have to end before a file is damaged."""
EXPECTED = "undisturbed.json"


class Expected(Record):
    """The undisturbed run."""

    digests: dict[str, str]
    """Result -> SHA-256."""
    finished: dict[str, int]
    """Rule -> number of its jobs."""


@dataclass
class _Pending:
    """A fault whose effect is looked at when the next one comes."""

    fault: Fault
    run: int
    exit_code: int
    damage: str | None
    needed: list[str]
    answers: dict[str, set[bytes]]


@dataclass
class Drill:
    """A drill in a folder.

    Attributes:
        setup: what is run.
        damaged: kinds of file that may be damaged.
        start: folder that is copied to begin a run; None for an empty one.
        report: function that is told what happens.
    """

    setup: Setup
    damaged: Sequence[Target]
    start: Path | None = None
    report: Callable[[str], None] = print
    _pending: _Pending | None = field(default=None, init=False)
    _shared: set[str] = field(default_factory=set, init=False)

    def conduct(self, faults: Sequence[Fault]) -> None:
        """Do the faults that are not done yet, and finish and compare every run.

        Args:
            faults: all faults of the drill.

        Raises:
            DrillError: the undisturbed run fails, or Snakemake hangs.
        """
        self.setup.folder.mkdir(parents=True, exist_ok=True)
        self._stop_all()  # of a drill that was killed
        expected = self._run_undisturbed()
        self._shared = list_shared_memory()
        done = {fault.number for fault in read_faults(self.setup.folder)}
        remaining = [fault for fault in faults if fault.number not in done]
        sessions, session = self._sessions, None
        try:
            if sessions.directory.exists():  # the run in which the drill was killed
                session, _ = sessions.start()
            for fault in remaining:
                while session is None or not sessions.wait_for_moment(session, fault):
                    if session is not None:
                        self._finish(sessions, session, expected)
                    session = self._begin(sessions)
                session = self._strike(sessions, session, fault)
            if session is not None:
                self._finish(sessions, session, expected)
        finally:
            self._stop_all()

    @property
    def _sessions(self) -> Sessions:
        return Sessions(self.setup, self.setup.folder / "disturbed")

    def _stop_all(self) -> None:
        SIGNALS["SIGKILL everything"](0, self.setup.mark)

    def _run_undisturbed(self) -> Expected:
        """Return the undisturbed run, which is made first."""
        file = self.setup.folder / EXPECTED
        if file.exists():
            return read_json(file, Expected)
        sessions = Sessions(self.setup, self.setup.folder / "undisturbed")
        sessions.clear()
        shutil.rmtree(sessions.directory, ignore_errors=True)
        session = self._begin(sessions)
        if sessions.wait(session) != 0:
            raise DrillError(f"the undisturbed run fails: {sessions.last_words()}")
        expected = Expected(digests=digest_results(sessions.root), finished=dict(sessions.count_finished()))
        write_json(file, expected)
        self.report(f"undisturbed run: {len(expected.digests)} results are compared")
        return expected

    def _begin(self, sessions: Sessions) -> Session:
        """Start a run from scratch."""
        if self.start is None:
            sessions.directory.mkdir(parents=True)
        else:
            shutil.copytree(self.start, sessions.directory)
        session, _ = sessions.start()
        return session

    def _strike(self, sessions: Sessions, session: Session, fault: Fault) -> Session:
        """Interrupt a session, damage a file, and go on."""
        run = len(read_runs(self.setup.folder))
        exit_code = sessions.interrupt(session, fault)
        self._conclude(sessions)  # the fault before
        is_quiet = not sessions.wait_for_orphans(QUIET_SECONDS)  # no job runs on that could write the file
        damage = damage_file(sessions.root, self.damaged, fault.seed) if fault.damages and is_quiet else None
        answers = read_answers(sessions.root)
        started, needed = sessions.start()
        self._pending = _Pending(fault, run, exit_code, damage, needed, answers)
        self.report(
            f"{fault.number + 1}: run {run}, {fault.kind} after {fault.num_events} events, exit code "
            f"{exit_code}; {damage or 'no damage'}; needed: {', '.join(needed) or 'nothing'}"
        )
        return started

    def _conclude(self, sessions: Sessions) -> None:
        """Write the record of the fault before, now that its effect is seen."""
        if self._pending is None:
            return
        pending, self._pending = self._pending, None
        now = read_answers(sessions.root)
        lost = [
            line
            for store, lines in pending.answers.items()
            for line in lines - now.get(store, set())
            if not (pending.damage or "").endswith(store)
        ]
        record = FaultRecord(
            number=pending.fault.number,
            run=pending.run,
            kind=pending.fault.kind,
            num_events=pending.fault.num_events,
            exit_code=pending.exit_code,
            damage=pending.damage,
            needed=pending.needed,
            lost_answers=len(lost),
        )
        with LineAppender(self.setup.folder / DONE, FaultRecord) as file:
            file.append(record)

    def _finish(self, sessions: Sessions, session: Session, expected: Expected) -> None:
        """Let a run come to its end, compare it with the undisturbed one, and remove it."""
        needed: list[str] = []
        exit_code = sessions.wait(session)
        if exit_code != 0:  # as a user would, once more
            needed.append("the same command once more")
            session, _ = sessions.start()
            exit_code = sessions.wait(session)
        differences = list_differences(expected.digests, sessions.root)
        missing = [text.removeprefix("missing: ") for text in differences if text.startswith("missing: ")]
        if exit_code == 0 and missing:  # deleted results whose followers are complete
            needed.append(f"named as targets: {', '.join(missing)}")
            targets = tuple(str(Path("results") / self.setup.name / name) for name in missing)
            session, _ = sessions.start(targets)
            exit_code = sessions.wait(session)
            differences = list_differences(expected.digests, sessions.root)
        self._conclude(sessions)
        if exit_code != 0:
            differences.insert(0, f"Snakemake ends with {exit_code}: {sessions.last_words()}")
        orphans = sessions.wait_for_orphans(ORPHAN_SECONDS)
        shared = list_abandoned(list_shared_memory() - self._shared)
        number = len(read_runs(self.setup.folder))
        record = RunRecord(
            run=number,
            num_faults=sum(fault.run == number for fault in read_faults(self.setup.folder)),
            needed=needed,
            differences=differences,
            repeated=dict(Counter(sessions.count_finished()) - Counter(expected.finished)),
            orphans=orphans,
            leftovers=[*list_leftovers(sessions.root), *(f"/dev/shm/{name}" for name in shared)],  # noqa: S108
            tampered=tamper(sessions.root, number) if not differences and is_verifiable() else None,
        )
        with LineAppender(self.setup.folder / RUNS, RunRecord) as file:
            file.append(record)
        verdict = "same bytes" if not differences else f"{len(differences)} differences: {differences[0]}"
        self.report(f"run {number}, {record.num_faults} faults: {verdict}")
        self._remove(sessions, number, is_same=not differences)

    def _remove(self, sessions: Sessions, number: int, *, is_same: bool) -> None:
        """Remove a finished run, or keep it for people if it differs."""
        if is_same:
            shutil.rmtree(sessions.directory)
            sessions.clear()
        else:
            sessions.directory.rename(self.setup.folder / f"differs-{number}")
            (self.setup.folder / "logs" / "disturbed").rename(
                self.setup.folder / "logs" / f"differs-{number}"
            )

"""Sessions of Snakemake in a folder: start, interrupt, go on with the documented commands."""

import os
import re
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tools.drill.faults import SIGNALS, Fault
from tools.drill.processes import MARK, find_processes
from tools.drill.progress import Progress
from weft.config.places import CHECKOUT

POLL_SECONDS = 0.1
"""Time between two looks at the progress, in seconds."""
LIMIT_SECONDS = 3600
"""Time, in seconds, after which a session counts as hanging; on an idle machine it takes minutes."""
UNDER_WAY = ("Provided cores", "Nothing to be done")
"""Text that Snakemake prints once it holds its lock, or needs none."""
IS_LOCKED = "cannot be locked"
FINISHED = re.compile(r"^Finished jobid: \d+ \(Rule: (\w+)\)", flags=re.MULTILINE)


class DrillError(Exception):
    """A session hangs, or its folder cannot be unlocked."""


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What a drill runs.

    Attributes:
        folder: folder of the drill, absolute.
        experiment: the experiment file.
        name: name of the experiment.
        targets: targets of Snakemake; none for the default ones.
        options: further options of Snakemake.
        cores: number of jobs at once.
    """

    folder: Path
    experiment: Path
    name: str
    targets: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    cores: int = 2

    @property
    def mark(self) -> str:
        """Value of the variable that marks all processes of the drill."""
        return str(self.folder)

    def command(self, directory: Path, *arguments: str, targets: tuple[str, ...] | None = None) -> list[str]:
        """Return the command that runs the experiment in a working directory."""
        return [
            sys.executable, "-m", "snakemake", "--snakefile", str(CHECKOUT / "Snakefile"),
            "--directory", str(directory), "--cores", str(self.cores), "--nocolor", *self.options, *arguments,
            "--config", f"experiment={self.experiment}",
            "--", *(self.targets if targets is None else targets),
        ]  # fmt: skip

    def environment(self) -> dict[str, str]:
        """Return the environment of all processes of the drill."""
        temporary = self.folder / "tmp"
        temporary.mkdir(parents=True, exist_ok=True)
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return os.environ | {MARK: self.mark, "TMPDIR": str(temporary), "PATH": path}


@dataclass
class Session:
    """A running Snakemake, the leader of its process group, with its log."""

    process: "subprocess.Popen[bytes]"
    log: Path
    progress: Progress


class Sessions:
    """The sessions of a run in one working directory.

    Args:
        setup: what is run.
        directory: the working directory.
    """

    def __init__(self, setup: Setup, directory: Path) -> None:
        self._setup, self.directory = setup, directory
        self.root = directory / "results" / setup.name
        self._logs = setup.folder / "logs" / directory.name

    def start(self, targets: tuple[str, ...] | None = None) -> tuple[Session, list[str]]:
        """Start Snakemake, and unlock its folder first if it refuses to start.

        Args:
            targets: targets of Snakemake; None for those of the setup.

        Returns:
            The session, and what was needed beside the command.
        """
        session = self._start(targets)
        if not self._is_locked(session):
            return session, []
        unlock = self._setup.command(self.directory, "--unlock")
        subprocess.run(unlock, check=True, capture_output=True, env=self._setup.environment())
        session = self._start(targets)
        if self._is_locked(session):
            raise DrillError(f"{self.directory} is still locked after --unlock, see {session.log}")
        return session, ["--unlock"]

    def _start(self, targets: tuple[str, ...] | None) -> Session:
        self._logs.mkdir(parents=True, exist_ok=True)
        log = self._logs / f"{len(list(self._logs.iterdir())):03d}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                self._setup.command(self.directory, targets=targets),
                stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                env=self._setup.environment(), start_new_session=True,
            )  # fmt: skip
        return Session(process, log, Progress(self.root))

    def _is_locked(self, session: Session) -> bool:
        """Wait until a session is under way or has ended; return True if the folder is locked."""
        wait = _Patience(f"{session.log} does not begin to run jobs")
        while session.process.poll() is None:
            if any(text in session.log.read_text(errors="replace") for text in UNDER_WAY):
                return False
            wait.sleep()
        return session.process.returncode != 0 and IS_LOCKED in session.log.read_text(errors="replace")

    def wait_for_moment(self, session: Session, fault: Fault) -> bool:
        """Wait for the moment of a fault.

        Args:
            session: the running session.
            fault: the fault; its events are counted from the start of a process of its kind.

        Returns:
            True at the moment; False if Snakemake has ended before.
        """
        mark, wait = self._setup.mark, _Patience(f"{session.log} does not end")
        pid, start = (0 if fault.role else session.process.pid), 0
        while session.process.poll() is None:
            events = session.progress.update()
            if fault.role is not None:
                running = find_processes(mark, fault.role)
                if pid not in running:  # another process, whose events are counted anew
                    pid, start = min(running, default=0), events
            if pid and events - start >= fault.num_events:
                return True
            wait.sleep()
        return False

    def interrupt(self, session: Session, fault: Fault) -> int:
        """Send the signal of a fault, and wait until Snakemake has ended; return its exit code."""
        SIGNALS[fault.kind](session.process.pid, self._setup.mark)
        return self.wait(session)

    def wait(self, session: Session) -> int:
        """Wait until Snakemake has ended, and return its exit code."""
        try:
            return session.process.wait(timeout=LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            raise DrillError(f"Snakemake does not end, see {session.log}") from None

    def wait_for_orphans(self, seconds: float) -> list[int]:
        """Wait until all processes of the drill have ended; return those that have not."""
        end = time.monotonic() + seconds
        while (remaining := find_processes(self._setup.mark)) and time.monotonic() < end:
            time.sleep(POLL_SECONDS)
        return remaining

    def count_finished(self) -> Counter[str]:
        """Return how often the jobs of each rule have finished in all sessions so far."""
        texts = [log.read_text(errors="replace") for log in sorted(self._logs.glob("*.log"))]
        return Counter(rule for text in texts for rule in FINISHED.findall(text))

    def last_words(self) -> str:
        """Return the last lines of the last log, on one line."""
        lines = sorted(self._logs.glob("*.log"))[-1].read_text(errors="replace").strip().splitlines()
        return " / ".join(line.strip() for line in lines[-8:])

    def clear(self) -> None:
        """Delete the logs, for a new run."""
        for log in self._logs.glob("*.log"):
            log.unlink()


class _Patience:
    """Waiting that ends with an error after `LIMIT_SECONDS`."""

    def __init__(self, message: str) -> None:
        self._message, self._end = message, time.monotonic() + LIMIT_SECONDS

    def sleep(self) -> None:
        """Wait a little.

        Raises:
            DrillError: the limit is reached.
        """
        if time.monotonic() > self._end:
            raise DrillError(f"{self._message} within {LIMIT_SECONDS} s")
        time.sleep(POLL_SECONDS)

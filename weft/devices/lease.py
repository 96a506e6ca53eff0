"""Leases of GPUs: no two jobs of a user on a machine use the same GPU at the same time.

Every GPU has a file in a folder of the user, on which its holders have a shared lock of flock(2). A process
takes a GPU by first getting the exclusive lock, which the kernel refuses while anybody holds the file. The
ranks of a training add shared locks of their own. The kernel releases a lock with the process, even after
``kill -9``. Files are therefore never removed, and their content is for information only.

Processes that find too few free GPUs queue with numbered files. A process waits for those before it which
could use one of its GPUs, so that a training on several GPUs is not overtaken by smaller jobs for ever.
"""

import fcntl
import json
import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from weft.devices.visible import Device
from weft.errors import ConfigError

LOG = logging.getLogger("weft")
FOLDER = "WEFT_LEASE_DIR"
"""Environment variable with the folder of the locks, for containers that share GPUs."""
HELD = "WEFT_LEASE"
"""Environment variable with the lock files of a launcher, with colons between them, for its ranks."""
POLL_SECONDS = 0.2
"""Time between two looks at the queue, in seconds; jobs with a GPU run for minutes to days."""


@dataclass
class Lease:
    """GPUs that this process may use until it ends or releases them."""

    devices: tuple[Device, ...]
    """The devices, in the order of the candidates."""
    files: dict[Path, int] = field(repr=False)
    """Lock file -> its open descriptor."""

    def release(self) -> None:
        """Give the GPUs back, unless another process has joined the lease and still runs."""
        for descriptor in self.files.values():
            os.close(descriptor)
        self.files = {}


def lease_folder() -> Path:
    """Return the folder of the locks of this user on this machine, which is created if necessary.

    The folder does not depend on ``TMPDIR``, which differs between jobs. It is on a disk of the machine,
    unlike the user's cache, because the numbers of GPUs are those of the machine.

    Returns:
        The folder.

    Raises:
        ConfigError: the folder belongs to somebody else.
    """
    given = os.environ.get(FOLDER)
    folder = Path(given) if given else Path(f"/tmp/weft-{os.getuid()}")  # noqa: S108 - the owner is checked
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise ConfigError(
            f"the folder of GPU leases {folder} must be a folder of this user, but it belongs to somebody "
            f"else; set {FOLDER} to a folder of yours on this machine"
        )
    return folder


def lease(candidates: Sequence[Device], count: int = 1) -> Lease:
    """Take GPUs that no other job of this user holds, after waiting for them if necessary.

    Args:
        candidates: the devices among which to choose; the first free ones are taken.
        count: number of devices.

    Returns:
        The lease.

    Raises:
        ConfigError: there are fewer candidates than devices to take, or the folder of the locks cannot be
            used.
    """
    if count > len(candidates):
        raise ConfigError(f"{count} GPUs must be taken from at least as many, got {len(candidates)}")
    folder = lease_folder()
    with _guard(folder):
        ticket = _draw_ticket(folder, candidates)
    try:
        is_first_try = True
        while True:
            with _guard(folder):
                if not _is_preceded(folder, ticket, candidates) and (
                    taken := _take(folder, candidates, count)
                ):
                    return taken
            if is_first_try:
                LOG.warning("%s", _describe_wait(candidates, count))
                is_first_try = False
            time.sleep(POLL_SECONDS)
    finally:
        with _guard(folder):
            ticket.path.unlink(missing_ok=True)
        os.close(ticket.descriptor)


def find_holders(candidates: Sequence[Device]) -> dict[str, str]:
    """Find which process has taken each of some GPUs.

    Args:
        candidates: the devices.

    Returns:
        Identity of a device that is held -> id of the process that took it.

    Raises:
        ConfigError: the folder of the locks belongs to somebody else.
    """
    folder, holders = lease_folder(), {}
    with _guard(folder):
        for device in candidates:
            path = _lock_path(folder, device)
            descriptor = _open(path)
            try:
                if not _try_lock(descriptor, fcntl.LOCK_EX):
                    holders[device.identity] = path.read_text()
            finally:
                os.close(descriptor)
    return holders


def _describe_wait(candidates: Sequence[Device], count: int) -> str:
    held = ", ".join(sorted(set(find_holders(candidates).values())))
    reason = f"processes that hold GPUs: {held}" if held else "others wait longer"
    return f"waiting for {count} of the {len(candidates)} visible GPUs ({reason})"


def join_lease() -> None:
    """Hold the GPUs of the launcher in this process as well, see `HELD`.

    Raises:
        ConfigError: another job has taken one of them, because the launcher has ended.
    """
    for path in filter(None, os.environ.get(HELD, "").split(":")):
        descriptor = os.open(path, os.O_RDWR)  # stays open until the process ends
        if not _try_lock(descriptor, fcntl.LOCK_SH):
            raise ConfigError(f"the GPU of {path} must be held by the launcher, but another job has it")


@dataclass(frozen=True)
class _Ticket:
    number: int
    path: Path
    descriptor: int


@contextmanager
def _guard(folder: Path) -> Iterator[None]:
    """Exclude other processes that take GPUs or tickets."""
    path = folder / "guard"
    while True:
        descriptor = _open(path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if not _is_at(path, descriptor):
                continue
            yield
            return
        finally:
            os.close(descriptor)


def _draw_ticket(folder: Path, candidates: Sequence[Device]) -> _Ticket:
    number = max((number for number, _ in _tickets(folder)), default=0) + 1
    path = folder / f"ticket.{number}"
    descriptor = _open(path)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    os.pwrite(descriptor, json.dumps([device.identity for device in candidates]).encode(), 0)
    return _Ticket(number, path, descriptor)


def _tickets(folder: Path) -> list[tuple[int, Path]]:
    return sorted((int(path.suffix[1:]), path) for path in folder.glob("ticket.*"))


def _is_preceded(folder: Path, ticket: _Ticket, candidates: Sequence[Device]) -> bool:
    """Return True if a process that waits for one of the candidates drew its ticket earlier."""
    wanted = {device.identity for device in candidates}
    earlier = [path for number, path in _tickets(folder) if number < ticket.number]
    return any(_is_waiting(path) and wanted & set(json.loads(path.read_text())) for path in earlier)


def _is_waiting(ticket: Path) -> bool:
    """Return True if the process of a ticket is alive; remove the ticket if not."""
    descriptor = _open(ticket)
    try:
        if _try_lock(descriptor, fcntl.LOCK_EX):
            ticket.unlink()
            return False
        return True
    finally:
        os.close(descriptor)


def _take(folder: Path, candidates: Sequence[Device], count: int) -> Lease | None:
    """Return a lease of the first free candidates, or None if too few are free."""
    taken = Lease((), {})
    for device in candidates:
        path = _lock_path(folder, device)
        descriptor = _open(path)
        if not _try_lock(descriptor, fcntl.LOCK_EX) or not _is_at(path, descriptor):
            os.close(descriptor)
            continue
        fcntl.flock(descriptor, fcntl.LOCK_SH)  # nobody can come between, because of the guard
        taken.devices, taken.files[path] = (*taken.devices, device), descriptor
        if len(taken.devices) == count:
            for held in taken.files.values():
                os.ftruncate(held, 0)
                os.pwrite(held, str(os.getpid()).encode(), 0)
            return taken
    taken.release()
    return None


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def _is_at(path: Path, descriptor: int) -> bool:
    """Return True if an open file still has its name, which a program that tidies /tmp may have removed."""
    try:
        return path.stat().st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lock_path(folder: Path, device: Device) -> Path:
    return folder / f"gpu.{device.identity.replace('/', '_')}"

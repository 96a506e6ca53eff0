"""The faults of a drill: eight kinds of interruption, drawn with their moments from a seed."""

import os
import random
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from tools.drill.processes import Role, find_processes

Kind = Literal[
    "SIGKILL snakemake alone",
    "SIGKILL a training rank",
    "SIGKILL a sampler",
    "SIGTERM snakemake",
    "SIGINT snakemake",
    "SIGINT process group",
    "SIGKILL process group",
    "SIGKILL everything",
]
MAX_EVENTS = 60
"""Largest number of events, counted from the start of a session, after which a whole session is interrupted;
the smallest experiment has about 400 in all."""
MAX_JOB_EVENTS = 8
"""The same for a job, counted from the start of its process: a training has six checkpoints, a sampler 16
answers."""
DAMAGE_SHARE = 0.5
"""Share of the interruptions after which a file is damaged."""


@dataclass(frozen=True)
class Fault:
    """An interruption, and whether a file is damaged after it.

    Attributes:
        number: its number in the drill, from 0.
        kind: what is sent to which processes.
        num_events: number of events before it.
        damages: whether a file is damaged afterwards.
        seed: seed of the choice of that file.
    """

    number: int
    kind: Kind
    num_events: int
    damages: bool
    seed: int

    @property
    def role(self) -> Role | None:
        """Kind of process that must be running; None for Snakemake itself."""
        return _ROLES.get(self.kind)


_ROLES: Mapping[Kind, Role] = {"SIGKILL a training rank": "rank", "SIGKILL a sampler": "sampler"}


def draw_faults(count: int, seed: int) -> list[Fault]:
    """Draw faults; each kind occurs equally often, up to one.

    Args:
        count: number of faults. The first faults are the same for each larger number.
        seed: seed of kinds, moments and damages.

    Returns:
        The faults.
    """
    generator = random.Random(seed)
    faults: list[Fault] = []
    while len(faults) < count:
        kinds = [*SIGNALS]
        generator.shuffle(kinds)
        for kind in kinds:
            largest = MAX_JOB_EVENTS if kind in _ROLES else MAX_EVENTS
            faults.append(
                Fault(
                    number=len(faults),
                    kind=kind,
                    num_events=generator.randint(0, largest),
                    damages=generator.random() < DAMAGE_SHARE,
                    seed=generator.randrange(2**32),
                )
            )
    return faults[:count]


def _kill(role: Role) -> Callable[[int, str], None]:
    def send(_: int, mark: str) -> None:
        _send(min(find_processes(mark, role), default=None), signal.SIGKILL)

    return send


def _kill_everything(_: int, mark: str) -> None:
    for pid in find_processes(mark):
        _send(pid, signal.SIGKILL)


def _send(pid: int | None, number: signal.Signals) -> None:
    if pid is not None:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return  # it has just ended


SIGNALS: Mapping[Kind, Callable[[int, str], None]] = {
    "SIGKILL snakemake alone": lambda pid, mark: _send(pid, signal.SIGKILL),
    "SIGKILL a training rank": _kill("rank"),
    "SIGKILL a sampler": _kill("sampler"),
    "SIGTERM snakemake": lambda pid, mark: _send(pid, signal.SIGTERM),
    "SIGINT snakemake": lambda pid, mark: _send(pid, signal.SIGINT),
    "SIGINT process group": lambda pid, mark: os.killpg(pid, signal.SIGINT),
    "SIGKILL process group": lambda pid, mark: os.killpg(pid, signal.SIGKILL),
    "SIGKILL everything": _kill_everything,
}
"""Kind -> function that sends the signal, given the process id of Snakemake, which leads its group, and the
mark of all processes of the drill."""

"""What keeps Snakemake on a Slurm cluster from waiting for ever.

Snakemake's executor plugin for Slurm learns from ``squeue`` or ``sacct`` that a job has ended. A job that
neither of them shows, or whose state the plugin takes for a temporary one, counts as running. Settings of a
cluster that lead to this are refused before the first job.
"""

import math
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from weft.errors import ConfigError

LONGEST_CHECK_S = 180
"""Longest time between two looks at the jobs, in seconds (snakemake-executor-plugin-slurm 2.8.0)."""
CHECKS_BEFORE_SACCT = 3
"""The plugin prefers sacct if Slurm forgets jobs within this many first intervals (the same version)."""
CONTROLLER_TIMEOUT_S = 20


@dataclass(frozen=True)
class StatusChecks:
    """How the executor plugin looks at its jobs."""

    command: str
    """``squeue`` or ``sacct``."""
    first_check_s: int
    """Time between the submission of a job and the first look at it, in seconds."""
    has_sacct: bool
    """Whether the command sacct is installed."""
    is_requeued: bool
    """Whether Slurm is asked to queue interrupted jobs again."""


@dataclass(frozen=True)
class SlurmCluster:
    """What decides on a cluster whether the end of a job is noticed."""

    has_accounting: bool
    """Whether a database keeps the states of jobs that have ended."""
    min_job_age_s: int
    """How long the controller remembers a job that has ended, in seconds; 0 stands for ever."""
    preempts: bool
    """Whether jobs of higher priority interrupt others."""
    cancelling: tuple[str, ...]
    """Partitions whose preempted jobs are cancelled and not queued again."""


def read_cluster() -> SlurmCluster | None:
    """Ask the controller for its configuration.

    Returns:
        What matters of it; None if the controller does not answer.
    """
    texts = []
    for what in (["config"], ["-o", "partition"]):
        try:
            result = subprocess.run(
                ["scontrol", *what[:-1], "show", what[-1]],
                capture_output=True, text=True, timeout=CONTROLLER_TIMEOUT_S, check=True,
            )  # fmt: skip
        except (OSError, subprocess.SubprocessError):
            return None
        texts.append(result.stdout)
    return parse_cluster(*texts)


def parse_cluster(config: str, partitions: str) -> SlurmCluster:
    """Parse the configuration of a cluster.

    Args:
        config: output of ``scontrol show config``.
        partitions: output of ``scontrol -o show partition``, a line for each.

    Returns:
        What matters of it. Settings that are missing have Slurm's defaults.
    """
    pairs = (line.partition("=") for line in config.splitlines())
    settings = {key.strip(): value.strip() for key, _, value in pairs}
    modes = {}
    for line in partitions.splitlines():
        fields = dict(word.split("=", 1) for word in line.split() if "=" in word)
        if "PartitionName" in fields:
            modes[fields["PartitionName"]] = fields.get("PreemptMode", "")
    preempts = settings.get("PreemptType", "preempt/none") not in {"preempt/none", "(null)"}
    return SlurmCluster(
        has_accounting=settings.get("AccountingStorageType", "")
        not in {"", "accounting_storage/none", "(null)"},
        min_job_age_s=_seconds(settings),
        preempts=preempts,
        cancelling=tuple(name for name, mode in modes.items() if preempts and "CANCEL" in mode.split(",")),
    )


def _seconds(settings: Mapping[str, str]) -> int:
    """Return ``MinJobAge``, which Slurm prints as ``300 sec``."""
    number = settings.get("MinJobAge", "").split(" ")[0]
    return int(number) if number.isdecimal() else 300


def check_cluster(cluster: SlurmCluster, checks: StatusChecks) -> Iterator[str]:
    """Refuse settings with which the end of a job is never noticed.

    Args:
        cluster: the cluster.
        checks: how the executor plugin looks at jobs.

    Yields:
        Warnings of preemption that would keep Snakemake waiting.

    Raises:
        ConfigError: the end of a job would not be noticed.
    """
    if problem := _find_blindness(cluster, checks):
        raise ConfigError(problem)
    if cluster.preempts and not checks.is_requeued:
        yield (
            "this cluster preempts jobs, and Snakemake would wait for a preempted one for ever; write "
            "slurm-requeue: true in the profile, so that Slurm starts it again"
        )
    if cluster.cancelling:
        yield (
            f"Slurm cancels preempted jobs of the partition {' and '.join(cluster.cancelling)} instead of "
            "starting them again, and Snakemake waits for them; if that happens, start them again with "
            "scontrol requeue JOB (docs/cluster.md)"
        )


def keep_jobs_without_answer(plugin: ModuleType) -> None:
    """Let the executor plugin go on with its jobs when Slurm answers none of its questions.

    Version 2.8.0 asks five times (``--slurm-status-attempts``). If none is answered, as during a restart of
    the controller, it forgets all jobs without a message, and Snakemake waits for ever. With this, an answer
    that does not come counts as an empty one, with which the jobs are kept until the next look at them.

    Args:
        plugin: the module ``snakemake_executor_plugin_slurm``; its ``query_job_status`` is replaced.
    """
    ask = plugin.query_job_status
    if getattr(ask, "keeps_jobs", False):
        return

    async def ask_and_keep(command: str, logger: Any) -> tuple[dict[str, str], float]:
        states, seconds = await ask(command, logger)
        if states is not None:
            return states, seconds
        program = command.split(maxsplit=1)[0]
        logger.warning(f"Slurm does not answer {program}; its jobs are kept, and it is asked again")
        return {}, 0.0

    ask_and_keep.keeps_jobs = True  # type: ignore[attr-defined]
    plugin.query_job_status = ask_and_keep  # type: ignore[attr-defined]


def _find_blindness(cluster: SlurmCluster, checks: StatusChecks) -> str | None:
    """Return why Snakemake would not notice that a job has ended, and what to do; None if it would."""
    age = cluster.min_job_age_s or math.inf
    forgets = age < CHECKS_BEFORE_SACCT * checks.first_check_s
    uses_sacct = checks.has_sacct and (checks.command == "sacct" or forgets)
    if uses_sacct and cluster.has_accounting:
        return None
    if checks.has_sacct and checks.command == "sacct":
        return (
            "slurm-status-command must be squeue on a cluster without job accounting, got sacct, with which "
            "Snakemake would wait for ever; write slurm-status-command: squeue in the profile"
        )
    if age <= LONGEST_CHECK_S:
        advice = (
            "remove slurm-status-command: squeue from the profile, so that sacct is asked"
            if cluster.has_accounting and checks.has_sacct
            else "ask the administrators of the cluster to raise MinJobAge, or to set up job accounting"
        )
        return (
            f"Slurm must remember jobs that have ended for more than {LONGEST_CHECK_S} seconds, because "
            f"Snakemake asks squeue that seldom, got MinJobAge={cluster.min_job_age_s}; {advice}"
        )
    if uses_sacct:
        return (
            "slurm-init-seconds-before-status-checks must be at most a third of MinJobAge "
            f"({cluster.min_job_age_s // CHECKS_BEFORE_SACCT}) on a cluster without job accounting, got "
            f"{checks.first_check_s}, with which Snakemake asks sacct and would wait for ever; change it in "
            "the profile"
        )
    return None

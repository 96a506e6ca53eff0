"""A Slurm cluster of two nodes on this machine, with simulated GPUs, for tests of the workflow.

All files are below one folder. The daemons are children of the test and are ended by their process ids.
Messages are not signed (``auth/none``), so that neither root's configuration nor munge is needed.
"""

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import yaml

from tests.support.micro import REPOSITORY

DAEMONS = ("slurmctld", "slurmd")
CLIENTS = ("sbatch", "srun", "squeue", "scancel", "scontrol", "sacct", "sacctmgr", "sshare")
NODES = ("n1", "n2")
GPUS_PER_NODE = 2
POLL_S = 0.05
SLURM_LIMIT_S = 420
"""Limit for what Slurm does by itself: it looks at time limits once a minute, for example."""

CONFIGURATION = """\
ClusterName=weft-test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/none
CredType=cred/none
AuthInfo=cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=2,sched_interval=2,sched_min_interval=0,batch_sched_delay=0
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmdParameters=config_overrides
SlurmdTimeout=10
ReturnToService=0
KillWait=2
MinJobAge={min_job_age}
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
{memory_limit}
GresTypes=gpu
{nodes}
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE PriorityTier=1
PartitionName=spot Nodes=ALL MaxTime=INFINITE PriorityTier=1 PreemptMode=CANCEL
PartitionName=urgent Nodes=ALL MaxTime=INFINITE PriorityTier=9 PreemptMode=OFF
"""
NODE = (
    "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=8 RealMemory=64000 "
    "Gres=gpu:{gpus} State=UNKNOWN"
)


def missing_programs() -> list[str]:
    """List the programs of Slurm that are not installed."""
    return [name for name in (*DAEMONS, *CLIENTS) if find_program(name) is None]


def find_program(name: str) -> str | None:
    """Return the path of a program; the daemons are in folders that are in root's search path only."""
    return shutil.which(name, path=f"{os.defpath}:/usr/bin:/usr/sbin:/usr/local/bin:/usr/local/sbin")


def wait_until(condition: Callable[[], object], limit_s: float = SLURM_LIMIT_S, *, what: str) -> None:
    """Wait until a condition holds; the limit is a net for a run that hangs, and no result depends on it."""
    for _ in range(int(limit_s / POLL_S)):
        if condition():
            return
        time.sleep(POLL_S)
    raise AssertionError(f"waited {limit_s} s in vain for {what}")


def free_ports(count: int) -> list[int]:
    """Return numbers of ports at which nothing listens."""
    sockets = [socket.socket() for _ in range(count)]
    for item in sockets:
        item.bind(("127.0.0.1", 0))
    ports = [item.getsockname()[1] for item in sockets]
    for item in sockets:
        item.close()
    return ports


def processes_of_job(job: str) -> list[int]:
    """List the processes of a Slurm job by their environment, without the daemon that started them."""
    pids = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"SLURM_JOB_ID={job}\0".encode() in (folder / "environ").read_bytes():
                pids.append(int(folder.name))
        except OSError:  # it has ended, or belongs to the kernel
            continue
    return pids


def step_daemons(job: str) -> list[int]:
    """List Slurm's own processes for the steps of a job."""
    pids = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "cmdline").read_bytes().startswith(f"slurmstepd: [{job}.".encode()):
                pids.append(int(folder.name))
        except OSError:  # it has ended
            continue
    return pids


def send(pids: Sequence[int], number: signal.Signals) -> None:
    """Send a signal to processes, some of which may have ended."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


class Cluster:
    """A running cluster; ``stop`` ends its jobs and daemons.

    Args:
        folder: folder for all its files.
        min_job_age_s: how long Slurm remembers a job that has ended.
        is_memory_limited: whether Slurm kills jobs that use more memory than they requested.
    """

    def __init__(self, folder: Path, *, min_job_age_s: int = 3600, is_memory_limited: bool = False) -> None:
        self.folder = folder
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}
        self._write_configuration(min_job_age_s, is_memory_limited=is_memory_limited)
        self._start("slurmctld", "-c")
        for name in NODES:
            self._start_node(name)
        wait_until(self._is_idle, 60, what="idle nodes")

    def _is_idle(self) -> bool:
        return {self.node_state(name) for name in NODES} == {"IDLE"}

    def _write_configuration(self, min_job_age_s: int, *, is_memory_limited: bool) -> None:
        host = socket.gethostname().split(".")[0]
        (self.folder / "state").mkdir(parents=True)
        (self.folder / "bin").mkdir()
        controller_port, *node_ports = free_ports(1 + len(NODES))
        nodes = [
            NODE.format(name=name, host=host, port=port, gpus=GPUS_PER_NODE)
            for name, port in zip(NODES, node_ports, strict=True)
        ]
        (self.folder / "slurm.conf").write_text(
            CONFIGURATION.format(
                host=host,
                controller_port=controller_port,
                folder=self.folder,
                min_job_age=min_job_age_s,
                memory_limit="JobAcctGatherParams=OverMemoryKill" if is_memory_limited else "",
                nodes="\n".join(nodes),
            )
        )
        for index in range(GPUS_PER_NODE):  # devices like /dev/null; Slurm ignores other files
            os.mknod(self.folder / f"gpu{index}", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        device = f"{self.folder}/gpu[0-{GPUS_PER_NODE - 1}]"
        (self.folder / "gres.conf").write_text(f"AutoDetect=off\nName=gpu File={device}\n")
        # Inside jobs the executor removes SLURM_CONF, but leaves the search path as it is.
        for name in CLIENTS:
            script = self.folder / "bin" / name
            script.write_text(
                f'#!/bin/sh\nexport SLURM_CONF="{self.folder}/slurm.conf"\nexec {find_program(name)} "$@"\n'
            )
            script.chmod(0o755)

    def _start(self, program: str, *options: str, name: str | None = None) -> None:
        path = find_program(program)
        assert path is not None
        with (self.folder / "daemons.log").open("ab") as log:
            self._daemons[name or program] = subprocess.Popen(
                [path, "-D", "-f", str(self.folder / "slurm.conf"), *options],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment,
                start_new_session=True,
            )  # fmt: skip

    def _start_node(self, name: str) -> None:
        self._start("slurmd", "-c", "-N", name, name=name)

    def stop_controller(self) -> None:
        """End the controller at once (SIGKILL); nodes and jobs go on."""
        self._daemons["slurmctld"].kill()
        self._daemons["slurmctld"].wait()

    def start_controller(self) -> None:
        """Start the controller again, with the state that it has stored."""
        self._start("slurmctld")
        wait_until(lambda: self.node_state(NODES[0]), 60, what="the controller")

    def signal_node(self, name: str, number: signal.Signals) -> None:
        """Send a signal to the daemon of a node, but not to its jobs."""
        self._daemons[name].send_signal(number)
        if number == signal.SIGKILL:
            self._daemons[name].wait()

    @property
    def environment(self) -> dict[str, str]:
        """Environment in which the cluster's programs are found."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("SLURM", "SBATCH"))}
        programs = [self.folder / "bin", Path(sys.executable).parent, kept["PATH"]]
        return kept | {
            "SLURM_CONF": str(self.folder / "slurm.conf"),
            "PATH": ":".join(map(str, programs)),
        }

    def call(self, *command: str, is_checked: bool = True) -> str:
        """Run a program of Slurm and return its output."""
        result = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False, timeout=60
        )
        assert result.returncode == 0 or not is_checked, result.stderr
        return result.stdout.strip()

    def node_state(self, name: str) -> str:
        """Return the state of a node, such as ``IDLE`` or ``DOWN*``; nothing without a controller.

        After a restart of the controller, sinfo 22.05 may show the states of ended jobs for minutes.
        """
        output = self.call("scontrol", "-o", "show", "node", name, is_checked=False)
        return next((word[6:] for word in output.split() if word.startswith("State=")), "")

    def jobs(self, *, states: str = "all") -> list[str]:
        """List the numbers of the jobs that are in one of the states, in the order of submission."""
        lines = self.call("squeue", "-h", "-t", states, "-o", "%i").split()
        return sorted(lines, key=int)

    def job_state(self, job: str) -> str:
        """Return the state of a job, such as ``RUNNING``."""
        return self.call("squeue", "-h", "-t", "all", "-j", job, "-o", "%T")

    def job_nodes(self, job: str) -> str:
        """Return the names of the nodes on which a job runs."""
        return self.call("squeue", "-h", "-t", "all", "-j", job, "-o", "%N")

    def submit(self, *options: str, seconds: int) -> str:
        """Submit a job that sleeps, and return its number."""
        return self.call(
            "sbatch", "--parsable", "--output=/dev/null", *options, "--wrap", f"sleep {seconds}"
        )  # fmt: skip

    def clear(self) -> None:
        """End all jobs and bring all nodes back."""
        for job in self.jobs(states="running,pending,suspended,configuring,completing"):
            send(processes_of_job(job), signal.SIGCONT)
            self.call("scancel", job)
        for name in NODES:
            if self._daemons[name].poll() is None:
                self.signal_node(name, signal.SIGCONT)
            else:
                self._start_node(name)
        wait_until(self._resume, what="idle nodes")

    def _resume(self) -> bool:
        """Bring nodes back that are down, and return whether all nodes are idle."""
        for name in NODES:
            if "DOWN" in self.node_state(name):
                self.call("scontrol", "update", f"nodename={name}", "state=resume")
        return self._is_idle()

    def stop(self) -> None:
        """End all jobs and daemons."""
        try:
            self.clear()
        finally:
            for daemon in reversed(self._daemons.values()):
                if daemon.poll() is None:
                    daemon.terminate()
                    try:
                        daemon.wait(20)
                    except subprocess.TimeoutExpired:
                        daemon.kill()
                        daemon.wait()


def write_profile(folder: Path, *, changes: Mapping[str, object], rules: Mapping[str, object]) -> Path:
    """Write ``profiles/slurm`` with some changes.

    Args:
        folder: where the profile is written.
        changes: key of the profile -> its new value; None removes it.
        rules: rule -> resources that are added to those of the profile.

    Returns:
        The folder of the profile.
    """
    profile = yaml.safe_load((REPOSITORY / "profiles/slurm/profile.v9+.yaml").read_text())
    for key, value in changes.items():
        if isinstance(value, dict):
            profile[key] |= value
        else:
            profile[key] = value
    for rule, resources in rules.items():
        profile["set-resources"][rule] = profile["set-resources"].get(rule, {}) | resources
    folder.mkdir(parents=True, exist_ok=True)
    kept = {key: value for key, value in profile.items() if value is not None}
    (folder / "profile.v9+.yaml").write_text(yaml.safe_dump(kept))
    return folder


class Workflow:
    """The workflow in a folder of its own, started with the profile for Slurm.

    Args:
        folder: working folder of Snakemake.
        cluster: the cluster to which it submits its jobs.
        experiment: setting that names the experiment file.
        changes: changes of the profile.
        rules: rule -> further resources.
    """

    def __init__(
        self,
        folder: Path,
        cluster: Cluster,
        experiment: str,
        *,
        changes: Mapping[str, object] | None = None,
        rules: Mapping[str, object] | None = None,
    ) -> None:
        self.folder, self.cluster, self._experiment = folder, cluster, experiment
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copytree(REPOSITORY / "examples", folder / "examples", dirs_exist_ok=True)
        quick = {"latency-wait": 5, "slurm-init-seconds-before-status-checks": 5}
        self._profile = write_profile(
            folder / "profile", changes=quick | dict(changes or {}), rules=rules or {}
        )
        self._number = 0
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *targets: str, options: Sequence[str] = ()) -> None:
        """Start Snakemake; its output goes to a file."""
        self._number += 1
        command = [
            sys.executable, "-m", "snakemake", "--snakefile", str(REPOSITORY / "Snakefile"),
            "--directory", str(self.folder), "--workflow-profile", str(self._profile), *options,
            "--config", self._experiment, "device=cpu", "--", *targets,
        ]  # fmt: skip
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command, cwd=self.folder, env=self.cluster.environment, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    @property
    def log(self) -> Path:
        """File with the output of the last start."""
        return self.folder / f"snakemake-{self._number}.log"

    @property
    def output(self) -> str:
        """Output of the last start."""
        return self.log.read_text()

    def is_running(self) -> bool:
        """Return whether Snakemake runs."""
        return self._process is not None and self._process.poll() is None

    def finish(self, limit_s: float = 1200) -> int:
        """Wait for the end of Snakemake and return its exit status; a hang is an error."""
        assert self._process is not None
        try:
            return self._process.wait(limit_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"Snakemake hangs:\n{self.output}") from None

    def kill(self) -> None:
        """End Snakemake at once (SIGKILL), without its jobs."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def unlock(self) -> None:
        """Remove the lock that a killed Snakemake left."""
        self.start(options=["--unlock"])
        assert self.finish(120) == 0, self.output

"""Start of the ranks of a training through ``torch.distributed.run``, on one or several machines.

The elastic agent of PyTorch runs in the process of ``weft train``: a signal to this process reaches the
agent, which ends the ranks. The variable ``CUDA_VISIBLE_DEVICES`` is passed on as it is, so that rank i of a
machine uses the i-th visible GPU.
"""

import atexit
import ctypes
import logging
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from weft.errors import TrainingError
from weft.training.environment import extensions_folder

if TYPE_CHECKING:
    from torch.distributed.launcher.api import LaunchConfig

LAUNCHER = "WEFT_LAUNCHER"
"""Environment variable with the process id of the launcher of a rank."""
SLURM_PORTS = range(20_000, 30_000)
"""Ports at which the machines of a Slurm job meet; below those that Linux gives to clients (32768)."""
PR_SET_PDEATHSIG = 1
"""Option of Linux's prctl(2): signal that a process receives when its parent ends."""


@dataclass(frozen=True)
class Nodes:
    """The machines on which the ranks of a training run, and the place of this machine among them."""

    count: int = 1
    """Number of machines."""
    rank: int = 0
    """Number of this machine, from 0."""
    rendezvous: str = ""
    """``HOST:PORT`` of machine 0, at which all machines meet; empty if there is only one machine."""

    def __post_init__(self) -> None:
        """Check that the values fit together.

        Raises:
            TrainingError: the number of this machine is not below the number of machines, or there are
                several machines and no place to meet.
        """
        if not 0 <= self.rank < self.count:
            raise TrainingError(
                f"--node-rank must be from 0 to {self.count - 1} for --nodes {self.count}, got {self.rank}"
            )
        host, _, port = self.rendezvous.rpartition(":")
        if self.count > 1 and not (host and port.isdecimal()):
            raise TrainingError(
                f"--rendezvous must be HOST:PORT of the first of {self.count} machines, got "
                f"{self.rendezvous!r}; give a port that is free on that machine"
            )


ONE_NODE = Nodes()
"""This machine alone."""


def find_slurm_rendezvous(environment: Mapping[str, str]) -> str:
    """Return where the machines of a Slurm job meet: a port of its first node that depends on the job.

    Args:
        environment: the environment of the process.

    Returns:
        ``HOST:PORT``, or an empty text outside a Slurm job.

    Raises:
        TrainingError: Slurm cannot tell the names of the nodes.
    """
    nodes, job = environment.get("SLURM_JOB_NODELIST"), environment.get("SLURM_JOB_ID", "")
    if not nodes or not job.isdecimal():
        return ""
    try:
        listing = subprocess.run(
            ["scontrol", "show", "hostnames", nodes], capture_output=True, text=True, check=True
        ).stdout
        host = listing.split()[0]
    except (OSError, subprocess.CalledProcessError, IndexError) as error:
        raise TrainingError(
            f"scontrol must list the nodes {nodes}, but it failed: {error}; give --rendezvous HOST:PORT"
        ) from error
    return f"{host}:{SLURM_PORTS[int(job) % len(SLURM_PORTS)]}"


def launch_ranks(arguments: Sequence[str], *, num_processes: int, nodes: Nodes = ONE_NODE) -> None:
    """Run ranks of a Python module on this machine, until all of them have ended.

    If a rank fails, the others are ended, and this process exits with the code of the rank. If this process
    receives SIGTERM, SIGINT, SIGHUP or SIGQUIT, the ranks are ended, and it exits with 128 plus the number of
    the signal.

    Args:
        arguments: arguments of Python, such as ``["-m", "weft.training.rank", "job.json"]``.
        num_processes: ranks on this machine.
        nodes: the machines.
    """
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import elastic_launch

    os.environ[LAUNCHER] = str(os.getpid())
    # DeepSpeed's communication between CPU ranks uses shared memory if this is the number of all ranks.
    os.environ["LOCAL_SIZE"] = str(num_processes)
    # The agent reports a failed rank at level ERROR with its exit code; its warnings are about itself.
    logging.getLogger("torch.distributed.elastic").setLevel(logging.ERROR)
    config = _launch_config(nodes, num_processes)
    try:
        elastic_launch(config, sys.executable)(*arguments)
    except ChildFailedError as error:
        _, failure = error.get_first_failure()
        sys.exit(failure.exitcode if failure.exitcode > 0 else 128 - failure.exitcode)
    except SignalException as error:
        sys.exit(128 + error.sigval)


def _launch_config(nodes: Nodes, num_processes: int) -> "LaunchConfig":
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
    from torch.distributed.launcher.api import LaunchConfig

    several = nodes.count > 1
    return LaunchConfig(
        min_nodes=nodes.count,
        max_nodes=nodes.count,
        nproc_per_node=num_processes,
        run_id=nodes.rendezvous or uuid.uuid4().hex,
        # With "c10d" and port 0, the agent itself takes a free port.
        rdzv_backend="static" if several else "c10d",
        rdzv_endpoint=nodes.rendezvous if several else "localhost:0",
        rdzv_configs={"rank": nodes.rank} if several else {},
        local_addr=None if several else "127.0.0.1",
        max_restarts=0,  # a training resumes when the command is run again
        logs_specs=DefaultLogsSpecs(log_dir=os.devnull),  # otherwise a folder is left behind in /tmp
    )


def end_with_launcher() -> None:
    """Let this rank be killed when its launcher ends in any way, even by ``kill -9``.

    Ranks have sessions of their own and would otherwise keep a GPU occupied.
    """
    launcher = os.environ.get(LAUNCHER)
    if launcher is None or not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(launcher):  # it had ended before the request
        os.kill(os.getpid(), signal.SIGKILL)


def end_rank() -> NoReturn:
    """End a rank that has written its results with code 0, without shutting down the interpreter.

    If a thread of Gloo, which communicates between ranks on processors, releases the last reference to a
    tensor during the shutdown, the process aborts (pytorch/pytorch#190489, decision 9), and the launcher
    reports a failure although all results are on disk. What libraries have registered with `atexit`, such as
    the last upload of a tracker, is done before.
    """
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def launch_environment(*, device: str, threads_per_process: int) -> dict[str, str]:
    """Return the environment of the ranks: that of this process with variables for DeepSpeed and torch."""
    settings = {"OMP_NUM_THREADS": str(threads_per_process), "TOKENIZERS_PARALLELISM": "false"}
    if device == "cpu":
        settings |= {"DS_ACCELERATOR": "cpu", "TORCH_EXTENSIONS_DIR": str(extensions_folder())}
        # DeepSpeed imports an optimiser, Muon, which would load torch's compiler for its kernels.
        settings["TORCHDYNAMO_DISABLE"] = "1"
    return os.environ | settings

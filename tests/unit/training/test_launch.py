"""Start of ranks by PyTorch's launcher: environment, failures, signals, several machines."""

import os
import select
import signal
import subprocess
import sys

import pytest

from tests.support.ports import free_port
from weft.errors import TrainingError
from weft.training.launch import Nodes, find_slurm_rendezvous, launch_environment

LAUNCH = """
import sys
from weft.training.launch import Nodes, launch_ranks

launch_ranks(sys.argv[4:], num_processes=int(sys.argv[1]), nodes=Nodes(2, int(sys.argv[2]), sys.argv[3])
             if sys.argv[3] else Nodes())
"""
RANK = """
import os, sys
names = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "CUDA_VISIBLE_DEVICES")
line = " ".join(["rank", *(str(os.environ.get(name)) for name in names)])
os.write(1, f"{line}\\n".encode())  # in one piece, since the ranks share a pipe
sys.exit(int(sys.argv[1]) if os.environ["RANK"] == "0" else 0)
"""


def launcher(program, *arguments, ranks=1, node=0, rendezvous="", **environment):
    return subprocess.Popen(
        [sys.executable, "-c", LAUNCH, str(ranks), str(node), rendezvous, "-c", program, *arguments],
        env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("visible", "code"),
    [("1,0", 0), ("GPU-1a2b,GPU-3c4d", 3), ("MIG-5e6f", 0)],
)
def test_ranks_keep_the_visible_devices_and_a_failure_is_passed_on(visible, code):
    process = launcher(RANK, str(code), ranks=2, CUDA_VISIBLE_DEVICES=visible)
    out, errors = process.communicate(timeout=300)
    assert process.returncode == code, errors
    seen = sorted(out.splitlines())
    assert f"rank 0 0 2 2 {visible}" in seen
    assert code or seen == [f"rank 0 0 2 2 {visible}", f"rank 1 1 2 2 {visible}"]
    assert "Traceback" not in errors


def test_two_machines_start_as_many_ranks_as_both_have():
    rendezvous = f"127.0.0.1:{free_port()}"
    machines = [launcher(RANK, "0", ranks=2, node=node, rendezvous=rendezvous) for node in range(2)]
    outputs = [machine.communicate(timeout=300) for machine in machines]
    assert [machine.returncode for machine in machines] == [0, 0], outputs
    ranks = [[line.split()[1:5] for line in sorted(out.splitlines())] for out, _ in outputs]
    assert ranks == [
        [["0", "0", "4", "2"], ["1", "1", "4", "2"]],
        [["2", "0", "4", "2"], ["3", "1", "4", "2"]],
    ]


WAITING_RANK = """
import os, sys, time
from weft.training.launch import end_with_launcher
end_with_launcher()
print(os.getpid(), flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_no_rank_outlives_the_launcher(number, code):
    with launcher(WAITING_RANK, ranks=2) as process:
        ranks = [os.pidfd_open(int(process.stdout.readline())) for _ in range(2)]
        process.send_signal(number)
        assert process.wait(timeout=300) == code
    for rank in ranks:
        ended, _, _ = select.select([rank], [], [], 60)
        assert ended, "the rank has ended"
        os.close(rank)


def test_a_rank_whose_launcher_has_ended_before_it_started_ends_at_once():
    run = subprocess.run(
        [sys.executable, "-c", "from weft.training.launch import end_with_launcher as end; end()"],
        env=os.environ | {"WEFT_LAUNCHER": "1"}, check=False,
    )  # fmt: skip
    assert run.returncode == -signal.SIGKILL


def test_the_launcher_leaves_no_files_behind(tmp_path):
    with launcher(RANK, "0", TMPDIR=str(tmp_path)) as process:
        assert process.wait(timeout=300) == 0
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ({"count": 2}, "--rendezvous must be HOST:PORT of the first of 2 machines, got ''"),
        ({"count": 2, "rendezvous": "gpu1"}, "got 'gpu1'"),
        ({"count": 2, "rank": 2, "rendezvous": "gpu1:29500"}, "--node-rank must be from 0 to 1"),
    ],
)
def test_machines_that_cannot_meet_are_refused(nodes, message):
    with pytest.raises(TrainingError, match=message):
        Nodes(**nodes)


def test_cpu_ranks_get_the_cpu_accelerator():
    environment = launch_environment(device="cpu", threads_per_process=3)
    assert environment["DS_ACCELERATOR"] == "cpu"
    assert environment["OMP_NUM_THREADS"] == "3"


def test_gpu_ranks_get_the_accelerator_of_the_machine(monkeypatch):
    monkeypatch.delenv("DS_ACCELERATOR", raising=False)
    assert "DS_ACCELERATOR" not in launch_environment(device="cuda", threads_per_process=1)


def simulate_scontrol(folder, monkeypatch, answer):
    program = folder / "scontrol"
    program.write_text(f'#!/bin/sh\n[ "$*" = "show hostnames gpu[3-4]" ] && {answer}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


SLURM = {"SLURM_JOB_NODELIST": "gpu[3-4]", "SLURM_JOB_ID": "1234567"}


def test_the_machines_of_a_slurm_job_meet_on_its_first_node(tmp_path, monkeypatch):
    simulate_scontrol(tmp_path, monkeypatch, "printf 'gpu3\\ngpu4\\n'")
    assert find_slurm_rendezvous(SLURM) == "gpu3:24567"
    assert not find_slurm_rendezvous({})


def test_a_slurm_job_whose_nodes_are_unknown_asks_for_the_place_to_meet(tmp_path, monkeypatch):
    simulate_scontrol(tmp_path, monkeypatch, "exit 1")
    with pytest.raises(TrainingError, match=r"must list the nodes gpu\[3-4\].* give --rendezvous HOST:PORT"):
        find_slurm_rendezvous(SLURM)

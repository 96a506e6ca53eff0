"""Leases of simulated GPUs by processes that are killed at random."""

import fcntl
import os
import random
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from weft.devices.lease import FOLDER, HELD, find_holders, lease, lease_folder
from weft.devices.visible import Device
from weft.errors import ConfigError

GPUS = [Device(str(number), f"GPU-{number}") for number in range(8)]

JOB = """
import logging, os, sys
from weft.devices.lease import HELD, lease
from weft.devices.visible import Device

logging.basicConfig()
count, names = int(sys.argv[1]), sys.argv[2:]
taken = lease([Device(name, f"GPU-{name}") for name in names], count)
marks = [f"{os.environ['MARKS']}/{device.name}" for device in taken.devices]
for mark in marks:
    os.symlink(str(os.getpid()), mark)  # fails if another job uses the device
os.environ[HELD] = ":".join(map(str, taken.files))
print("took", *(device.name for device in taken.devices), flush=True)
sys.stdin.readline()
for mark in marks:
    os.unlink(mark)
"""


@pytest.fixture(autouse=True)
def marks(tmp_path, monkeypatch):
    """Return the folder in which a job marks the devices that it uses."""
    monkeypatch.setenv(FOLDER, str(tmp_path / "leases"))
    monkeypatch.setenv("MARKS", str(tmp_path))
    return tmp_path


class Job:
    """A process that takes devices and keeps them until it is told to end."""

    def __init__(self, marks, count, devices):
        self.marks = marks
        self.process = subprocess.Popen(
            [sys.executable, "-c", JOB, str(count), *(device.name for device in devices)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def fileno(self):
        return self.process.stdout.fileno()

    def wait_for_devices(self):
        words = self.process.stdout.readline().split()
        assert words, self.process.stderr.read()
        return words[1:]

    def wait_until_queued(self):
        """Wait until the job has tried in vain, and return its message."""
        ready, _, _ = select.select([self.process.stdout, self.process.stderr], [], [], 120)
        assert ready == [self.process.stderr], "the job has to wait"
        message = self.process.stderr.readline()
        assert "waiting for" in message, message
        return message

    def end(self):
        _, errors = self.process.communicate("\n", timeout=120)
        assert self.process.returncode == 0, errors

    def kill(self):
        """Stop the process, remove its marks and kill it: the devices become free at the moment of death."""
        self.process.send_signal(signal.SIGSTOP)
        _, status = os.waitpid(self.process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status), self.process.stderr.read()
        for mark in self.marks.iterdir():
            if mark.is_symlink() and mark.readlink() == Path(str(self.process.pid)):
                mark.unlink()
        self.process.kill()
        self.process.communicate(timeout=120)


@pytest.fixture
def start(marks):
    """Return a function that starts a job which takes some of the given devices."""
    jobs = []

    def call(count=1, devices=GPUS):
        jobs.append(Job(marks, count, devices))
        return jobs[-1]

    yield call
    for job in jobs:
        job.process.kill()
        job.process.communicate()


@pytest.mark.parametrize("seed", [1, 2])
def test_thirty_jobs_on_eight_gpus_with_random_kills_never_share_one(start, marks, seed):
    draw = random.Random(seed)
    waiting = [start(draw.choice((1, 1, 1, 2, 4))) for _ in range(30)]
    running, most = [], 0
    while waiting or running:
        is_next_wanted = waiting and len(running) < 2  # otherwise look, and end a job
        ready, _, _ = select.select(waiting, [], [], 120 if is_next_wanted else 0)
        assert ready or not is_next_wanted, "a waiting job gets devices"
        for job in ready:
            job.wait_for_devices()
            waiting.remove(job)
            running.append(job)
        most = max(most, sum(mark.is_symlink() for mark in marks.iterdir()))
        if waiting and draw.random() < 0.2:
            waiting.pop(draw.randrange(len(waiting))).kill()  # in the queue, or at its start
        if running:
            job = running.pop(draw.randrange(len(running)))
            job.kill() if draw.random() < 0.5 else job.end()
    assert most > 1, "jobs run side by side"
    assert not find_holders(GPUS)


def test_all_gpus_are_used_at_once(start):
    jobs = [start() for _ in GPUS]
    assert sorted(job.wait_for_devices() for job in jobs) == [[device.name] for device in GPUS]
    assert find_holders(GPUS).keys() == {device.identity for device in GPUS}
    assert set(find_holders(GPUS).values()) == {str(job.process.pid) for job in jobs}


def test_smaller_jobs_do_not_overtake_one_that_waits_for_the_same_gpus(start):
    first = start(1, GPUS[:2])
    assert first.wait_for_devices() == ["0"]
    large = start(2, GPUS[:2])
    assert f"processes that hold GPUs: {first.process.pid}" in large.wait_until_queued()
    small = start(1, GPUS[:2])
    small.wait_until_queued()  # although GPU 1 is free
    elsewhere = start(1, GPUS[5:6])
    assert elsewhere.wait_for_devices() == ["5"]
    first.end()
    assert large.wait_for_devices() == ["0", "1"]
    large.end()
    assert small.wait_for_devices() == ["0"]


def test_a_killed_job_leaves_the_queue(start):
    start(1, GPUS[:1]).wait_for_devices()
    large = start(2, GPUS[:2])
    large.wait_until_queued()
    small = start(1, GPUS[:2])
    small.wait_until_queued()
    large.kill()
    assert small.wait_for_devices() == ["1"]


RANK = """
import sys
from weft.devices.lease import join_lease
join_lease()
print("joined", flush=True)
sys.stdin.readline()
"""


def test_a_gpu_is_free_only_when_all_processes_of_its_job_have_ended(monkeypatch):
    taken = lease(GPUS[:1])
    monkeypatch.setenv(HELD, ":".join(map(str, taken.files)))
    with subprocess.Popen(
        [sys.executable, "-c", RANK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as rank:
        assert rank.stdout.readline() == "joined\n"
        taken.release()
        assert find_holders(GPUS).keys() == {"GPU-0"}
        rank.kill()
        rank.wait()
    assert not find_holders(GPUS)


def test_a_rank_whose_gpu_another_job_has_does_not_start(monkeypatch):
    taken = lease(GPUS[:1])
    (path,) = taken.files
    taken.release()
    descriptor = os.open(path, os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    monkeypatch.setenv(HELD, str(path))
    run = subprocess.run(
        [sys.executable, "-c", RANK], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    os.close(descriptor)
    assert "must be held by the launcher, but another job has it" in run.stderr


def test_a_lock_file_that_was_tidied_away_is_made_again():
    taken = lease(GPUS[:1])
    (path,) = taken.files
    taken.release()
    path.unlink()
    again = lease(GPUS[:1])
    assert find_holders(GPUS) == {"GPU-0": str(os.getpid())}
    again.release()


def test_more_gpus_than_candidates_are_refused():
    with pytest.raises(ConfigError, match="3 GPUs must be taken from at least as many, got 2"):
        lease(GPUS[:2], 3)


def test_the_folder_of_somebody_else_is_refused(monkeypatch, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    monkeypatch.setenv(FOLDER, str(tmp_path / "link"))
    with pytest.raises(ConfigError, match="must be a folder of this user"):
        lease_folder()


def test_without_the_variable_the_folder_is_one_of_the_user_on_this_machine(monkeypatch):
    monkeypatch.delenv(FOLDER)
    monkeypatch.setenv("TMPDIR", "/elsewhere")
    folder = lease_folder()
    assert folder == Path(f"/tmp/weft-{os.getuid()}")
    assert folder.stat().st_mode & 0o777 == 0o700

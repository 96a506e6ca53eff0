"""The workflow on a real Slurm with two nodes, undisturbed and with what goes wrong on clusters.

Each fault ends in the bytes of an undisturbed run on this machine, or in one clear message. A training is
stopped (SIGSTOP) when its first checkpoint is complete, so that the fault meets it in the middle however
fast the machine is.
"""

import os
import shutil
import signal

import pytest

from tests.support import micro
from tests.support.slurm import (
    Cluster,
    Workflow,
    missing_programs,
    processes_of_job,
    send,
    wait_until,
)

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(
        bool(missing_programs()) or os.geteuid() != 0,
        reason="needs the programs of Slurm (Debian: slurm-wlm) and, for the devices of its nodes, root",
    ),
]
RUN = "weft-worked-seed1"
TRAIN = f"results/micro/runs/{RUN}"
WITH_GPU = {"train": {"gpu": 1}}
COMPARED = ("adapter_model.safetensors", "history.jsonl", "snapshots/4/adapter_model.safetensors")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A cluster without accounting, whose jobs all tests of this file share."""
    running = Cluster(tmp_path_factory.mktemp("slurm") / "cluster")
    yield running
    running.stop()


@pytest.fixture
def limited_cluster(tmp_path):
    """A cluster that kills jobs which use more memory than they requested."""
    running = Cluster(tmp_path / "cluster", is_memory_limited=True)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """Folder with the training that no fault disturbs, computed on this machine without Slurm."""
    folder = tmp_path_factory.mktemp("undisturbed")
    result = micro.run(folder, TRAIN)
    assert result.returncode == 0, result.stdout + result.stderr
    return folder


@pytest.fixture
def start(trained, tmp_path):
    """Return a function that prepares a training on a cluster, whose other inputs are finished."""
    started = []

    def prepare(cluster, **options):
        workflow = Workflow(tmp_path / "work", cluster, **options)
        for part in ("pretrained", "base", "data", "checks"):
            shutil.copytree(
                trained / "results/micro" / part,
                workflow.folder / "results/micro" / part,
                ignore=shutil.ignore_patterns("*.lock"),
            )
        cluster.clear()
        started.append(workflow)
        return workflow

    yield prepare
    for workflow in started:
        workflow.kill()
        workflow.cluster.clear()


def train(workflow):
    workflow.start(TRAIN, options=["--rerun-triggers", "mtime"])


def wait_for_job(cluster, before=()):
    """Wait until Slurm has started the next job, and return its number."""

    def fresh():
        return [job for job in cluster.jobs(states="running") if job not in before]

    wait_until(fresh, what="the start of a job")
    return fresh()[0]


def stop_at_a_checkpoint(workflow):
    """Stop the processes of the training when its first checkpoint is complete, and return its job."""
    job = wait_for_job(workflow.cluster)
    runs = workflow.folder / "results/micro/runs"
    pattern = f".{RUN}.*.state/checkpoint-*/trainer_state.json"
    wait_until(
        lambda: list(runs.glob(pattern)) or not workflow.is_running(), what="a checkpoint of the training"
    )
    send(processes_of_job(job), signal.SIGSTOP)
    assert workflow.is_running(), workflow.output
    assert not (workflow.folder / TRAIN / "history.jsonl").exists(), "the training was too fast"
    return job


def assert_same_training(workflow, trained):
    status = workflow.finish()
    assert status == 0, workflow.output
    for name in COMPARED:
        expected = (trained / TRAIN / name).read_bytes()
        assert (workflow.folder / TRAIN / name).read_bytes() == expected, name
    assert "Traceback" not in workflow.output
    assert not list((workflow.folder / "results/micro/runs").glob(".*.state"))


def log_of_training(workflow):
    return (workflow.folder / f"results/micro/logs/train/{RUN}.log").read_text()


def test_a_preempted_training_is_queued_again_by_slurm_and_resumes(cluster, start, trained):
    workflow = start(cluster, rules=WITH_GPU)
    train(workflow)
    job = stop_at_a_checkpoint(workflow)
    node = cluster.job_nodes(job)
    cluster.submit("-p", "urgent", "-w", node, "--exclusive", seconds=2)
    wait_until(lambda: cluster.job_state(job) == "PENDING", what="the preemption")
    assert_same_training(workflow, trained)
    assert cluster.job_state(job) == "COMPLETED", "the same job has run again"
    assert "checkpoint" in log_of_training(workflow)

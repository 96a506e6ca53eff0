"""The workflow on a real Slurm with two nodes, undisturbed and with what goes wrong on clusters.

Each fault ends in the bytes of an undisturbed run on this machine, or in one clear message. A training is
stopped (SIGSTOP) when its first checkpoint is complete, so that the fault meets it in the middle however
fast the machine is.
"""

import shutil
import signal

import pytest
import yaml

from tests.support import micro
from tests.support.slurm import (
    NODES,
    Cluster,
    Workflow,
    processes_of_job,
    send,
    step_daemons,
    wait_until,
)
from weft.provenance import file_sha256

pytestmark = pytest.mark.cluster
RUN = "weft-worked-seed1"
TRAIN = f"results/micro/runs/{RUN}"
WITH_GPU = {"train": {"gpu": 1}}
TOO_LITTLE_MB = 500
"""Less than a training needs with the two processes of Snakemake around it, more than their start does."""
NUM_STEPS, SAVE_EVERY = 80, 10
"""Optimiser steps of the training; enough that a fault meets it before its end."""


@pytest.fixture
def limited_cluster(tmp_path):
    """A cluster that kills jobs which use more memory than they requested."""
    running = Cluster(tmp_path / "cluster", is_memory_limited=True)
    yield running
    running.stop()


@pytest.fixture
def forgetful_cluster(tmp_path):
    """A cluster that remembers jobs for a minute after their end."""
    running = Cluster(tmp_path / "cluster", min_job_age_s=60)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    """The smallest experiment with a longer training."""
    values = yaml.safe_load((micro.REPOSITORY / "tests/workflow/micro.yaml").read_text())
    epochs = values["training"]["epochs"] * NUM_STEPS // 12
    values["training"] |= {"epochs": epochs, "save_every": SAVE_EVERY}
    file = tmp_path_factory.mktemp("experiment") / "micro.yaml"
    file.write_text(yaml.safe_dump(values))
    return f"experiment={file}"


@pytest.fixture(scope="module")
def trained(tmp_path_factory, experiment):
    """Folder with the training that no fault disturbs, computed on this machine without Slurm."""
    folder = tmp_path_factory.mktemp("undisturbed")
    result = micro.run(folder, TRAIN, experiment=experiment)
    assert result.returncode == 0, result.stdout + result.stderr
    history = (folder / TRAIN / "history.jsonl").read_text().splitlines()
    assert len(history) == NUM_STEPS
    return folder


@pytest.fixture
def start(trained, experiment, tmp_path):
    """Return a function that prepares a training on a cluster, whose other inputs are finished."""
    started = []

    def prepare(cluster, **options):
        workflow = Workflow(tmp_path / "work", cluster, experiment, **options)
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
    assert files_of(workflow.folder) == files_of(trained)
    assert "Traceback" not in workflow.output
    assert not list((workflow.folder / "results/micro/runs").glob(".*.state"))


def files_of(folder):
    """Return the digests of the files of a training that have no times."""
    names = ("*.safetensors", "snapshots/*/*.safetensors", "adapter_config.json", "history.jsonl")
    files = [file for name in names for file in (folder / TRAIN).glob(name)]
    assert len(files) >= 4
    return {str(file.relative_to(folder)): file_sha256(file) for file in files}


def assert_resumed(workflow):
    """Assert that the last attempt began at a checkpoint; each attempt begins a new log."""
    num_steps = log_of_training(workflow).count("'masked_share'")
    assert num_steps <= NUM_STEPS - SAVE_EVERY


def log_of_training(workflow):
    file = workflow.folder / f"results/micro/logs/train/{RUN}.log"
    return file.read_text() if file.exists() else ""


def test_a_preempted_training_is_queued_again_by_slurm_and_resumes(cluster, start, trained):
    workflow = start(cluster, rules=WITH_GPU)
    train(workflow)
    job = stop_at_a_checkpoint(workflow)
    node = cluster.job_nodes(job)
    cluster.submit("-p", "urgent", "-w", node, "--exclusive", seconds=2)
    wait_until(lambda: cluster.job_state(job) == "PENDING", what="the preemption")
    assert_same_training(workflow, trained)
    assert cluster.job_state(job) == "COMPLETED", "the same job has run again"
    assert_resumed(workflow)


@pytest.mark.parametrize("loss", ["set down", "without power"])
def test_the_training_of_a_lost_node_resumes_on_another(cluster, start, trained, loss):
    workflow = start(cluster, rules=WITH_GPU)
    train(workflow)
    job = stop_at_a_checkpoint(workflow)
    node = cluster.job_nodes(job)
    if loss == "set down":
        cluster.call("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
    else:
        cluster.signal_node(node, signal.SIGKILL)
        send([*step_daemons(job), *processes_of_job(job)], signal.SIGKILL)
    wait_until(lambda: cluster.job_nodes(job) not in {"", node}, what="a start on the other node")
    assert_same_training(workflow, trained)
    assert cluster.job_state(job) == "COMPLETED", "the same job has run again"
    assert_resumed(workflow)


def test_a_node_that_is_cut_off_but_computes_on_does_not_write_beside_the_second_attempt(
    cluster, start, trained
):
    workflow = start(cluster, rules=WITH_GPU)
    train(workflow)
    job = stop_at_a_checkpoint(workflow)
    node, first = cluster.job_nodes(job), processes_of_job(job)
    cluster.signal_node(node, signal.SIGSTOP)
    wait_until(lambda: cluster.job_nodes(job) not in {"", node}, what="a start on the other node")
    wait_until(lambda: "waiting for another process" in log_of_training(workflow), what="the second attempt")
    send(first, signal.SIGCONT)
    assert_same_training(workflow, trained)
    assert "this training was finished before; its result is used" in log_of_training(workflow)


@pytest.mark.parametrize("end", ["CANCELLED", "TIMEOUT"])
def test_a_training_that_is_cancelled_or_reaches_its_time_limit_is_submitted_again(
    cluster, start, trained, end
):
    workflow = start(cluster, rules=WITH_GPU)
    train(workflow)
    job = stop_at_a_checkpoint(workflow)
    if end == "CANCELLED":
        cluster.call("scancel", job)
    else:
        cluster.call("scontrol", "update", f"JobId={job}", "TimeLimit=1")
    wait_until(lambda: cluster.job_state(job) == end, what="the end of the job")
    assert_same_training(workflow, trained)
    assert f"SLURM-job '{job}' failed, SLURM status is: '{end}'" in workflow.output
    assert_resumed(workflow)


def test_a_training_that_needs_more_memory_gets_more_at_the_second_attempt(limited_cluster, start, trained):
    memory = {"train": {"mem_mb": f"{TOO_LITTLE_MB} if attempt == 1 else 8000"}}
    workflow = start(limited_cluster, rules=memory)
    train(workflow)
    job = wait_for_job(limited_cluster)
    assert_same_training(workflow, trained)
    states = [limited_cluster.job_state(number) for number in limited_cluster.jobs()]
    assert states[0] != "COMPLETED"
    assert states[1:] == ["COMPLETED"]
    assert f"SLURM-job '{job}' failed" in workflow.output


def test_a_job_that_always_needs_more_memory_ends_with_a_message(limited_cluster, start):
    workflow = start(limited_cluster, rules={"train": {"mem_mb": TOO_LITTLE_MB}})
    train(workflow)
    assert workflow.finish() == 1
    jobs = limited_cluster.jobs()
    assert len(jobs) == 2
    for job in jobs:
        assert f"SLURM-job '{job}' failed" in workflow.output
    assert "Traceback" not in workflow.output


def test_a_killed_snakemake_does_not_repeat_the_training_that_goes_on(cluster, start, trained):
    workflow = start(cluster, rules=WITH_GPU)
    train(workflow)
    job = stop_at_a_checkpoint(workflow)
    first = processes_of_job(job)
    workflow.kill()
    workflow.unlock()
    train(workflow)
    second = wait_for_job(cluster, before=[job])
    wait_until(lambda: "waiting for another process" in log_of_training(workflow), what="the second job")
    send(first, signal.SIGCONT)
    assert_same_training(workflow, trained)
    assert "this training was finished before; its result is used" in log_of_training(workflow)
    assert cluster.job_state(second) == "COMPLETED"


@pytest.mark.parametrize(
    ("changes", "rules", "message"),
    [
        ({"default-resources": {"slurm_partition": "nowhere"}}, {}, "invalid partition specified: nowhere"),
        ({}, {"train": {"gpu": 3}}, "Requested node configuration is not available"),
    ],
)
def test_a_refused_submission_ends_with_the_words_of_slurm(cluster, start, changes, rules, message):
    workflow = start(cluster, changes=changes, rules=rules)
    train(workflow)
    assert workflow.finish() == 1
    assert message in workflow.output
    assert "Traceback" not in workflow.output


def test_the_gpus_of_a_job_are_on_one_node(cluster, start, trained):
    """With one GPU free on each node, a training on two GPUs waits until both of a node are free."""
    workflow = start(cluster, rules={"train": {"gpu": 2}})
    others = {node: cluster.submit("-w", node, "--gpus=1", seconds=3600) for node in NODES}
    wait_until(lambda: {cluster.job_state(job) for job in others.values()} == {"RUNNING"}, what="other jobs")
    train(workflow)

    def waits():
        pending = cluster.jobs(states="pending")
        return pending and cluster.call("squeue", "-h", "-j", pending[0], "-o", "%r") == "Resources"

    wait_until(waits, what="a job that waits for resources")
    (pending,) = cluster.jobs(states="pending")
    assert "NumNodes=1-1 " in cluster.call("scontrol", "-o", "show", "job", pending), (
        "at least and at most one"
    )
    cluster.call("scancel", others["n2"])
    wait_until(lambda: len(cluster.jobs(states="running")) == 2, what="the start of the training")
    job = cluster.jobs(states="running")[-1]
    assert cluster.job_nodes(job) == "n2"
    assert_same_training(workflow, trained)


def test_without_accounting_sacct_is_refused_before_the_first_job(cluster, start):
    workflow = start(cluster, changes={"slurm-status-command": None})
    train(workflow)
    assert workflow.finish() == 1
    assert "slurm-status-command must be squeue on a cluster without job accounting" in workflow.output
    assert "Traceback" not in workflow.output
    assert "submitted" not in workflow.output


def test_a_cluster_that_forgets_its_jobs_soon_is_refused_before_the_first_job(forgetful_cluster, start):
    workflow = start(forgetful_cluster)
    train(workflow)
    assert workflow.finish() == 1
    assert "got MinJobAge=60; ask the administrators" in workflow.output
    assert "submitted" not in workflow.output


def test_a_job_that_preemption_cancels_goes_on_after_scontrol_requeue(cluster, start, trained):
    workflow = start(cluster, changes={"default-resources": {"slurm_partition": "spot"}}, rules=WITH_GPU)
    train(workflow)
    job = stop_at_a_checkpoint(workflow)
    assert "Slurm cancels preempted jobs of the partition spot" in workflow.output
    cluster.submit("-p", "urgent", "-w", cluster.job_nodes(job), "--exclusive", seconds=2)
    wait_until(lambda: cluster.job_state(job) == "PREEMPTED", what="the preemption")
    wait_until(lambda: "Job preemption" in workflow.output, what="Snakemake's warning")
    cluster.call("scontrol", "requeue", job)
    assert_same_training(workflow, trained)
    assert cluster.job_state(job) == "COMPLETED"
    assert_resumed(workflow)


def test_a_training_outlives_a_controller_that_does_not_answer(cluster, start, trained):
    workflow = start(cluster, rules=WITH_GPU)
    train(workflow)
    job = stop_at_a_checkpoint(workflow)
    cluster.stop_controller()
    try:
        wait_until(lambda: workflow.output.count("Slurm does not answer") > 1, what="two unanswered looks")
    finally:
        cluster.start_controller()
    send(processes_of_job(job), signal.SIGCONT)
    assert_same_training(workflow, trained)
    assert cluster.job_state(job) == "COMPLETED"

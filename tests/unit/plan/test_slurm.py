"""Settings of a cluster with which Snakemake would wait for ever are refused before the first job."""

import asyncio
import logging

import pytest
import snakemake_executor_plugin_slurm

from weft.errors import ConfigError
from weft.plan.slurm import (
    LONGEST_CHECK_S,
    SlurmCluster,
    StatusChecks,
    check_cluster,
    keep_jobs_without_answer,
    parse_cluster,
    read_cluster,
)

# Lines as Slurm 22.05 prints them.
CONFIG = """\
Configuration data as of 2026-11-28T08:40:00
AccountingStorageType   = accounting_storage/none
JobRequeue              = 1
MinJobAge               = 300 sec
PreemptMode             = REQUEUE
PreemptType             = preempt/partition_prio
SlurmctldHost[0]        = login(127.0.0.1)

Slurmctld(primary) at login is UP
"""
PARTITIONS = """\
PartitionName=main AllowGroups=ALL Nodes=n1,n2 PreemptMode=REQUEUE TRES=cpu=16,mem=128000M,gres/gpu=4
PartitionName=spot AllowGroups=ALL Nodes=n1,n2 PreemptMode=CANCEL TRES=cpu=16,mem=128000M,gres/gpu=4
"""
CLUSTER = SlurmCluster(has_accounting=False, min_job_age_s=300, preempts=False, cancelling=())
CHECKS = StatusChecks(command="squeue", first_check_s=40, has_sacct=True, is_requeued=True)


def change(record, **changes):
    return type(record)(**(vars(record) | changes))


def check(cluster=CLUSTER, checks=CHECKS):
    return list(check_cluster(cluster, checks))


def test_the_configuration_is_read():
    assert parse_cluster(CONFIG, PARTITIONS) == SlurmCluster(
        has_accounting=False, min_job_age_s=300, preempts=True, cancelling=("spot",)
    )
    calm = CONFIG.replace("partition_prio", "none").replace("/none\nJob", "/slurmdbd\nJob")
    assert parse_cluster(calm, PARTITIONS) == SlurmCluster(
        has_accounting=True, min_job_age_s=300, preempts=False, cancelling=()
    )
    assert parse_cluster("", "") == CLUSTER


def test_a_controller_that_does_not_answer_is_left_to_snakemake(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert read_cluster() is None
    program = tmp_path / "scontrol"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    assert read_cluster() is None


def test_the_shipped_profile_is_accepted_with_slurms_defaults():
    assert check() == []
    assert check(change(CLUSTER, has_accounting=True)) == []
    assert check(change(CLUSTER, min_job_age_s=0)) == [], "jobs are remembered for ever"


@pytest.mark.parametrize(
    ("cluster", "checks", "message"),
    [
        ({}, {"command": "sacct"}, "slurm-status-command must be squeue .* got sacct"),
        ({"min_job_age_s": 300}, {"first_check_s": 101}, r"at most a third of MinJobAge \(100\) .* got 101"),
        ({"min_job_age_s": 100}, {}, "got MinJobAge=100; ask the administrators"),
        (
            {"min_job_age_s": LONGEST_CHECK_S},
            {},
            "more than 180 seconds, .* got MinJobAge=180; ask the administrators",
        ),
        ({"min_job_age_s": 100}, {"has_sacct": False}, "got MinJobAge=100; ask the administrators"),
        (
            {"min_job_age_s": 150, "has_accounting": True},
            {},
            "got MinJobAge=150; remove slurm-status-command: squeue",
        ),
    ],
)
def test_settings_that_hide_the_end_of_a_job_are_refused(cluster, checks, message):
    with pytest.raises(ConfigError, match=message):
        check(change(CLUSTER, **cluster), change(CHECKS, **checks))


def test_sacct_needs_no_memory_of_the_controller():
    accounting = change(CLUSTER, has_accounting=True, min_job_age_s=60)
    assert check(accounting, change(CHECKS, command="sacct")) == []
    assert check(accounting) == [], "the plugin asks sacct of itself"


def test_preemption_that_keeps_snakemake_waiting_gives_a_warning():
    preempting = change(CLUSTER, preempts=True)
    assert check(preempting) == []
    (warning,) = check(preempting, change(CHECKS, is_requeued=False))
    assert "slurm-requeue: true" in warning
    (warning,) = check(change(preempting, cancelling=("spot", "idle")))
    assert "partition spot and idle" in warning
    assert "scontrol requeue JOB" in warning


def test_jobs_are_kept_when_slurm_does_not_answer(tmp_path, monkeypatch, caplog):
    """The plugin's own function runs a program that fails at first, like squeue without a controller."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    ask = snakemake_executor_plugin_slurm.query_job_status
    monkeypatch.setattr(snakemake_executor_plugin_slurm, "query_job_status", ask)
    program = tmp_path / "squeue"
    program.write_text(f'#!/bin/sh\n[ -e {tmp_path}/up ] && echo "7|RUNNING"\n')
    program.chmod(0o755)
    command, logger = "squeue --name run", logging.getLogger("plugin")
    assert asyncio.run(ask(command, logger)) == (None, None), "with this the plugin forgets its jobs"
    for _ in range(2):
        keep_jobs_without_answer(snakemake_executor_plugin_slurm)
    query = snakemake_executor_plugin_slurm.query_job_status
    assert asyncio.run(query(command, logger)) == ({}, 0.0)
    assert caplog.messages == ["Slurm does not answer squeue; its jobs are kept, and it is asked again"]
    (tmp_path / "up").touch()
    assert asyncio.run(query(command, logger))[0] == {"7": "RUNNING"}

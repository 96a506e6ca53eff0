"""A whole small experiment, from the pretraining to the page, through the profile for Slurm."""

import pytest

from tests.support.micro import MICRO, digest_results
from tests.support.slurm import Workflow

pytestmark = pytest.mark.cluster


def test_the_smallest_experiment_has_the_results_of_a_run_on_this_machine(cluster, finished, tmp_path):
    rules = {rule: {"gpu": 1} for rule in ("pretrain", "train", "sample", "probe", "curve", "trace")}
    workflow = Workflow(tmp_path / "work", cluster, MICRO, rules=rules)
    before = cluster.jobs()
    try:
        workflow.start()
        assert workflow.finish(limit_s=5400) == 0, workflow.output
    finally:
        workflow.kill()
        cluster.clear()
    assert digest_results(workflow.folder) == digest_results(finished)
    assert (workflow.folder / "results/micro/report/index.html").stat().st_size > 10_000
    jobs = [job for job in cluster.jobs() if job not in before]
    assert {cluster.job_state(job) for job in jobs} == {"COMPLETED"}
    assert len(jobs) == workflow.output.count("has been submitted with SLURM jobid")
    assert "Traceback" not in workflow.output
    workflow.start(options=["-n"])
    assert workflow.finish() == 0
    assert "Nothing to be done" in workflow.output

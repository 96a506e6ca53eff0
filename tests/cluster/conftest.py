"""The cluster on which the tests of this folder run; without Slurm they are skipped."""

import os

import pytest

from tests.support.slurm import Cluster, missing_programs


@pytest.fixture(scope="session", autouse=True)
def _needs_slurm():
    if missing := missing_programs():
        pytest.skip(f"needs Slurm, but {', '.join(missing)} are missing; install slurm-wlm (Debian, Ubuntu)")
    if os.geteuid() != 0:
        pytest.skip("needs root, which creates the devices that stand for GPUs")


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    """A cluster without accounting, which all tests share."""
    running = Cluster(tmp_path_factory.mktemp("slurm") / "cluster")
    yield running
    running.stop()

"""Fixture that runs Snakemake in a temporary folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def snakemake(tmp_path):
    def run(*arguments, directory=tmp_path, repository=REPOSITORY, timeout=900):
        command = [
            sys.executable, "-m", "snakemake", "--snakefile", str(repository / "Snakefile"),
            "--directory", str(directory), "--cores", "2", *map(str, arguments),
        ]  # fmt: skip
        environment = {k: v for k, v in os.environ.items() if not k.startswith("SLURM")}
        environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
        return subprocess.run(
            command, capture_output=True, text=True, timeout=timeout, env=environment, check=False
        )

    return run

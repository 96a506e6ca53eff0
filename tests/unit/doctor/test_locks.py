import errno
import os
import subprocess
import sys

import pytest

from weft.doctor.locks import check_locks, check_snakemake
from weft.records.files import lock_output

HOLD = """
import sys; from pathlib import Path; from weft.records.files import lock_output
with lock_output(Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def locked(tmp_path):
    """Return a function that lets a second process lock a result until the test ends."""
    processes = []

    def start(command, directory=tmp_path):
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=directory
        )
        assert process.stdout.readline() == "locked\n"
        processes.append(process)
        return process.pid

    yield start
    for process in processes:
        process.communicate("")


def test_a_result_that_another_process_writes_is_named(tmp_path, locked):
    out = tmp_path / "runs/sft"
    with lock_output(tmp_path / "samples/base"):
        pass
    (finding,) = check_locks(tmp_path)
    assert finding.level == "ok"
    pid = locked([sys.executable, "-c", HOLD, str(out)])
    (finding,) = check_locks(tmp_path)
    assert finding.level == "warning"
    assert "1 results are being written" in finding.text
    assert f"(process {pid})" in finding.text


def print_as_another_user(check, folder):
    """Run a check as a user who owns nothing; return the findings as text. Only root can do so."""
    for place in (folder, *folder.parents):
        if place != place.parent and not place.stat().st_mode & 0o001:
            place.chmod(place.stat().st_mode | 0o055)
    code = (
        f"import os, sys; from pathlib import Path; from weft.doctor.locks import {check.__name__}\n"
        f"os.setuid(65534); print(*[f.as_text() for f in {check.__name__}(Path(sys.argv[1]))])"
    )
    return subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True
    ).stdout


def test_a_lock_of_another_user_is_named(tmp_path):
    if os.getuid():
        pytest.skip("only root can become another user")
    with lock_output(tmp_path / "base"):
        pass
    (tmp_path / ".base.lock").chmod(0o600)
    printed = print_as_another_user(check_locks, tmp_path)
    assert printed.startswith("problem  locks of results: 1 lock files cannot be opened")
    assert "Permission denied" in printed


def test_the_lock_of_a_killed_snakemake_is_told_from_that_of_a_running_one(tmp_path, locked):
    assert [finding.level for finding in check_snakemake(tmp_path)] == ["ok"]
    locks = tmp_path / ".snakemake/locks"
    locks.mkdir(parents=True)
    (locks / "0.output.lock").write_text("results/tiny/page\n")
    (finding,) = check_snakemake(tmp_path)
    assert finding.level == "problem"
    assert "no snakemake of this machine runs there" in finding.text
    assert "--unlock" in finding.remedy
    program = tmp_path / "snakemake"
    program.write_text("import sys\nprint('locked', flush=True)\nsys.stdin.read()\n")
    pid = locked([sys.executable, str(program)])
    (finding,) = check_snakemake(tmp_path)
    assert finding.level == "problem"
    assert finding.text == f"process {pid} runs in {tmp_path}"
    assert "--unlock" not in finding.remedy


def test_snakemakes_records_of_another_user_are_named(tmp_path):
    if os.getuid():
        pytest.skip("only root can become another user")
    (tmp_path / ".snakemake").mkdir(mode=0o755)
    printed = print_as_another_user(check_snakemake, tmp_path)
    assert "belongs to user 0 and cannot be written" in printed


def test_a_file_system_without_locks_is_a_problem(tmp_path, monkeypatch):
    (tmp_path / ".a.lock").touch()

    def refuse(descriptor, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("weft.doctor.locks.fcntl.flock", refuse)
    (finding,) = check_locks(tmp_path)
    assert finding.level == "problem"
    assert "No locks available" in finding.text

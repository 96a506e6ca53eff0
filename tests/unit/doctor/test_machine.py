import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from weft.doctor import machine
from weft.doctor.machine import (
    PYTHONS,
    check_clock,
    check_compiler,
    check_memory,
    check_open_files,
    check_python,
    check_shared_memory,
)
from weft.plan import JobMemory

REPOSITORY = Path(__file__).resolve().parents[3]


def levels(findings):
    return [(finding.level, finding.check) for finding in findings]


def test_the_supported_versions_of_python_are_those_of_the_package():
    required = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["requires-python"]
    assert required == ",".join(
        f"{sign}{major}.{minor}" for sign, (major, minor) in zip((">=", "<"), PYTHONS, strict=True)
    )
    assert levels(check_python()) == [("ok", "Python")]


def test_an_unsupported_python_is_named(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 10, 4))
    (finding,) = check_python()
    assert finding.level == "problem"
    assert "3.10.4" in finding.text


@pytest.mark.parametrize(("limit", "level"), [(64, "problem"), (512, "warning"), (1024, "ok")])
def test_few_open_files(limit, level):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    try:
        (finding,) = check_open_files()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert finding.level == level
    assert f"{limit} files" in finding.text


@pytest.mark.parametrize(("factor", "level"), [(2, "problem"), (0.999, "warning"), (0, "ok")])
def test_memory_of_the_largest_job(factor, level):
    model_mb = int(factor * machine.total_memory() / 1e6)
    request_mb = model_mb + 100
    (finding,) = check_memory(JobMemory("train run", model_mb, request_mb))
    assert finding.level == level
    assert "train run" in finding.text


def test_the_memory_of_a_container_counts(tmp_path, monkeypatch):
    limit = tmp_path / "memory.max"
    limit.write_text("1000000\n")
    monkeypatch.setattr(machine, "CGROUP_LIMITS", (tmp_path / "absent", limit))
    assert machine.total_memory() == 1_000_000
    limit.write_text("max\n")
    assert machine.total_memory() > 1_000_000


@pytest.mark.parametrize(("processes", "level"), [(2, "problem"), (1, "warning")])
def test_little_shared_memory(tmp_path, processes, level):
    """A tmpfs of 32 MiB, as small as that of a container."""
    unshare = shutil.which("unshare")
    code = (
        "import sys; from pathlib import Path; from weft.doctor.machine import check_shared_memory\n"
        f"print(*[f.as_text() for f in check_shared_memory({processes}, folder=Path(sys.argv[1]))])"
    )
    script = 'mount -t tmpfs -o size=32m tmpfs "$1" && exec "$2" -c "$3" "$1"'
    command = ["sh", "-c", script, "sh", str(tmp_path), sys.executable, code]
    result = unshare and subprocess.run(
        [unshare, "-rm", *command], capture_output=True, text=True, check=False
    )
    if not result or (result.returncode and "mount" in result.stderr + "unshare"):
        pytest.skip("no small file system can be mounted here")
    assert result.stdout.startswith(level), result.stderr
    assert "has 32 MiB free" in result.stdout
    assert levels(check_shared_memory(1, folder=tmp_path)) == [("ok", "shared memory")]


def test_no_shared_memory(tmp_path):
    assert levels(check_shared_memory(1, folder=tmp_path / "absent")) == [("problem", "shared memory")]


@pytest.mark.parametrize("compiler", ["absent", "broken", "without headers"])
def test_a_compiler_that_does_not_work(tmp_path, monkeypatch, compiler):
    scripts = {"broken": "echo 'error: no crt1.o' >&2; exit 1", "without headers": "cat >/dev/null; exit 4"}
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    if compiler in scripts:
        program = tmp_path / "c++"
        program.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{scripts[compiler]}\n")
        program.chmod(0o755)
    assert levels(check_compiler(tmp_path, is_needed=True)) == [("problem", "compiler")]
    assert levels(check_compiler(tmp_path, is_needed=False)) == [("warning", "compiler")]
    (tmp_path / "deepspeed_shm_comm").mkdir()
    (tmp_path / "deepspeed_shm_comm/deepspeed_shm_comm.so").touch()
    (finding,) = check_compiler(tmp_path, is_needed=True)
    assert finding.level == "warning"
    assert "compiled before" in finding.text
    if compiler == "broken":
        assert "no crt1.o" in finding.text


def test_a_compiler_that_does_not_start(tmp_path, monkeypatch):
    monkeypatch.setenv("CXX", str(tmp_path / "none"))
    (finding,) = check_compiler(tmp_path, is_needed=True)
    assert "does not start (No such file or directory)" in finding.text


def test_files_dated_in_the_future_are_named(tmp_path):
    (tmp_path / "data").mkdir()
    late, other = tmp_path / "data/late.jsonl", tmp_path / "data/other.jsonl"
    for path in (late, other):
        path.touch()
    assert levels(check_clock([tmp_path])) == [("ok", "clock")]
    ahead = late.stat().st_mtime + 86_400
    os.utime(late, (ahead, ahead))
    clock, finding = check_clock([tmp_path, other])
    assert (clock.level, finding.level) == ("ok", "problem")
    assert finding.text == f"1 files are dated in the future, such as {late}"


def test_a_clock_before_the_sources_is_named():
    """In a process of its own, whose clock is that of the year 2001."""
    code = (
        "import json, time; time.time = lambda: 1e9\n"
        "from weft.doctor.machine import check_clock\n"
        "print(json.dumps([finding.as_object() for finding in check_clock([])]))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    (finding,) = json.loads(result.stdout)
    assert finding["level"] == "problem"
    assert re.search(r"it is 2001-09-0\d .*, but .*\.py is dated 20\d\d", finding["text"])

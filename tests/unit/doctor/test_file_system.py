import json
import os
import shutil
import subprocess
import sys

import pytest

from tests.support import refusals
from weft.doctor.file_system import check_file_system, existing_folder, folder_size

CHECK = """
import json, sys
from pathlib import Path
from weft.doctor.file_system import check_file_system
print(json.dumps([finding.as_object() for finding in check_file_system("results", Path(sys.argv[1]))]))
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    built = refusals.build(tmp_path_factory.mktemp("library"))
    if built is None:
        pytest.skip("there is no C compiler for the library that refuses calls")
    return built


def check(folder, **options):
    result = subprocess.run(
        [sys.executable, "-c", CHECK, str(folder)], capture_output=True, text=True, check=True, **options
    )
    return {entry["check"]: entry for entry in json.loads(result.stdout)}


@pytest.mark.parametrize(
    ("refused", "name", "level", "text"),
    [
        ("flock-error", "locks", "problem", "no file locks (No locks available)"),
        ("flock-nothing", "locks", "problem", "does not exclude a second process"),
        ("link", "hard links", "warning", "no hard links (Operation not permitted)"),
        ("rename", "replacing files", "problem", "cannot be replaced (File exists)"),
        ("fsync", "replacing files", "problem", "cannot be replaced (Input/output error)"),
        ("case", "upper and lower case", "warning", "does not distinguish upper and lower case"),
    ],
)
def test_a_file_system_that_refuses_a_call(tmp_path, library, refused, name, level, text):
    findings = check(tmp_path, env=refusals.environment(library, refused))
    finding = findings.pop(f"results, {name}")
    assert finding["level"] == level
    assert text in finding["text"]
    assert finding["remedy"]
    assert {other["level"] for other in findings.values()} == {"ok"}, "the other properties are as before"
    assert not list(tmp_path.iterdir()), "nothing is left behind"


def test_an_ordinary_file_system_has_everything(tmp_path):
    findings = list(check_file_system("results", tmp_path / "not" / "there" / "yet"))
    assert [finding.check for finding in findings] == [
        f"results, {name}"
        for name in ("locks", "replacing files", "hard links", "upper and lower case", "clock")
    ]
    assert {finding.level for finding in findings} == {"ok"}
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("size", ["16k"])
def test_a_full_disk_is_named(tmp_path, size):
    script = f'mount -t tmpfs -o size={size} tmpfs "$1" && head -c 1M /dev/zero > "$1/full" 2>/dev/null; ' + (
        'exec "$2" -c "$3" "$1"'
    )
    unshare = shutil.which("unshare")
    tried = unshare and subprocess.run(
        [unshare, "-rm", "mount", "-t", "tmpfs", "tmpfs", str(tmp_path)], capture_output=True, check=False
    )
    if not tried or tried.returncode:
        pytest.skip("no small file system can be mounted here")
    result = subprocess.run(
        [unshare, "-rm", "sh", "-c", script, "sh", str(tmp_path), sys.executable, CHECK],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    findings = {entry["check"]: entry for entry in json.loads(result.stdout)}
    assert "No space left on device" in findings["results, replacing files"]["text"]


def test_a_folder_of_another_user_cannot_be_written(tmp_path):
    tmp_path.chmod(0o555)
    become = "import os; os.getuid() == 0 and os.setuid(65534)\n"  # root may write everywhere
    imports, _, rest = CHECK.partition("print")
    for folder in tmp_path.parents:  # those of pytest are private
        if (
            folder != folder.parent
            and not folder.stat().st_mode & 0o001
            and folder.stat().st_uid == os.getuid()
        ):
            folder.chmod(folder.stat().st_mode | 0o011)
    result = subprocess.run(
        [sys.executable, "-c", f"{imports}{become}print{rest}", str(tmp_path)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    (finding,) = json.loads(result.stdout)
    assert finding["level"] == "problem"
    assert f"no file can be written in {tmp_path} (Permission denied)" in finding["text"]


def test_a_clock_that_differs_is_named(tmp_path):
    """The clock of the process is an hour behind; the file system keeps that of the machine."""
    faketime = "import time; real = time.time; time.time = lambda: real() - 3600\n"
    result = subprocess.run(
        [sys.executable, "-c", faketime + CHECK, str(tmp_path)], capture_output=True, text=True, check=True
    )
    findings = {entry["check"]: entry for entry in json.loads(result.stdout)}
    assert findings["results, clock"]["level"] == "problem"
    assert "+3600 s" in findings["results, clock"]["text"]


def test_the_size_of_a_folder_counts_hard_links_once(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 1000)
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    (tmp_path / "c").mkdir()
    size = folder_size(tmp_path) - (tmp_path / "c").stat().st_size
    assert size == 1000


def test_the_nearest_folder_that_exists(tmp_path):
    assert existing_folder(tmp_path / "a" / "b") == tmp_path

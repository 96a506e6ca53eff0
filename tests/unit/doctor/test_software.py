import os
import shutil
import subprocess

import pytest

from weft.config.places import CHECKOUT
from weft.doctor.software import LOCK_FILE, check_checkout, check_versions, read_versions


def test_versions_that_differ_from_the_lock_file_are_named(tmp_path):
    lock = tmp_path / "lock.txt"
    text = (CHECKOUT / LOCK_FILE).read_text()
    versions = read_versions(CHECKOUT / LOCK_FILE)
    assert len(versions) > 50
    lock.write_text(text.replace(f"numpy=={versions['numpy']}", "numpy==1.0.1") + "no-such-package==3\n")
    (finding,) = check_versions(lock)
    assert finding.level == "warning"
    assert f"numpy {versions['numpy']} instead of 1.0.1" in finding.text
    assert "no-such-package is missing instead of 3" in finding.text


def test_a_suffix_of_torch_is_not_another_version(tmp_path):
    import torch

    lock = tmp_path / "lock.txt"
    lock.write_text(f"torch=={torch.__version__.partition('+')[0]}\n")
    assert [finding.level for finding in check_versions(lock)] == ["ok"]


def test_a_missing_lock_file_is_named(tmp_path):
    (finding,) = check_versions(tmp_path / "lock.txt")
    assert finding.level == "warning"
    assert "lock.txt" in finding.text


def test_a_package_that_weft_cannot_run_with_is_a_problem(tmp_path, monkeypatch):
    """The metadata of a package that requires another version, as pip would have written it."""
    folder = tmp_path / "weft_dllm-0.1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: weft-dllm\nVersion: 0.1.0\n"
        "Requires-Dist: numpy<1.0\nRequires-Dist: not-there\nRequires-Dist: other-one; extra == 'workflow'\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    finding = next(check_versions())
    assert finding.level == "problem"
    assert "numpy" in finding.text
    assert "not-there missing" in finding.text
    assert "other-one" not in finding.text


def git(folder, *arguments):
    subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True)


def test_a_checkout_of_another_user_is_named(tmp_path):
    if os.getuid() or shutil.which("git") is None:
        pytest.skip("only root can give a folder to another user")
    folder = tmp_path / "checkout"
    folder.mkdir()
    git(folder, "init")
    git(folder, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--allow-empty", "-m", "first")
    (finding,) = check_checkout(folder)
    assert finding.level == "ok"
    for path in (folder, folder / ".git"):
        os.chown(path, 65534, 65534)
    (finding,) = check_checkout(folder)
    assert finding.level == "warning"
    assert "which belongs to user 65534" in finding.text
    assert f"safe.directory {folder}" in finding.remedy


def test_a_damaged_checkout_and_a_missing_git_are_named(tmp_path, monkeypatch):
    (tmp_path / ".git").mkdir()
    (finding,) = check_checkout(tmp_path)
    assert "git refuses" in finding.text
    assert "clone the repository again" in finding.remedy
    monkeypatch.setenv("PATH", "")
    (finding,) = check_checkout(tmp_path)
    assert "there is no git" in finding.text
    assert not list(check_checkout(tmp_path / "installed"))

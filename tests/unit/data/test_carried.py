import subprocess

import pytest

from weft.data.carried import (
    MANIFEST,
    check_carried,
    holds,
    is_inside,
    list_carried,
    read_manifest,
    write_manifest,
)
from weft.errors import DataError


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "carried"
    for name in ("owner/base/config.json", "d1 data/a.csv", ".hidden", "owner/.base.new/x"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    write_manifest(folder)
    return folder


def test_the_manifest_lists_all_files_but_hidden_ones(folder):
    assert list_carried(folder) == ["d1 data/a.csv", "owner/base/config.json"]
    assert list(read_manifest(folder)) == list_carried(folder)
    assert check_carried(folder) == []
    assert holds(folder, read_manifest(folder))


def test_sha256sum_reads_it(folder):
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", MANIFEST], cwd=folder, check=True)


def test_changes_are_named(folder):
    (folder / "owner/base/config.json").write_text("{}")
    (folder / "d1 data/a.csv").unlink()
    (folder / "more").touch()
    missing, changed, more = check_carried(folder)
    assert (missing, more) == ("missing: d1 data/a.csv", f"not in {MANIFEST}: more")
    assert changed.startswith("changed: owner/base/config.json has sha256 44136fa355b3678a1146ad16")
    assert not holds(folder, read_manifest(folder))


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x", "~/x", ""])
def test_names_that_lead_out_of_the_folder(folder, name):
    assert not is_inside(name)
    (folder / MANIFEST).write_text(f"{'0' * 64}  {name}\n")
    with pytest.raises(DataError, match="line 1: expected a SHA-256, two spaces and a path in the folder"):
        read_manifest(folder)


def test_names_that_the_format_cannot_store(folder):
    (folder / "a\nb").touch()
    with pytest.raises(DataError, match="without line ends and backslashes"):
        write_manifest(folder)


def test_without_a_manifest(tmp_path):
    with pytest.raises(DataError, match="SHA256SUMS: expected a file, got none; fetch the files again"):
        check_carried(tmp_path)


@pytest.mark.parametrize("name", ["~", "\udcff"])
def test_names_that_the_check_would_refuse_are_refused_before(folder, name):
    (folder / name).touch()
    with pytest.raises(DataError, match="rename the file"):
        write_manifest(folder)


def test_other_separators_may_stand_in_a_name(folder):
    (folder / "a\u2028b\x0bc").touch()
    write_manifest(folder)
    assert check_carried(folder) == []

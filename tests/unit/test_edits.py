import os

import pytest

from weft import provenance
from weft.edits import notice_edits
from weft.errors import DataError
from weft.layout import digests_file, provenance_file
from weft.provenance import stored_digest, write_provenance


@pytest.fixture
def folder(tmp_path):
    provenance._HASHED.clear()  # a process reads a file once
    folder = tmp_path / "base"
    folder.mkdir()
    for name in ("config.json", "model.safetensors"):
        (folder / name).write_text(name)
    write_provenance(folder, settings={}, experiment="tiny")
    (folder / ".snakemake_timestamp").touch()
    os.utime(folder / ".snakemake_timestamp", (1000, 1000))
    return folder


def time_of(folder):
    return (folder / ".snakemake_timestamp").stat().st_mtime


def change(folder):
    (folder / "config.json").write_text("CONFIG.json")


def change_with_old_time(folder):
    file = folder / "config.json"
    status = file.stat()
    change(folder)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def swap(folder):
    first, second, third = (folder / name for name in ("config.json", "model.safetensors", "x"))
    first.rename(third)
    second.rename(first)
    third.rename(second)


@pytest.mark.parametrize(
    ("edit", "names"),
    [
        (change, ["config.json"]),
        (change_with_old_time, ["config.json"]),
        (swap, ["config.json", "model.safetensors"]),
        (lambda folder: (folder / "config.json").unlink(), ["config.json"]),
        (lambda folder: (folder / "more.json").touch(), ["more.json"]),
    ],
    ids=["changed", "time kept", "swapped", "removed", "added"],
)
def test_an_edit_is_noticed_once(folder, edit, names):
    before = provenance_file(folder).read_bytes()
    edit(folder)
    provenance._HASHED.clear()
    stored_digest(folder)  # as a job that somebody runs by hand
    assert notice_edits(folder) == names
    assert time_of(folder) > 1000
    os.utime(folder / ".snakemake_timestamp", (1000, 1000))
    assert notice_edits(folder) == []
    assert time_of(folder) == 1000
    assert provenance_file(folder).read_bytes() == before, (
        "the provenance is that of the folder as it was made"
    )


def test_an_edit_that_is_undone_is_an_edit_too(folder):
    change(folder)
    notice_edits(folder)
    (folder / "config.json").write_text("config.json")
    assert notice_edits(folder) == ["config.json"]


def test_nothing_is_noticed_if_only_times_differ(folder):
    for file in folder.glob("*.*"):
        os.utime(file, (5, 5))
    assert notice_edits(folder) == []
    os.link(folder / "config.json", folder.parent / "link")
    assert notice_edits(folder) == []


@pytest.mark.parametrize("missing", ["folder", "timestamp"])
def test_what_is_not_a_finished_result_is_left_alone(folder, missing):
    change(folder)
    if missing == "folder":
        folder = folder.with_name("absent")
    else:
        (folder / ".snakemake_timestamp").unlink()
    assert notice_edits(folder) == []


@pytest.mark.parametrize("damage", [lambda file: file.unlink(), lambda file: file.write_text("{")])
def test_an_edit_is_noticed_without_the_hidden_digests(folder, damage):
    damage(digests_file(folder))
    change(folder)
    provenance._HASHED.clear()
    stored_digest(folder)
    assert notice_edits(folder) == ["config.json"]
    assert time_of(folder) > 1000
    assert notice_edits(folder) == []


def test_nothing_is_noticed_in_an_unchanged_copy_without_the_hidden_digests(folder):
    digests_file(folder).unlink()
    assert notice_edits(folder) == []
    assert digests_file(folder).exists()


def test_a_link_is_an_edit(folder):
    (folder / "config.json").unlink()
    (folder / "config.json").symlink_to(folder / "model.safetensors")
    assert notice_edits(folder) == ["config.json"]


def test_an_edit_that_cannot_be_noted_is_an_error(folder, monkeypatch):
    change(folder)

    def refuse(path, content):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("weft.edits.write_json", refuse)  # a superuser may write everywhere
    with pytest.raises(DataError, match=r"must be readable, and writable .* got Permission denied for"):
        notice_edits(folder)

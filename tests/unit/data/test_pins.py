import json
import multiprocessing
from pathlib import Path

import pytest

from weft.data import pins as pins_module
from weft.data.pins import add_pin, find_pin, pins_path
from weft.errors import DataError

A, B = "a" * 40, "b" * 40
ONE, TWO = "1" * 64, "2" * 64


def pin(pins, file="x", sha256=ONE, *, commit=A, repo="o/r"):
    add_pin(pins, "dataset", repo, "main", commit=commit, files={file: sha256})


def pin_many(pins, worker, start):
    start.wait()
    for number in range(10):
        pin(pins, f"file-{worker}-{number}")
        pin(pins, repo=f"o/{worker}-{number}")


def test_the_lock_file_stands_beside_the_experiment(tmp_path):
    assert pins_path(tmp_path / "my.paper.yaml") == tmp_path / "my.paper.lock.json"


def test_the_lock_file_of_an_installed_experiment_stands_in_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.setattr(pins_module, "SHIPPED_FILES", tmp_path / "shipped")
    assert pins_path(tmp_path / "shipped/experiments/paper.yaml") == Path("paper.lock.json")
    assert pins_path(tmp_path / "mine.yaml") == tmp_path / "mine.lock.json"


def test_a_pin_is_found_by_type_repository_and_revision(tmp_path):
    pins = tmp_path / "x.lock.json"
    pin(pins)
    pin(pins, "y", TWO)
    pinned = find_pin(pins, "dataset", "o/r", "main")
    assert (pinned.commit, pinned.files) == (A, {"x": ONE, "y": TWO})
    for other in (("model", "o/r", "main"), ("dataset", "o/s", "main"), ("dataset", "o/r", "v2")):
        assert find_pin(pins, *other) is None
    assert find_pin(None, "dataset", "o/r", "main") is None


def test_without_a_lock_file_nothing_is_pinned(tmp_path):
    assert find_pin(tmp_path / "absent.lock.json", "dataset", "o/r", "main") is None


@pytest.mark.parametrize("other", [{"commit": B}, {"sha256": TWO}, {"commit": B, "file": "y"}])
def test_a_pin_cannot_change(tmp_path, other):
    pins = tmp_path / "x.lock.json"
    pin(pins)
    before = pins.read_bytes()
    with pytest.raises(DataError, match=f"x.lock.json has commit {A} for datasets/o/r@main"):
        pin(pins, **other)
    assert pins.read_bytes() == before
    pin(pins)
    assert pins.read_bytes() == before


def test_the_commit_of_an_offline_copy_is_added_by_the_first_download(tmp_path):
    pins = tmp_path / "x.lock.json"
    pin(pins, commit=None)
    assert find_pin(pins, "dataset", "o/r", "main").commit is None
    pin(pins, "y", TWO, commit=A)
    pin(pins, commit=None)
    pinned = find_pin(pins, "dataset", "o/r", "main")
    assert (pinned.commit, pinned.files) == (A, {"x": ONE, "y": TWO})
    with pytest.raises(DataError, match=f"x.lock.json has commit {A} .*changed files: \\['x'\\]"):
        pin(pins, commit=None, sha256=TWO)


def test_concurrent_jobs_keep_all_pins(tmp_path):
    pins = tmp_path / "x.lock.json"
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(3)
    workers = [context.Process(target=pin_many, args=(pins, worker, start)) for worker in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    written = json.loads(pins.read_text())
    assert len(written) == 31
    assert len(written["datasets/o/r@main"]["files"]) == 30
    assert list(written) == sorted(written)


@pytest.mark.parametrize("content", ["", "[]", '{"a": {"commit": "main", "files": {}}}'])
def test_a_malformed_lock_file_is_refused(tmp_path, content):
    pins = tmp_path / "x.lock.json"
    pins.write_text(content)
    with pytest.raises(DataError, match=r"x.lock.json .*restore or delete"):
        find_pin(pins, "dataset", "o/r", "main")


def test_a_lock_file_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"x.lock.json must be writable"):
        pin(tmp_path / "file" / "x.lock.json")

import json
import multiprocessing

import pytest

from weft.config.pins import find_pin, pins_path, record_pin
from weft.errors import DataError

A, B = "a" * 40, "b" * 40
ONE, TWO = "1" * 64, "2" * 64


def note(pins, file="x", sha256=ONE, *, commit=A, repo="o/r"):
    record_pin(pins, "dataset", repo, "main", commit=commit, files={file: sha256})


def note_many(pins, worker, start):
    start.wait()
    for number in range(10):
        note(pins, f"file-{worker}-{number}")
        note(pins, repo=f"o/{worker}-{number}")


def test_the_lock_file_stands_beside_the_experiment(tmp_path):
    assert pins_path(tmp_path / "my.paper.yaml") == tmp_path / "my.paper.lock.json"


def test_what_is_noted_is_found_under_its_type_repository_and_revision(tmp_path):
    pins = tmp_path / "x.lock.json"
    note(pins)
    note(pins, "y", TWO)
    found = find_pin(pins, "dataset", "o/r", "main")
    assert (found.commit, found.files) == (A, {"x": ONE, "y": TWO})
    for other in (("model", "o/r", "main"), ("dataset", "o/s", "main"), ("dataset", "o/r", "v2")):
        assert find_pin(pins, *other) is None
    assert find_pin(None, "dataset", "o/r", "main") is None


def test_nothing_is_noted_before_the_first_use(tmp_path):
    assert find_pin(tmp_path / "absent.lock.json", "dataset", "o/r", "main") is None


@pytest.mark.parametrize("other", [{"commit": B}, {"sha256": TWO}, {"commit": B, "file": "y"}])
def test_what_is_noted_stays(tmp_path, other):
    pins = tmp_path / "x.lock.json"
    note(pins)
    before = pins.read_bytes()
    with pytest.raises(DataError, match="another job noted it meanwhile: run this one again"):
        note(pins, **other)
    assert pins.read_bytes() == before
    note(pins)
    assert pins.read_bytes() == before


def test_jobs_that_note_at_the_same_time_lose_nothing(tmp_path):
    pins = tmp_path / "x.lock.json"
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(3)
    workers = [context.Process(target=note_many, args=(pins, worker, start)) for worker in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    noted = json.loads(pins.read_text())
    assert len(noted) == 31
    assert len(noted["datasets/o/r@main"]["files"]) == 30
    assert list(noted) == sorted(noted)


@pytest.mark.parametrize("content", ["", "[]", '{"a": {"commit": "main", "files": {}}}'])
def test_a_lock_file_that_is_none_is_refused(tmp_path, content):
    pins = tmp_path / "x.lock.json"
    pins.write_text(content)
    with pytest.raises(
        DataError, match=r"x.lock.json must be a lock file as weft writes it: .*restore or delete"
    ):
        find_pin(pins, "dataset", "o/r", "main")


def test_a_lock_file_that_cannot_be_written_says_what_else_to_do(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"must be writable, .*or name commit and sha256 in the experiment"):
        note(tmp_path / "file" / "x.lock.json")

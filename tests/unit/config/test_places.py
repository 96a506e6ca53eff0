import os
from pathlib import Path

import pytest

from weft.config.places import CHECKOUT, find_path, in_one_spelling, run_jobs_from_checkout


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_checkout_is_the_folder_with_the_package():
    assert (CHECKOUT / "weft/__init__.py").is_file()


def test_a_shipped_file_is_found_from_every_directory(elsewhere):
    shipped = Path("examples/custom_benchmark.py")
    assert find_path(shipped) == CHECKOUT / shipped
    shipped.parent.mkdir()
    shipped.write_text("")
    assert find_path(str(shipped)) == shipped  # the working directory comes first


def test_a_path_that_exists_nowhere_stays_as_it_is(elsewhere):
    assert find_path("nowhere/x.jsonl") == Path("nowhere/x.jsonl")
    assert find_path("/nowhere/x.jsonl") == Path("/nowhere/x.jsonl")


def test_a_tilde_is_the_home_directory(elsewhere, monkeypatch):
    monkeypatch.setenv("HOME", str(elsewhere / "home"))
    assert find_path("~/x.jsonl") == elsewhere / "home/x.jsonl"
    assert find_path("~no-such-user/x.jsonl") == Path("~no-such-user/x.jsonl")


def test_a_path_has_one_spelling(elsewhere):
    spellings = ["a/b.yaml", "./a//b.yaml", "a/../a/b.yaml", elsewhere / "a/b.yaml"]
    assert {in_one_spelling(Path(path)) for path in spellings} == {Path("a/b.yaml")}
    assert in_one_spelling(Path("../b.yaml")) == elsewhere.parent / "b.yaml"


@pytest.mark.parametrize("before", ["", "/some/folder"])
def test_jobs_import_the_package_of_the_checkout(monkeypatch, before):
    monkeypatch.setenv("PYTHONPATH", before)
    run_jobs_from_checkout()
    assert os.environ["PYTHONPATH"].split(os.pathsep) == [str(CHECKOUT), *filter(None, [before])]

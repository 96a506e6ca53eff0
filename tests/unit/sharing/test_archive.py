import json
import os
import sys
import zipfile

import pytest

from tests.support.finished import copy_results, finish, forget, write_experiment
from weft.__main__ import main


@pytest.fixture
def layout(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return finish(tmp_path)


@pytest.fixture
def archive(monkeypatch, capsys):
    """Run the command in this process; return its exit code and its output.

    The few small files of these tests are no results that verify; only one test looks at that.
    """

    def run(*arguments, verifies=False):
        if not verifies:
            monkeypatch.setattr("weft.cli.archive.require_verified", lambda root: None)
        monkeypatch.setattr(sys, "argv", ["weft", "archive", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return ended.value.code or 0, printed.out + printed.err

    return run


def test_the_same_results_give_the_same_bytes(layout, archive, tmp_path):
    code, output = archive(layout.root)
    assert code == 0, output
    first = (tmp_path / "tiny.crate.zip").read_bytes()
    for file in layout.root.rglob("*.jsonl"):  # the dates of results are not packed, those of provenance are
        os.utime(file)
    assert archive(layout.root, "--out", "again.zip")[0] == 0
    assert (tmp_path / "again.zip").read_bytes() == first


def test_the_archive_names_neither_folder_nor_machine(layout, archive, tmp_path):
    assert archive(layout.root)[0] == 0
    with zipfile.ZipFile(tmp_path / "tiny.crate.zip") as packed:
        for name in packed.namelist():
            assert str(tmp_path).encode() not in packed.read(name), name
        readme = packed.read("README.md").decode()
    assert "The package in `weft/` is the source that made every result." in readme
    assert max(len(line) for line in readme.splitlines() if not line.startswith("|")) <= 100


def test_a_result_that_holds_a_path_of_this_machine_is_refused_unless_it_is_wanted(layout, archive, tmp_path):
    experiment = write_experiment(tmp_path)
    mine = finish(tmp_path, experiment)
    layout.page.write_text("unused")  # results of another experiment are not looked at
    timing = mine.root / "timings/train.jsonl"
    timing.parent.mkdir()
    timing.write_text(json.dumps({"folder": str(tmp_path / "x")}))
    code, output = archive(mine.root)
    assert code == 2
    assert "must not name folders of this machine, but results/mine/timings/train.jsonl does" in output
    assert not (tmp_path / "mine.crate.zip").exists()
    assert archive(mine.root, "--keep-paths")[0] == 0


def test_results_that_do_not_verify_are_refused(layout, archive):
    scores = layout.scores("strict", "sft-worked-seed1", "sudoku", 32)
    scores.write_bytes(b'{"credit": 0.0}\n')
    code, output = archive(layout.root, verifies=True)
    assert code == 2
    assert "all results must verify before they are packed" in output
    assert "run weft verify results/tiny to see all" in " ".join(output.split())
    assert not layout.root.with_name("tiny.crate.zip").exists()


def test_an_unfinished_experiment_is_refused(layout, archive):
    forget(layout.page)
    assert "index.html.provenance.json: expected a file, got none" in archive(layout.root)[1]
    layout.page.unlink()
    code, output = archive(layout.root)
    assert code == 2
    assert "must be the results folder of a finished experiment" in output


def test_the_experiment_file_must_be_the_one_that_made_the_results(layout, archive, tmp_path):
    experiment = write_experiment(tmp_path, seeds=[1, 2])
    code, output = archive(layout.root, "--experiment", experiment)
    assert code == 2
    assert "the experiment file must be the one that made results/tiny" in output


def test_a_copy_with_another_name_is_packed_by_the_name_of_its_experiment(layout, archive, tmp_path):
    copy = copy_results(layout, tmp_path / "for reviewers")
    assert archive(copy.root, "--experiment", "tiny", "--out", "out.zip")[0] == 0
    with zipfile.ZipFile(tmp_path / "out.zip") as packed:
        assert "results/tiny/report/index.html" in packed.namelist()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--out", "out.tar"], "--out must be a file that ends in .zip"),
        (["--out", "results/tiny/out.zip"], "--out must not lie in the folder that is packed"),
        (["--license", "all rights"], "--license must be a licence as SPDX names it"),
        (["--experiment", "tinny"], "did you mean 'tiny'?"),
    ],
)
def test_wrong_options(layout, archive, options, message):
    code, output = archive(layout.root, *options)
    assert (code, message in output) == (2, True), output

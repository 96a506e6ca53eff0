import errno
import json
import os
import subprocess
import sys

import pytest
import torch

from tests.support.disks import enlarge, small_disk
from weft.errors import DataError, DiskFullError
from weft.records import Generation
from weft.records.files import (
    LineAppender,
    atomic_directory,
    lock_output,
    write_lines,
    write_text,
)
from weft.records.full_disk import explain_full_disk, names_full_disk, reserve_log_space

FULL = r"^no space left on the device that holds {} \([0-9,]+ bytes are free\); free space and run the same"


@pytest.fixture
def disk(tmp_path):
    with small_disk(tmp_path, 16) as folder:
        yield folder


def make_answers(count):
    return [
        Generation(example_id=str(i), benchmark="gsm8k", question="?", reference=1.0, generation="x" * 900)
        for i in range(count)
    ]


def test_a_file_that_does_not_fit_is_not_left_behind(disk):
    write_text(disk / "a", "old")
    for write in (
        lambda: write_text(disk / "a", "x" * 50_000),
        lambda: write_lines(disk / "a", make_answers(40)),
    ):
        with pytest.raises(DiskFullError, match=FULL.format(disk / "a")):
            write()
        assert [path.name for path in disk.iterdir()] == ["a"]
        assert (disk / "a").read_text() == "old"
    enlarge(disk, 128)
    write_text(disk / "a", "x" * 50_000)
    assert len((disk / "a").read_text()) == 50_000


def test_a_folder_that_does_not_fit_is_not_left_behind(disk):
    def write():
        with atomic_directory(disk / "model") as folder:
            (folder / "weights").write_bytes(b"x" * 50_000)

    with pytest.raises(DiskFullError, match=FULL.format(disk / "model")):
        write()
    assert list(disk.iterdir()) == []
    enlarge(disk, 128)
    write()
    assert [path.name for path in disk.iterdir()] == ["model"]


def test_appending_goes_on_after_the_last_line_that_fitted(disk):
    answers = make_answers(30)

    def append():
        with LineAppender(disk / "store", Generation) as appender:
            begun = len(appender.records)
            for answer in answers[begun:]:
                appender.append(answer)
        return begun

    with pytest.raises(DiskFullError, match=FULL.format(disk / "store")):
        append()
    enlarge(disk, 128)
    assert 10 < append() < 20
    assert (disk / "store").read_text() == "".join(answer.as_line() for answer in answers)


def test_a_writer_that_hides_the_cause_is_explained(disk):
    """PyTorch names neither the file nor the reason."""
    with (
        pytest.raises(DiskFullError, match=FULL.format(disk / "deep/state.pt") + r".*\[RuntimeError: "),
        explain_full_disk(disk / "deep/state.pt"),
    ):
        torch.save({"weights": torch.zeros(10_000)}, disk / "state.pt")


def test_another_error_is_not_taken_for_a_full_disk(disk):
    enlarge(disk, 2048)
    with pytest.raises(RuntimeError, match=r"^other$"), explain_full_disk(disk / "file"):
        raise RuntimeError("other")
    (disk / "all").write_bytes(b"x" * 2048 * 1024)
    with pytest.raises(DataError, match=r"^wrong$"), explain_full_disk(disk / "file"):
        raise DataError("wrong")
    with pytest.raises(KeyError), explain_full_disk(disk / "file"):
        raise KeyError("other")


def test_the_device_that_is_full_is_named(disk, tmp_path_factory):
    room = tmp_path_factory.mktemp("room")
    (disk / "all").write_bytes(b"x" * 16 * 1024)
    with pytest.raises(DiskFullError, match=FULL.format(disk)), explain_full_disk(room, disk):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_device_without_room_for_further_files_is_explained(tmp_path):
    with small_disk(tmp_path, 1024) as disk:
        subprocess.run(["mount", "-o", "remount,nr_inodes=3", str(disk)], check=True)
        (disk / "first").touch()
        (disk / "second").touch()
        with pytest.raises(DiskFullError, match="bytes are free, and room for 0 further files"):
            write_text(disk / "third", "")
        with pytest.raises(DiskFullError, match="room for 0 further files"), lock_output(disk / "third"):
            pass


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EDQUOT, "over quota"),
        Exception("No space left on device (os error 28)"),  # tokenizers and safetensors
        OSError("[Errno 28] Error writing bytes to file"),  # pyarrow
    ],
)
def test_the_errors_of_libraries_are_recognised(error):
    assert names_full_disk(error)
    outer = ValueError("the file was not written")
    outer.__cause__ = error
    assert names_full_disk(outer)
    assert not names_full_disk(OSError(errno.EACCES, "no"))


def test_a_message_fits_into_the_log_on_a_full_disk(disk):
    code = (
        "import sys, pathlib; from weft.records.full_disk import reserve_log_space; {}\n"
        "pathlib.Path(sys.argv[1], 'all').write_bytes(b'x' * {})\nprint('the message', file=sys.stderr)"
    )
    for reserve, expected, size in (("reserve_log_space()", "the message\n", 8), ("pass", "", 16)):
        log = disk / "log"
        with log.open("w") as stderr:
            script = code.format(reserve, size * 1024)
            subprocess.run([sys.executable, "-c", script, str(disk)], stderr=stderr, check=False)
        assert log.read_text() == expected
        (disk / "all").unlink()
        log.unlink()


def test_reserving_space_changes_no_log(tmp_path, monkeypatch):
    with (tmp_path / "log").open("w") as log:
        monkeypatch.setattr(sys, "stderr", log)
        reserve_log_space()
    assert (tmp_path / "log").read_bytes() == b""


def test_a_command_on_a_full_disk_says_so_and_leaves_no_output(disk):
    rows = [{"question": f"Question {i}?", "generations": "4", "ground_truth": 4.0} for i in range(200)]
    enlarge(disk, 64)
    (disk / "answers.json").write_text(json.dumps({"generations": rows}))
    out = disk / "scores/out.jsonl"
    arguments = ["score", "--benchmark", "gsm8k", "--out", out, disk / "answers.json"]
    command = [sys.executable, "-m", "weft", *map(str, arguments)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.startswith(f"weft: error: no space left on the device that holds {out} (")
    assert list(out.parent.iterdir()) == []

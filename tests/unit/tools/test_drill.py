"""The parts of the drill that run without an experiment; tests/integration/test_drill.py has three faults."""

import os
import signal
import subprocess
import sys
from collections import Counter
from typing import get_args

import pytest

from tools.drill.compare import digest_results, list_differences, list_leftovers, read_answers
from tools.drill.damage import TARGETS, WAYS, damage_file
from tools.drill.faults import SIGNALS, Kind, draw_faults
from tools.drill.processes import MARK, find_processes
from tools.drill.progress import Progress
from tools.drill.records import FaultRecord, RunRecord, format_table, is_faultless


def test_faults_are_those_of_their_seed():
    faults = draw_faults(50, 1)
    assert faults == draw_faults(50, 1)
    assert faults[:20] == draw_faults(20, 1)
    assert faults != draw_faults(50, 2)
    counts = Counter(fault.kind for fault in faults)
    assert set(counts) == set(get_args(Kind)) == set(SIGNALS)
    assert set(counts.values()) == {6, 7}
    assert 10 < sum(fault.damages for fault in faults) < 40


@pytest.fixture
def root(tmp_path):
    files = {
        "samples/base/sudoku/32.jsonl": "answers\n",
        "samples/base/sudoku/.32.jsonl.0123456789ab.answers": "first\nsecond\n",
        "runs/.sft.0123.state/checkpoint-2/mp_rank_00_model_states.pt": "state",
        "runs/sft/history.jsonl": "{}\n",
        "runs/sft/timing.json": "{}",
        ".base.digests.json": "{}",
        "runs/.sft.lock": "",
        "tables/costs.csv": "hours",
        "tables/headline.csv": "numbers",
        "logs/train/sft.log": "log",
        "runs/sft.provenance.json": "{}",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_events_are_new_files_and_answers(root):
    progress = Progress(root)
    assert progress.update() == 0
    (root / "scores").mkdir()
    (root / "scores/new.jsonl").write_text("one line\n")
    assert progress.update() == 1
    store = root / "samples/base/sudoku/.32.jsonl.0123456789ab.answers"
    with store.open("a") as file:
        file.write("third\nfourth\ntor")
    assert progress.update() == 3
    store.write_text("first\n")  # as after damage
    (root / "scores/new.jsonl").unlink()
    assert progress.update() == 3
    assert Progress(root / "absent").update() == 0


def test_results_are_compared_without_times_and_hidden_files(root):
    expected = digest_results(root)
    assert set(expected) == {
        "samples/base/sudoku/32.jsonl", "runs/sft/history.jsonl", "tables/headline.csv",
    }  # fmt: skip
    assert not list_differences(expected, root)
    (root / "tables/headline.csv").write_text("other")
    (root / "runs/sft/history.jsonl").unlink()
    (root / "scores").mkdir()
    (root / "scores/more.jsonl").touch()
    assert list_differences(expected, root) == [
        "missing: runs/sft/history.jsonl", "new: scores/more.jsonl", "other bytes: tables/headline.csv",
    ]  # fmt: skip


def test_what_a_finished_run_must_not_leave(root):
    (root / ".base.lock").touch()
    (root / "tables/.headline.csv.123.new").touch()
    assert list_leftovers(root) == ["runs/.sft.0123.state", "tables/.headline.csv.123.new"]


def test_only_whole_answers_count(root):
    store = root / "samples/base/sudoku/.32.jsonl.0123456789ab.answers"
    with store.open("a") as file:
        file.write("torn")
    assert read_answers(root) == {str(store.relative_to(root)): {b"first\n", b"second\n"}}


@pytest.mark.parametrize("target", TARGETS)
def test_damage_changes_a_single_file(root, target):
    seen = set()
    for seed in range(30):
        before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
        done = damage_file(root, [target], seed)
        after = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
        (changed,) = [path for path in before if before[path] != after.get(path)]
        how, _, name = done.partition(": ")
        assert root / name == changed
        seen.add(how)
        changed.write_bytes(before[changed])
    assert seen == set(WAYS[target])
    assert damage_file(root / "logs", [target], 0) is None


def test_processes_are_known_by_the_mark_that_they_inherit(tmp_path):
    mark = str(tmp_path)
    code = "import subprocess, sys; subprocess.run(['sleep', '600'])"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "-m", "weft", "sample", "--run", "base"],
        env=os.environ | {MARK: mark}, start_new_session=True,
    )  # fmt: skip
    try:
        while len(find_processes(mark)) < 2:
            assert process.poll() is None
        assert find_processes(mark, "sampler") == [process.pid]
        assert find_processes(mark, "rank") == []
        assert find_processes(mark + "x") == []
    finally:
        SIGNALS["SIGKILL everything"](process.pid, mark)
    assert process.wait() == -signal.SIGKILL
    while find_processes(mark):  # the child is gone as soon as it is reaped
        pass


FAULT = FaultRecord(
    number=0, run=0, kind="SIGKILL snakemake alone", num_events=3, exit_code=-9,
    damage="deleted: runs/x", needed=["--unlock"], lost_answers=0,
)  # fmt: skip
RUN = RunRecord(run=0, num_faults=1, needed=[], differences=[], repeated={}, orphans=[], leftovers=[])


def test_the_table_tells_what_went_wrong():
    text = format_table(get_args(Kind), [FAULT], [RUN])
    assert "| SIGKILL snakemake alone | 1 | 1 | --unlock (1) | 0 | 1 of 1 runs |" in text
    assert "1 faults; same bytes in 1 of 1 finished runs." in text
    assert is_faultless([RUN], [FAULT])
    for bad in ({"differences": ["missing: x"]}, {"orphans": [7]}, {"leftovers": [".x.new"]}):
        run = RUN.model_copy(update=bad)
        assert str(next(iter(bad.values()))[0]) in format_table(get_args(Kind), [FAULT], [run])
        assert not is_faultless([run], [FAULT])
    assert not is_faultless([RUN], [FAULT.model_copy(update={"lost_answers": 1})])

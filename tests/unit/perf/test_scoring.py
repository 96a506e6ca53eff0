import json
import subprocess
import sys
from pathlib import Path

import pytest

from perf import scoring
from perf.report import Usage
from perf.scoring import BUSY, bench_memory, bench_verdicts, sudoku_answers
from weft.benchmarks import find_scorer
from weft.benchmarks.generations import read_generations
from weft.benchmarks.scoring import score_generations
from weft.errors import WeftError
from weft.records import ScoredExample, Verdict
from weft.records.files import write_lines

ANSWERS = {r"\boxed{\frac{1}{2}}": "0.5", r"\boxed{4}": "5", r"\boxed{x+2}": "x+1"}


@pytest.fixture
def folder(tmp_path):
    rows = [
        {"question": f"Question {number}?", "generations": answer, "ground_truth": gold}
        for number, (answer, gold) in enumerate(ANSWERS.items())
    ]
    (tmp_path / "math500_made_up_generations.json").write_text(json.dumps({"generations": rows}))
    return tmp_path


def test_the_verdicts_on_a_busy_machine_are_those_of_a_quiet_one(folder):
    lines = list(bench_verdicts(folder, num_busy=1, passes=1))
    assert lines[0].startswith("alone: 3 answers, 1 correct, 0 unscorable, ")
    assert lines[1].startswith("pass-1 beside 1 busy processes: 3 answers, 1 correct, 0 unscorable, ")
    assert lines[2] == "the score files of all 2 passes have the same bytes"


def test_another_verdict_is_an_error(folder, monkeypatch):
    verdicts = iter([Verdict.WRONG, Verdict.UNSCORABLE])

    def write_scores(arguments):
        fields = {"example_id": "a", "benchmark": "math500", "scoring": "strict", "extracted": None}
        fields |= {"verdict": next(verdicts), "credit": 0.0, "weight": 1, "reason": ""}
        write_lines(Path(arguments[arguments.index("--out") + 1]), [ScoredExample(**fields)])
        return Usage(1.0, 1)

    monkeypatch.setattr(scoring, "use_of", write_scores)
    with pytest.raises(WeftError, match="pass-1 must give the scores of the pass alone, got 1 others"):
        list(bench_verdicts(folder, num_busy=1, passes=1))


def test_the_memory_is_compared_between_numbers_of_answers(monkeypatch):
    peaks = iter([10**8, 130 * 10**6])
    monkeypatch.setattr(scoring, "use_of", lambda arguments: Usage(1.0, next(peaks)))
    lines = list(bench_memory(counts=[3, 6]))
    assert lines[0].startswith("weft score, 3 Sudoku answers (0 MB): 100.0 MB at the peak, 1 s")
    assert lines[2] == "the peak grows by 30.0 MB; the goal is at most 50 MB"


def test_a_third_of_the_made_up_answers_is_right(tmp_path):
    write_lines(tmp_path / "answers.jsonl", sudoku_answers(300))
    generations = read_generations(tmp_path / "answers.jsonl", "sudoku", scorer=find_scorer("sudoku", "d1"))
    scores = list(score_generations(generations, scorer=find_scorer("sudoku", "d1"), scoring="d1"))
    assert sum(score.credit == 1 for score in scores[1:]) == 99


def test_a_folder_without_answers_is_an_error(tmp_path):
    with pytest.raises(WeftError, match="expected files math500_"):
        list(bench_verdicts(tmp_path, num_busy=1, passes=1))


def test_a_busy_process_ends_with_the_process_that_started_it():
    start = (
        f"import os, subprocess, sys; subprocess.Popen([sys.executable, '-c', {BUSY!r}, str(os.getpid())])"
    )
    # The call returns when the busy process, too, has closed its end of the pipe.
    subprocess.run([sys.executable, "-c", start], stdout=subprocess.PIPE, check=True, timeout=300)

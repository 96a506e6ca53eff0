import pytest

from perf import report
from perf.report import Usage, bench_report, use_of, write_tree
from weft.errors import WeftError
from weft.report.results import load_results
from weft.report.tables import compute_tables


def test_the_made_up_results_are_those_of_a_report(tmp_path):
    experiment, layout = write_tree(tmp_path, num_seeds=2, num_questions=12)
    results = load_results(experiment, layout)
    assert len(results.scores) == 5 * 4 * 3
    assert len(compute_tables(experiment, results)["scores"]) == 5 * 4 * 3
    different = {tuple(file.columns.credit) for file in results.scores if file.benchmark == "gsm8k"}
    assert len(different) > 1


def test_the_commands_are_compared_with_a_reference_of_the_same_run(monkeypatch):
    usages = iter([Usage(2.0, 10**8), Usage(4.0, 10**9), Usage(6.0, 3 * 10**9), Usage(1.0, 10**8)])
    monkeypatch.setattr(report, "use_of", lambda arguments: next(usages))
    lines = list(bench_report(num_seeds=2, num_questions=12))
    assert "5 runs, 60 score files of 12 answers" in lines[0]
    assert lines[2].endswith("6.0 s, ratio 3.00, 3.00 GB")
    assert "together                 11.0 s, ratio 5.50" in lines[-1]
    assert lines[-1].endswith("the largest was 3.00 GB")


def test_processor_time_and_memory_are_those_of_the_process():
    small, large = (use_of(["-c", f"x = bytearray({size})"]) for size in (1, 2 * 10**8))
    assert large.peak_bytes - small.peak_bytes == pytest.approx(2 * 10**8, rel=0.1)
    assert small.seconds > 0
    with pytest.raises(WeftError, match="must end with code 0, got 3: oh no"):
        use_of(["-c", "print('oh no'); raise SystemExit(3)"])

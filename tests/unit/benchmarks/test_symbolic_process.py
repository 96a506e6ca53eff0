import os
import re
import signal
import subprocess
import sys
import time

import pytest
from sympy.core import cache, random

from weft.benchmarks import symbolic_process
from weft.benchmarks.symbolic_process import Worker, compare
from weft.records import TIMED_OUT

EQUAL = [
    (r"\frac{1}{2}", "0.5"),
    (r"\frac{1}{2}", r"\frac{2}{4}"),
    ("x+1", "1 + x"),
    (r"2\sqrt{3}", r"\sqrt{12}"),
    ("58,500", "58500"),
    ("-2 + 7i", "7i - 2"),
    ("x = 5", "5"),
    (r"\{1, 2\}", r"\{2, 1\}"),
    (r"x \in [-2,7]", "[-2, 7]"),
    (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", r"\begin{pmatrix}1\\2\end{pmatrix}"),
    ("256", r"\sqrt{2^{16}}"),
    ("-2 < x < 7", "7 > x > -2"),
    (r"0 \le a < b", r"b > a \ge 0"),
]
KEPT = []


@pytest.fixture(scope="module", autouse=True)
def _warm_parsers():
    """Make the comparisons that the process makes before its first fork; cold ones are ten times as slow."""
    for pair in symbolic_process.WARM_UP:
        compare(*pair)


UNEQUAL = [
    (r"\frac{1}{2}", "0.51"),
    ("x+1", "x+2"),
    ("x", "y"),
    ("(1, 2)", "(2, 1)"),
    ("[0, 1)", "[0, 1]"),
    (r"\frac{1}{3}", "0.33"),
    (r"\frac{1}{3}", "0.333333"),
    (r"\pi", "3.14159265"),
    ("0.0000001", "0.0000002"),
    ("-2 < x < 7", "7 > x \\ge -2"),
    ("-2 < x < 7", "7 > x > -3"),
    ("5", r"\text{five}"),
    (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", r"\begin{pmatrix} 2 \\ 1 \end{pmatrix}"),
]


@pytest.mark.parametrize(("reference", "prediction"), EQUAL)
def test_equal_values_are_equal(reference, prediction):
    assert compare(reference, prediction)


@pytest.mark.parametrize(("reference", "prediction"), UNEQUAL)
def test_unequal_values_are_unequal(reference, prediction):
    assert not compare(reference, prediction)


def test_an_unparsable_expression_equals_only_itself():
    assert compare("}{", "}{")
    assert not compare("}{", "}{ ")


def swallow(harm):
    """Fail as SymPy does: catch everything and say that the expressions differ."""
    try:
        harm()
    except Exception:
        return False


def nest(depth):
    return depth and nest(depth - 1)


@pytest.fixture
def make_worker():
    """A function that starts workers, which are ended with the test."""
    workers = []

    def make(*limits):
        workers.append(Worker(*(limits or (1.0, 10.0))))
        return workers[-1]

    yield make
    for worker in workers:
        worker.end()


@pytest.fixture
def worker(make_worker):
    return make_worker(0.5, 1.0)


def compute_until_the_limit_is_larger(*_):
    """Compute without end, unless more than five seconds of processor time are left."""
    while signal.getitimer(signal.ITIMER_PROF)[0] < 5:
        pass
    return True


def test_a_worker_compares_again_and_again(worker):
    assert worker.compare("0.5", r"\frac{1}{2}") == {"is_equal": True}
    assert worker.compare("0.5", r"\frac{1}{3}") == {"is_equal": False}


def test_a_worker_that_hangs_is_replaced(worker):
    # A single integer power, which Python's signal handlers do not interrupt.
    error = worker.compare("5", "9^{9^9}")["error"]
    assert error == "timed out: the comparison took longer than 1 seconds of processor time"
    assert worker.compare("0.5", r"\frac{1}{2}") == {"is_equal": True}


def test_an_expired_comparison_is_repeated_with_more_time_before_it_is_an_error(monkeypatch, make_worker):
    monkeypatch.setattr(symbolic_process, "compare", compute_until_the_limit_is_larger)
    worker = make_worker(0.1, 60.0)
    first = worker._process.pid
    assert worker.compare("", "") == {"is_equal": True}
    assert worker._process.pid != first, "the second attempt must be made in a new worker"
    worker = make_worker(0.1, 0.2)
    assert worker.compare("", "")["error"].startswith(TIMED_OUT)


@pytest.mark.parametrize(
    "fail_once",
    [
        lambda: os._exit(3),
        lambda: os.kill(os.getpid(), signal.SIGKILL),
        lambda: bytearray(2 * 1024**3),
        lambda: nest(10_000),
    ],
    ids=["exit", "killed", "memory", "stack"],
)
def test_a_comparison_that_fails_in_a_used_worker_is_repeated_in_a_new_one(
    monkeypatch, make_worker, fail_once
):
    """Such a failure may be due to earlier comparisons, or to other programs on the machine."""
    used = []
    monkeypatch.setattr(symbolic_process, "compare", lambda *_: fail_once() if used else not used.append(1))
    worker = make_worker()
    assert worker.compare("", "") == {"is_equal": True}
    assert worker.compare("", "") == {"is_equal": True}


def test_a_dead_worker_is_replaced_before_a_comparison(worker):
    worker._process.kill()
    worker._process.join()
    assert worker.compare("0.5", r"\frac{1}{2}") == {"is_equal": True}


def test_a_comparison_that_waits_without_computing_is_ended(monkeypatch, make_worker):
    monkeypatch.setattr(symbolic_process, "MAX_IDLE_SECONDS", 0.3)
    monkeypatch.setattr(symbolic_process, "compare", lambda *_: signal.pause())
    answer = make_worker().compare("", "")
    assert answer == {"error": "timed out: the comparison waited 0.3 seconds without computing"}


def test_a_comparison_that_was_stopped_is_repeated_in_a_new_worker(monkeypatch, make_worker):
    """A batch system may suspend a job for longer than the limit of the clock."""
    read_end, write_end = os.pipe()  # which all workers share
    os.write(write_end, b"first")
    os.set_blocking(read_end, False)

    def stop_in_the_first_worker(*_):
        try:
            os.read(read_end, 5)
        except BlockingIOError:
            return True
        os.kill(os.getpid(), signal.SIGSTOP)
        return False

    monkeypatch.setattr(symbolic_process, "MAX_IDLE_SECONDS", 0.3)
    monkeypatch.setattr(symbolic_process, "compare", stop_in_the_first_worker)
    assert make_worker().compare("", "") == {"is_equal": True}
    os.close(read_end)
    os.close(write_end)


def test_a_comparison_that_computes_is_not_limited_by_the_clock(monkeypatch, make_worker):
    """The clock is read again and again while the worker uses the processor, however little of it it gets."""
    read_end, write_end = os.pipe()
    measured = []

    def measure(pid):
        measured.append(pid)
        if len(measured) == 20:
            os.write(write_end, b"!")  # which ends the comparison
        return len(measured)

    monkeypatch.setattr(symbolic_process, "MAX_IDLE_SECONDS", 0.001)
    monkeypatch.setattr(symbolic_process, "_measure_processor_time", measure)
    monkeypatch.setattr(symbolic_process, "compare", lambda *_: os.read(read_end, 1) == b"!")
    assert make_worker().compare("", "") == {"is_equal": True}
    assert len(measured) >= 20
    os.close(read_end)
    os.close(write_end)


def test_the_processor_time_of_another_process_is_measured(make_worker):
    assert symbolic_process._measure_processor_time(os.getpid()) > 0
    assert symbolic_process._measure_processor_time(2**30) == 0


def test_time_spent_waiting_for_the_processor_does_not_count(monkeypatch, make_worker):
    monkeypatch.setattr(symbolic_process, "compare", lambda *_: time.sleep(0.6) is None)
    assert make_worker(0.3, 0.3).compare("", "") == {"is_equal": True}


class Closing:
    """A worker's process that has closed its pipe, and whose end becomes known only when it is joined."""

    exitcode = None

    def __init__(self, process):
        self._process = process

    def join(self, timeout=None):
        self._process.join()
        if timeout is None or timeout > 60:
            self.exitcode = self._process.exitcode

    def __getattr__(self, name):
        return getattr(self._process, name)


def test_the_reason_does_not_depend_on_how_fast_an_ended_worker_disappears(worker):
    """On a busy machine, the exit code of a process may be known much later than its pipe is closed."""
    worker._process = Closing(worker._process)
    answer = worker._ask("5", "9^{9^9}", 0.3)
    assert answer["error"].startswith(TIMED_OUT)


@pytest.mark.parametrize("harm", [lambda: 1 / 0, lambda: KEPT.append(b"x" * 200 * 1024**2)])
def test_a_comparison_does_not_affect_the_next(monkeypatch, make_worker, harm):
    monkeypatch.setattr(symbolic_process, "compare", lambda *texts: bool(harm()) or True)
    worker = make_worker()
    first = worker._process.pid
    worker.compare("", "")
    assert worker._process.pid != first


@pytest.mark.parametrize("earlier", [("0 < x < 8.5", "0 < x < 8.5"), ("8.5 > x > 0", "8.5 > x > 0")])
def test_a_verdict_does_not_depend_on_earlier_comparisons(worker, earlier):
    """SymPy returned the first chain of inequalities for the second, because it had kept it."""
    worker.compare(*earlier)
    assert worker.compare("0 < x < 8.5", "8.5 > x > 0") == {"is_equal": True}


def test_a_comparison_begins_without_the_results_and_random_numbers_of_earlier_ones(monkeypatch, make_worker):
    computed, drawn = [], []
    keep = cache.cacheit(computed.append)

    def is_alone(*_):
        keep(1)
        drawn.append(random.rng.random())
        return len(computed) == len(drawn) and len(set(drawn)) == 1

    monkeypatch.setattr(symbolic_process, "compare", is_alone)
    worker = make_worker()
    assert [worker.compare("", "") for _ in range(3)] == [{"is_equal": True}] * 3


def test_the_memory_limit_excludes_memory_in_use_before(monkeypatch, make_worker):
    """This process has loaded torch, and has more than the limit set here."""
    monkeypatch.setattr(symbolic_process, "MAX_MEMORY", 64 * 1024**2)
    monkeypatch.setattr(symbolic_process, "compare", lambda *_: len(bytearray(32 * 1024**2)) > 0)
    assert make_worker().compare("", "") == {"is_equal": True}


LOWER_LIMIT = """
import resource
limit = 1024**3
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
from weft.benchmarks.symbolic_process import MAX_MEMORY, WARM_UP, Worker, compare
assert limit <= MAX_MEMORY
if __name__ == "__main__":
    for pair in WARM_UP:
        compare(*pair)
    worker = Worker(10.0, 10.0)
    print(worker.compare("0.5", "\\\\frac{1}{2}"), open(f"/proc/{worker._process.pid}/limits").read())
    worker.end()
"""


def test_a_lower_limit_of_the_caller_stays():
    run = subprocess.run([sys.executable, "-c", LOWER_LIMIT], capture_output=True, text=True, check=True)
    assert run.stdout.startswith("{'is_equal': True}")
    assert re.search(r"Max address space +1073741824 +1073741824", run.stdout)


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda: os._exit(3), "died"),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "died"),
        (lambda: bytearray(2 * 1024**3), "1024 MiB of memory"),
        (lambda: 1 / 0, "failed (ZeroDivisionError)"),
        (lambda: swallow(lambda: bytearray(2 * 1024**3)), "1024 MiB of memory"),
        (lambda: swallow(lambda: nest(10_000)), "ran out of stack"),
    ],
)
def test_a_failing_worker_reports_an_error_and_the_next_comparison_works(
    monkeypatch, make_worker, harm, message
):
    healthy = symbolic_process.compare
    with monkeypatch.context() as patch:
        patch.setattr(
            symbolic_process, "compare", lambda *texts: harm() if texts[0] == "harm" else healthy(*texts)
        )
        worker = make_worker()
        assert message in worker.compare("harm", "")["error"]
        assert worker.compare("0.5", r"\frac{1}{2}") == {"is_equal": True}

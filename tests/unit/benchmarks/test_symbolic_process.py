import os
import re
import signal
import subprocess
import sys
import time

import pytest

from weft.benchmarks import symbolic_process
from weft.benchmarks.symbolic_process import Worker, compare

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
    (r"15\mbox{ cm}^2", "15"),
    (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", r"\begin{pmatrix}1\\2\end{pmatrix}"),
    ("256", r"\sqrt{2^{16}}"),
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


@pytest.mark.parametrize("code", ["Integer (5 )", "Float ('0.5' )", "Symbol ('x' )", "E "])
def test_single_numbers_and_symbols_are_built(code):
    assert str(symbolic_process._build(code)) in ("5", "0.500000000000000", "x", "E")


@pytest.mark.parametrize(
    "code",
    [
        "__import__ ('os').system ('touch harm')",
        "Integer (5 )**Integer (5 )",
        "Symbol ('x' ).__class__",
        "Symbol ('x)' )",
        "Function ('f' )(Symbol ('x' ))",
        "Integer",
        "E\n()",
    ],
)
def test_text_never_becomes_code(code):
    with pytest.raises(ValueError, match="not evaluated as code"):
        symbolic_process._build(code)


def test_sympy_itself_cannot_evaluate_text(tmp_path):
    import sympy

    with pytest.raises(ValueError, match="not evaluated as code"):
        sympy.sympify(f"__import__('pathlib').Path('{tmp_path / 'harm'}').touch()")
    assert not (tmp_path / "harm").exists()


def swallow(harm):
    """Fail as SymPy does: catch everything and say that the expressions differ."""
    try:
        harm()
    except Exception:
        return False


def nest(depth):
    return depth and nest(depth - 1)


@pytest.fixture
def worker():
    worker = Worker(600.0)
    yield worker
    worker.end()


def test_a_worker_compares_again_and_again(worker):
    assert worker.compare("0.5", r"\frac{1}{2}") == {"is_equal": True}
    assert worker.compare("0.5", r"\frac{1}{3}") == {"is_equal": False}


def test_a_worker_that_hangs_is_replaced(worker):
    # A single integer power, which Python's signal handlers do not interrupt.
    assert "longer than" in worker.compare("5", "9^{9^9}")["error"]
    assert worker.compare("0.5", r"\frac{1}{2}") == {"is_equal": True}


def test_a_dead_worker_is_replaced_before_a_comparison(worker):
    worker._process.kill()
    worker._process.join()
    assert worker.compare("0.5", r"\frac{1}{2}") == {"is_equal": True}


def test_a_worker_that_waits_is_replaced_too(monkeypatch):
    monkeypatch.setattr(symbolic_process, "compare", lambda *_: time.sleep(60))
    worker = Worker(0.3)
    assert worker.compare("", "") == {"error": "the comparison took longer than 0.3 seconds"}
    worker.end()


def test_time_spent_waiting_for_the_processor_does_not_count(monkeypatch):
    monkeypatch.setattr(symbolic_process, "MAX_CPU_SECONDS", 0.3)
    monkeypatch.setattr(symbolic_process, "compare", lambda *_: time.sleep(0.6) is None)
    worker = Worker(600.0)
    assert worker.compare("", "") == {"is_equal": True}
    worker.end()


@pytest.mark.parametrize("harm", [lambda: 1 / 0, lambda: KEPT.append(b"x" * 200 * 1024**2)])
def test_a_comparison_does_not_affect_the_next(monkeypatch, harm):
    monkeypatch.setattr(symbolic_process, "compare", lambda *texts: bool(harm()) or True)
    worker = Worker(600.0)
    first = worker._process.pid
    worker.compare("", "")
    assert worker._process.pid != first
    worker.end()


def test_the_memory_limit_excludes_memory_in_use_before(monkeypatch):
    """This process has loaded torch, and has more than the limit set here."""
    monkeypatch.setattr(symbolic_process, "MAX_MEMORY", 64 * 1024**2)
    monkeypatch.setattr(symbolic_process, "compare", lambda *_: len(bytearray(32 * 1024**2)) > 0)
    worker = Worker(600.0)
    assert worker.compare("", "") == {"is_equal": True}
    worker.end()


LOWER_LIMIT = """
import resource
limit = 1024**3
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
from weft.benchmarks.symbolic_process import MAX_MEMORY, WARM_UP, Worker, compare
assert limit <= MAX_MEMORY
if __name__ == "__main__":
    for pair in WARM_UP:
        compare(*pair)
    worker = Worker(600.0)
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
def test_a_failing_worker_reports_an_error_and_the_next_comparison_works(monkeypatch, harm, message):
    healthy = symbolic_process.compare
    with monkeypatch.context() as patch:
        patch.setattr(
            symbolic_process, "compare", lambda *texts: harm() if texts[0] == "harm" else healthy(*texts)
        )
        worker = Worker(600.0)
        assert message in worker.compare("harm", "")["error"]
        assert worker.compare("0.5", r"\frac{1}{2}") == {"is_equal": True}
        worker.end()

import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from weft.benchmarks import symbolic
from weft.benchmarks.symbolic import ComparisonError, are_equal
from weft.errors import ScoringSetupError
from weft.records import TIMED_OUT


def test_values_are_compared():
    assert are_equal(r"\frac{1}{2}", "0.5")
    assert not are_equal(r"\frac{1}{2}", "0.6")


@pytest.mark.parametrize("text", ["\0", "\ud800", "\u202e12\u202c", '"]', "\u2028", "é" * 1000])
def test_any_characters_come_across(text):
    assert isinstance(are_equal("5", text), bool)
    assert are_equal(r"\frac{1}{2}", "0.5")  # and the answers are still in step


def test_exceeding_a_limit_raises_an_error():
    with pytest.raises(ComparisonError, match=rf"^{TIMED_OUT}: .* longer than 1.5 seconds of processor time"):
        are_equal("5", "9^{9^{9^9}}")
    assert are_equal("5", "4 + 1")


def test_a_process_that_died_is_replaced_and_asked_again():
    symbolic._start_process()._process.kill()
    symbolic._start_process()._process.wait()
    assert are_equal("5", "4 + 1")


def test_a_process_that_dies_twice_is_an_error(monkeypatch):
    dying = symbolic._Process.ask
    monkeypatch.setattr(symbolic._Process, "ask", lambda *_: None)
    with pytest.raises(ComparisonError, match="died twice"):
        are_equal("5", "4 + 1")
    monkeypatch.setattr(symbolic._Process, "ask", dying)
    assert are_equal("5", "4 + 1")


def test_the_order_of_sets_is_the_same_in_every_process(monkeypatch):
    for value in ("1", "random"):
        monkeypatch.setenv("PYTHONHASHSEED", value)
        symbolic._start_process.cache_clear()
        environment = Path(f"/proc/{symbolic._start_process()._process.pid}/environ").read_bytes()
        assert b"PYTHONHASHSEED=0" in environment.split(b"\0")


def test_a_process_that_cannot_start_raises_a_setup_error(monkeypatch):
    symbolic._start_process.cache_clear()
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(ScoringSetupError, match="is math-verify installed"):
        are_equal("5", "4 + 1")
    symbolic._start_process.cache_clear()


def test_nothing_is_left_running_when_the_caller_is_killed():
    code = (
        "from weft.benchmarks import symbolic; symbolic.are_equal('5', '4+1');"
        "print(symbolic._start_process()._process.pid, flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as caller:
        process = os.pidfd_open(int(caller.stdout.readline()))
        caller.kill()
    ended, _, _ = select.select([process], [], [], 60)
    os.close(process)
    assert ended, "the comparing process is still running"

import pytest
import torch

from weft.verify import measure
from weft.verify.measure import peak_bytes, time_in_turns

CPU = torch.device("cpu")


class Clock:
    """A clock that only moves when a run moves it."""

    def __init__(self):
        self.now = 0.0

    def perf_counter(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(measure, "time", clock)
    return clock


def test_runs_take_turns_and_the_warm_up_does_not_count(clock):
    order = []

    def slow_at_first(number):
        order.append(("a", number))
        clock.now += 9.0 if number == 0 else 0.5

    seconds = time_in_turns(
        {"a": slow_at_first, "b": lambda number: order.append(("b", number))},
        rounds=3,
        num_warm_up=1,
        afterwards=lambda: order.append("after"),
    )
    turns = [("a", 0), "after", ("b", 0), "after", ("a", 1), "after", ("b", 1), "after"]
    assert order[: len(turns)] == turns
    assert seconds == {"a": 0.5, "b": 0.0}


def test_the_fastest_round_may_be_taken(clock):
    durations = iter([5.0, 1.0, 5.0, 5.0])

    def run(_):
        clock.now += next(durations)

    assert time_in_turns({"a": run}, rounds=4, of_rounds=min) == {"a": 1.0}


def test_the_peak_is_the_most_that_is_taken_at_once():
    def one_after_the_other():
        for _ in range(3):
            torch.empty(1000, 1000)

    def side_by_side():
        return [torch.empty(1000, 1000) for _ in range(3)]

    assert 4e6 <= peak_bytes(one_after_the_other, CPU) < 4.1e6
    assert 12e6 <= peak_bytes(side_by_side, CPU) < 12.1e6
    assert peak_bytes(lambda: None, CPU) == 0

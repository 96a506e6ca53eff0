import time

import torch

from perf.measure import peak_bytes, time_in_turns

CPU = torch.device("cpu")


def test_runs_take_turns_and_the_warm_up_does_not_count():
    order = []

    def slow_at_first(number):
        order.append(("a", number))
        if number == 0:
            time.sleep(0.2)

    seconds = time_in_turns(
        {"a": slow_at_first, "b": lambda number: order.append(("b", number))},
        rounds=3,
        num_warm_up=1,
        afterwards=lambda: order.append("after"),
    )
    turns = [("a", 0), "after", ("b", 0), "after", ("a", 1), "after", ("b", 1), "after"]
    assert order[: len(turns)] == turns
    assert seconds["a"] < 0.1


def test_the_fastest_round_may_be_taken():
    naps = iter([0.05, 0.0, 0.05, 0.05])
    (seconds,) = time_in_turns({"a": lambda _: time.sleep(next(naps))}, rounds=4, of_rounds=min).values()
    assert seconds < 0.04


def test_the_peak_is_the_most_that_is_taken_at_once():
    def one_after_the_other():
        for _ in range(3):
            torch.empty(1000, 1000)

    def side_by_side():
        return [torch.empty(1000, 1000) for _ in range(3)]

    assert 4e6 <= peak_bytes(one_after_the_other, CPU) < 4.1e6
    assert 12e6 <= peak_bytes(side_by_side, CPU) < 12.1e6
    assert peak_bytes(lambda: None, CPU) == 0

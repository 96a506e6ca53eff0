import math

import pytest
import torch

from weft.cli.shared import load_fine_tuning
from weft.verify.build import build_model
from weft.verify.planned import Peak
from weft.verify.sizes import SIZES
from weft.verify.step import TIME, compare_methods, describe_speed, measure_steps, random_examples

TINY = SIZES["tiny"]
BROKEN = "adapters whose gradient is not finite"
PEAK = Peak(1e12, "of a peak", (0.25, 0.4))


@pytest.fixture(scope="module")
def measured():
    experiment = load_fine_tuning("paper")
    model = build_model(TINY, None, torch.device("cpu"))
    methods = {name: experiment.methods[name] for name in ("sft", "weft")}
    return list(measure_steps(model, TINY.training(experiment), methods, num_steps=2, peak=PEAK))


def test_each_method_is_measured_beside_the_plan(measured):
    for method in ("sft", "weft"):
        mine = {item.quantity: item for item in measured if item.subject.startswith(f"{method},")}
        assert list(mine) == [TIME, "speed", "utilisation", "peak memory", BROKEN]
        assert mine["speed"].value == pytest.approx(48 / mine[TIME].value)
        assert mine[BROKEN].verdict == "passed"
        low, high = mine["peak memory"].planned
        assert low == high
        assert mine["peak memory"].value < 3 * high


def test_the_probe_of_weft_is_a_forward_pass_more(measured):
    utilisation, seconds = (
        {item.subject.partition(",")[0]: item.value for item in measured if item.quantity == quantity}
        for quantity in ("utilisation", TIME)
    )
    operations = {name: utilisation[name] * seconds[name] for name in ("sft", "weft")}
    assert 1.2 < operations["weft"] / operations["sft"] < 1.5


def test_the_ratio_of_the_methods_has_a_goal(measured):
    seconds = {item.subject.partition(",")[0]: item.value for item in measured if item.quantity == TIME}
    assert measured[-1] == compare_methods(seconds)
    assert measured[-1].value == seconds["weft"] / seconds["sft"]
    assert measured[-1].goal == 1.30


def test_speed_and_expected_time_follow_from_the_operations():
    time, speed, utilisation = describe_speed("x", 4.0, num_tokens=100, operations=1e12, peak=PEAK)
    assert time.planned == (2.5, 4.0)
    assert speed.value == 25
    assert speed.planned == (25, 40)
    assert utilisation.value == 0.25
    unknown = Peak(1e12, "of a rate", None)
    without_plan = describe_speed("x", 4.0, num_tokens=1, operations=1.0, peak=unknown)
    assert all(item.planned is None for item in without_plan)


def test_a_gradient_that_is_not_finite_fails_the_part(monkeypatch):
    experiment = load_fine_tuning("paper")
    model = build_model(TINY, None, torch.device("cpu"))
    with torch.no_grad():
        model.lm_head.weight.fill_(math.nan)
    methods = {name: experiment.methods[name] for name in ("sft", "weft")}
    found = list(measure_steps(model, TINY.training(experiment), methods, num_steps=1, peak=PEAK))
    assert any(item.verdict == "FAILED" for item in found)


def test_random_examples_have_no_special_tokens():
    config = build_model(TINY, None, torch.device("cpu")).config
    rows = random_examples(3, length=16, config=config)
    assert len({row["example_id"] for row in rows}) == 3
    assert all(len(row["prompt_ids"]) == 2 and len(row["answer_ids"]) == 14 for row in rows)
    assert max(token for row in rows for token in row["answer_ids"]) < TINY.shape.eos_token_id

import pytest

from weft.cli.shared import load_fine_tuning
from weft.verify import zero
from weft.verify.build import build_model
from weft.verify.planned import Peak
from weft.verify.records import Skipped
from weft.verify.sizes import SIZES
from weft.verify.zero import measure_zero, stand_in_tokenizer

TINY = SIZES["tiny"]
EXPERIMENT = load_fine_tuning("paper")


def measure(**changes):
    settings = {
        "size": "tiny",
        "checkpoint": None,
        "num_devices": 2,
        "device": "cpu",
        "threads": 1,
        "peak": Peak(1e12, "of a peak", None),
    }
    model = build_model(TINY, None, zero_device())
    training = TINY.training(EXPERIMENT)
    method = EXPERIMENT.methods["weft"]
    return list(measure_zero("weft", method, training, model.config, **settings | changes))


def zero_device():
    import torch

    return torch.device("cpu")


def test_without_deepspeed_the_steps_are_skipped_with_what_to_install(monkeypatch):
    monkeypatch.setattr(zero, "NEEDED", ("a_package_that_is_missing",))
    (outcome,) = measure()
    assert isinstance(outcome, Skipped)
    assert outcome.why == "a_package_that_is_missing not installed; pip install a_package_that_is_missing"


@pytest.mark.slow
def test_two_ranks_train_under_zero():
    time, speed, _ = measure()
    assert time.subject == "weft, optimiser step of 4 x 48 tokens, ZeRO-2, ranks: 2"
    assert speed.value == pytest.approx(4 * 48 / time.value)


@pytest.mark.slow
def test_ranks_that_fail_are_reported(tmp_path):
    (outcome,) = measure(checkpoint=tmp_path)
    assert isinstance(outcome, Skipped)
    assert outcome.why.startswith("the ranks failed: ")


@pytest.mark.parametrize(("num_devices", "expected"), [(1, 1), (3, 2), (7, 4), (8, 8), (12, 8), (40, 16)])
def test_the_batch_is_divided_among_as_many_devices_as_possible(num_devices, expected):
    assert EXPERIMENT.training.largest_division(num_devices) == expected


def test_the_stand_in_tokenizer_has_the_two_special_tokens():
    tokenizer = stand_in_tokenizer(991, pad_token_id=990)
    assert (tokenizer.mask_token_id, tokenizer.pad_token_id) == (991, 990)

import numpy as np
import pytest
import torch

from tests.support.models import tiny_model
from weft.config import load_experiment
from weft.config.methods import Method
from weft.config.training import GradientStudy
from weft.data.collate import PadToLength
from weft.data.encoding import encode_example
from weft.data.tasks.examples import generate_examples
from weft.errors import TrainingError
from weft.training.gradients import square_of_mean, study_gradients

STUDY = GradientStudy(num_examples=4, num_draws=48, seed=1)


@pytest.fixture(scope="module")
def frame(tokenizer):
    names = ("sft", "weft", "weft-noweight", "weft-frozen")
    return study(tokenizer, {name: Method.model_validate({"preset": name}) for name in names})


def study(tokenizer, methods):
    examples = [encode_example(tokenizer, e) for e in generate_examples({"sudoku": 2, "gsm8k": 2}, seed=4)]
    batch = PadToLength(max_length=80, pad_token_id=tokenizer.pad_token_id)(examples)
    model = tiny_model(tokenizer)
    with torch.no_grad():
        model.lm_head.weight *= 6  # low entropy at some tokens, higher at others
    training = load_experiment("experiments/tiny.yaml").training
    return study_gradients(model, batch, methods, STUDY, training, mask_token_id=tokenizer.mask_token_id)


def of(frame, method):
    return frame[frame.method == method].reset_index(drop=True)


def test_a_row_per_method_and_fifth_of_the_tokens(frame):
    assert frame.groupby("method").quintile.apply(list).tolist() == [[1, 2, 3, 4, 5]] * 4
    tokens = of(frame, "sft").num_tokens
    assert tokens.max() - tokens.min() <= 1
    assert of(frame, "sft").mean_entropy.is_monotonic_increasing


def test_the_rates_follow_the_entropy_for_weft_and_not_for_sft(frame):
    rates = {name: of(frame, name).mean_rate for name in ("sft", "weft")}
    spread = {name: rate[4] - rate[0] for name, rate in rates.items()}
    assert spread["weft"] > 0.04 + spread["sft"]


def test_without_weights_the_weight_share_is_about_the_share_of_masked_tokens(frame):
    rows = of(frame, "weft-noweight")
    masked = rows.mean_rate * rows.num_tokens
    expected = (masked / masked.sum()).tolist()
    assert (rows.weight_share / rows.weight_share.sum()).tolist() == pytest.approx(expected, rel=0.1)


def test_the_base_model_gives_frozen_and_live_probes_the_same_gradients(frame):
    assert of(frame, "sft").cosine_to_sft[0] == pytest.approx(1, abs=1e-3)
    live, frozen = (of(frame, name).drop(columns="method") for name in ("weft", "weft-frozen"))
    assert live.equals(frozen)


def test_intervals_contain_the_estimates(frame):
    for name in ("gradient_share", "relative_variance", "cosine_to_sft"):
        assert (frame[f"{name}_low"] <= frame[name]).all()
        assert (frame[name] <= frame[f"{name}_high"]).all()


def test_the_weight_shares_of_the_quintiles_exclude_padding(frame):
    assert (frame.groupby("method").weight_share.sum() < 1).all()


def test_the_square_of_a_mean_is_estimated_without_bias():
    rng = np.random.default_rng(0)
    mean, noise = np.array([3.0, 4.0]), 5.0
    estimates = []
    for _ in range(2000):
        draws = mean + noise * rng.standard_normal((6, 2))
        estimates.append(square_of_mean(draws @ draws.T))
    square, variance = np.mean(estimates, axis=0)
    assert square == pytest.approx(25, rel=0.05)
    assert variance == pytest.approx(2 * noise**2, rel=0.05)


def test_a_model_that_is_too_large_is_refused_before_anything_is_computed(tokenizer, monkeypatch):
    monkeypatch.setattr("weft.training.gradients.MAX_BYTES", 1000)
    with pytest.raises(TrainingError, match=r"1000 bytes, got \d+ bytes; lower gradient_study.num_draws"):
        study(tokenizer, {"sft": Method.model_validate({"preset": "sft"})})

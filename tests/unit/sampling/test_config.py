import pytest

from tests.support.sampling import sampling_config
from weft.errors import SamplingError


def test_blocks_and_steps_follow_from_the_lengths():
    config = sampling_config(diffusion_steps=6)
    assert (config.num_blocks, config.steps_per_block) == (2, 3)


@pytest.mark.parametrize(
    ("change", "approximation"),
    [({}, None), ({"early_stop": True, "eos_token_id": 1}, None), ({"temperature": 1.0}, None),
     ({"kv_cache": "dual"}, "dual cache"), ({"confidence_threshold": 1.0}, "threshold 1")],
    ids=str,
)  # fmt: skip
def test_caches_and_thresholds_are_approximate(change, approximation):
    assert sampling_config(**change).approximation == approximation


@pytest.mark.parametrize(
    ("change", "needs_noise"),
    [({}, False), ({"temperature": 0.1}, True), ({"remasking": "random"}, True)],
    ids=str,
)
def test_noise_is_needed_where_something_is_drawn(change, needs_noise):
    assert sampling_config(**change).needs_noise is needs_noise


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gen_length": 0}, "gen_length must be greater than 0, got 0"),
        ({"gen_length": True}, "gen_length must be a valid integer, got True"),
        ({"block_length": -4}, "block_length .* got -4"),
        ({"block_length": 3}, "gen_length .* block_length=3, got 8"),
        ({"diffusion_steps": 5}, "diffusion_steps .* 2, got 5"),
        ({"temperature": float("inf")}, "temperature .* got inf"),
        ({"cfg_scale": -1.0}, "cfg_scale .* got -1.0"),
        ({"remasking": "worst"}, "remasking .* got 'worst'"),
        ({"early_stop": True}, "eos_token_id .* got None"),
        ({"early_stop": True, "eos_token_id": 9}, "eos_token_id .* got 9"),
        ({"kv_cache": "all"}, "kv_cache .* got 'all'"),
        ({"kv_cache": "dual", "cfg_scale": 1.0}, "cfg_scale .* got 1"),
        ({"confidence_threshold": 0.0}, "confidence_threshold .* got 0.0"),
        ({"confidence_threshold": 0.9, "remasking": "random"}, "remasking .* got 'random'"),
    ],
    ids=str,
)
def test_settings_that_do_not_fit_are_named(change, message):
    with pytest.raises(SamplingError, match=message):
        sampling_config(**change)

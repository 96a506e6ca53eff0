import pytest

from weft.errors import SamplingError
from weft.sampling.decoding import Decoding

PLAIN = {"gen_length": 8, "block_length": 4, "diffusion_steps": 6, "mask_token_id": 9}


def test_steps_and_transfers_follow_from_the_lengths():
    decoding = Decoding(**PLAIN)
    assert (decoding.num_blocks, decoding.steps_per_block, decoding.transfers) == (2, 3, [2, 1, 1])


@pytest.mark.parametrize(
    ("change", "is_exact"),
    [({}, True), ({"early_stop": True, "eos_token_id": 1}, True), ({"temperature": 1.0}, True),
     ({"kv_cache": "dual"}, False), ({"confidence_threshold": 1.0}, False)],
    ids=str,
)  # fmt: skip
def test_caches_and_thresholds_are_approximate(change, is_exact):
    assert Decoding(**PLAIN | change).is_exact is is_exact


@pytest.mark.parametrize(
    ("change", "needs_noise"),
    [({}, False), ({"temperature": 0.1}, True), ({"remasking": "random"}, True)],
    ids=str,
)
def test_noise_is_needed_where_something_is_drawn(change, needs_noise):
    assert Decoding(**PLAIN | change).needs_noise is needs_noise


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gen_length": 0}, "gen_length must be a whole number of at least 1, got 0"),
        ({"block_length": -4}, "block_length must be a whole number"),
        ({"block_length": 3}, "multiple of block_length, got 8 and 3"),
        ({"block_length": 16}, "multiple of block_length, got 8 and 16"),
        ({"diffusion_steps": 5}, "multiple of the number of blocks, 2, got 5"),
        ({"temperature": float("inf")}, "temperature must be finite"),
        ({"cfg_scale": -1.0}, "cfg_scale must be finite and at least 0"),
        ({"early_stop": True}, "early_stop needs an eos_token_id that is not the mask's, got None"),
        ({"early_stop": True, "eos_token_id": 9}, "that is not the mask's, got 9"),
        ({"kv_cache": "dual", "cfg_scale": 1.0}, "with a kv_cache cfg_scale must be 0"),
        ({"confidence_threshold": 0.0}, "above 0 and at most 1"),
        ({"confidence_threshold": 0.9, "remasking": "random"}, "remasking must be 'low_confidence'"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_named(change, message):
    with pytest.raises(SamplingError, match=message):
        Decoding(**PLAIN | change)

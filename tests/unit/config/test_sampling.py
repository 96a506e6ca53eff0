from pathlib import Path

import pytest
import yaml

from weft.config.sampling import Sampling
from weft.config.section import validate
from weft.errors import ConfigError

TINY = yaml.safe_load(Path("experiments/tiny.yaml").read_text())["sampling"]
THRESHOLD = {"confidence_threshold": 0.9, "tokens_per_step": None}


def sampling(**changes):
    return validate(Sampling, TINY | changes, origin="x")


@pytest.mark.parametrize(
    ("changes", "key", "got"),
    [
        ({"remasking": "worst"}, "remasking", "'worst'"),
        ({"cfg_scale": -1.0}, "cfg_scale", "-1"),
        ({"temperature": 0.5}, "seed", "none"),
        ({"remasking": "random"}, "seed", "none"),
        ({"seed": 3}, "seed", "3"),
        ({"kv_cache": "all"}, "kv_cache", "'all'"),
        ({"kv_cache": "dual", "cfg_scale": 0.5}, "cfg_scale", "0.5"),
        (THRESHOLD | {"confidence_threshold": 0.0}, "confidence_threshold", "0.0"),
        (THRESHOLD | {"confidence_threshold": 1.5}, "confidence_threshold", "1.5"),
        (THRESHOLD | {"tokens_per_step": 2}, "tokens_per_step", "2 and 0.9"),
        ({"tokens_per_step": None}, "tokens_per_step", "None and None"),
        (THRESHOLD | {"remasking": "random", "seed": 1}, "remasking", "'random'"),
        ({"attend_padding": True, "batch_size": 1}, "batch_size", "1"),
        ({"early_stop": "yes"}, "early_stop", "'yes'"),
    ],
)
def test_sampling_settings_that_are_wrong_or_have_no_effect_are_refused(changes, key, got):
    with pytest.raises(ConfigError, match=rf"  .*{key}.* got {got}"):
        sampling(**changes)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, None),
        ({"remasking": "random", "temperature": 0.7, "seed": 1, "cfg_scale": 1.0}, None),
        ({"kv_cache": "prefix"}, "prefix cache"),
        (THRESHOLD, "threshold 0.9"),
        (THRESHOLD | {"kv_cache": "dual"}, "dual cache, threshold 0.9"),
        (THRESHOLD | {"confidence_threshold": 0.99999999}, "threshold 0.99999999"),
        (THRESHOLD | {"confidence_threshold": 1.0}, "threshold 1"),
    ],
)
def test_approximate_sampling_has_a_name(changes, name):
    assert sampling(**changes).approximation == name


def test_the_batch_size_is_decisive_only_if_padding_is_attended_to():
    padded, plain = sampling(attend_padding=True).decisive(), sampling().decisive()
    assert set(padded) - set(plain) == {"batch_size"}
    assert "gen_lengths" not in padded

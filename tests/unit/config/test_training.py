from pathlib import Path

import pytest
import yaml

from weft.config.section import validate
from weft.config.training import Training
from weft.errors import ConfigError

TINY = yaml.safe_load(Path("experiments/tiny.yaml").read_text())["training"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 20}, "batch_size .*micro_batch_size=8, got 20"),
        ({"offload_optimizer": True, "zero_stage": 0}, "zero_stage .*offload_optimizer, got 0"),
        ({"offload_parameters": True}, "zero_stage .*offload_parameters, got 2"),
        ({"lora": None, "dtype": "bfloat16", "zero_stage": 0}, "zero_stage .*bfloat16, got 0"),
    ],
)
def test_settings_that_deepspeed_cannot_combine_are_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        validate(Training, TINY | changes, origin="x")

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


@pytest.mark.parametrize(("processes", "steps"), [(1, 4), (2, 2), (4, 1)])
def test_an_optimiser_step_is_divided_among_processes(processes, steps):
    training = validate(Training, TINY | {"batch_size": 32, "micro_batch_size": 8}, origin="x")
    assert training.accumulation_steps(processes) == steps


@pytest.mark.parametrize("processes", [3, 5, 8])
def test_processes_that_do_not_divide_a_batch_are_refused_with_those_that_do(processes):
    training = validate(Training, TINY | {"batch_size": 32, "micro_batch_size": 8}, origin="x")
    with pytest.raises(ConfigError, match=f"= 8 x {processes}; train_processes may be 1, 2, 4, or change"):
        training.accumulation_steps(processes)

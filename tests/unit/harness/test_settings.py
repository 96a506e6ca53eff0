import pytest

from weft.errors import ConfigError
from weft.harness.settings import read_generation, read_model_arguments

IDS = {"mask_token_id": 2, "eos_token_id": 1}


def model_arguments(**given):
    return read_model_arguments({"pretrained": "folder", **given})


def generation(given=None, **arguments):
    return read_generation(model_arguments(**arguments), given or {}, **IDS)


def test_the_names_of_other_evaluators_are_understood():
    arguments = read_model_arguments(
        {"model_path": "folder", "cfg": 0.5, "peft": "adapter", "block_size": 8, "diffusion_steps": 4}
    )
    assert (arguments.pretrained, arguments.adapter) == ("folder", "adapter")
    assert (arguments.cfg_scale, arguments.block_length, arguments.steps) == (0.5, 8, 4)


def test_remote_code_is_not_run_and_this_is_said(caplog):
    model_arguments(trust_remote_code=True)
    assert "has no effect" in caplog.text


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"gen_lenght": 3}, "no argument gen_lenght .did you mean gen_length"),
        ({"zzz": 3}, "no argument zzz .there are gen_length"),
        ({"pretrained": ""}, "pretrained"),
        ({"mc_num": "many"}, "mc_num must be a valid integer, got 'many'"),
        ({"mc_num": 0}, "mc_num"),
        ({"dtype": "float16"}, "'float32' or 'bfloat16', got 'float16'"),
        ({"batch_size": "all"}, "batch_size must be a whole number above 0 or auto, got 'all'"),
        ({"batch_size": 0}, "batch_size"),
        ({"steps": 3, "tokens_per_step": 2}, "either steps or tokens_per_step"),
        ({"model_path": "other"}, "pretrained must be given once"),
        ({"temperature": 0.5}, "--gen_kwargs do_sample=True"),
    ],
)
def test_a_wrong_argument_is_explained(given, message):
    with pytest.raises(ConfigError, match=message):
        model_arguments(**given)


def test_a_model_must_be_named():
    with pytest.raises(ConfigError, match="pretrained must be given"):
        read_model_arguments({})


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"cuda": 1, "cpu": 1}),
        ({"batch_size": 8}, {"cuda": 8, "cpu": 8}),
        ({"batch_size": "8"}, {"cuda": 8, "cpu": 8}),
        ({"batch_size": "auto"}, {"cuda": 64, "cpu": 16}),
        ({"batch_size": "auto:4", "max_batch_size": 5}, {"cuda": 5, "cpu": 5}),
    ],
)
def test_batch_sizes(given, expected):
    arguments = model_arguments(**given)
    assert {device: arguments.first_batch_size(device) for device in expected} == expected


@pytest.mark.parametrize(
    ("given", "arguments", "expected"),
    [
        ({}, {}, (256, 32, 128, 256)),
        ({"max_gen_toks": 100}, {}, (128, 32, 64, 100)),
        ({"max_new_tokens": 10}, {}, (10, 10, 5, 10)),
        ({"max_gen_toks": 64, "max_tokens": 32}, {}, (64, 32, 32, 64)),
        ({"max_gen_toks": 1024}, {"gen_length": 64}, (64, 32, 32, 64)),
        ({"gen_length": 32}, {"gen_length": 64}, (32, 32, 16, 32)),
        ({}, {"gen_length": 64, "tokens_per_step": 1}, (64, 32, 64, 64)),
        ({"steps": 16}, {"gen_length": 64, "tokens_per_step": 1}, (64, 32, 16, 64)),
        ({}, {"gen_length": 64, "block_length": 64, "steps": 8}, (64, 64, 8, 64)),
        ({}, {"gen_length": 64, "block_length": 1}, (64, 1, 64, 64)),
        ({}, {"gen_length": 64, "confidence_threshold": 0.9}, (64, 32, 64, 64)),
    ],
)
def test_lengths_and_steps(given, arguments, expected):
    request = generation(given, **arguments)
    config = request.config
    assert (config.gen_length, config.block_length, config.diffusion_steps, request.max_tokens) == expected


@pytest.mark.parametrize(
    ("given", "temperature"),
    [
        ({}, 0),
        ({"do_sample": False, "temperature": 0.8}, 0),
        ({"do_sample": True, "temperature": 0.8}, 0.8),
        ({"temperature": 1}, 1),
        ({"do_sample": True}, 0),
    ],
)
def test_temperature_counts_only_if_sampling_is_not_switched_off(given, temperature):
    assert generation(given).config.temperature == temperature


def test_options_of_the_model_and_of_the_task_reach_the_sampler():
    request = generation(
        {"cfg": 0.5, "until": "A", "stop": ["B", ""], "seed": 4}, remasking="random", early_stop=False, seed=3
    )
    assert (request.config.cfg_scale, request.config.remasking, request.config.early_stop) == (
        0.5,
        "random",
        False,
    )
    assert (request.until, request.seed) == (("A", "B"), 4)


def test_arguments_without_effect_are_accepted():
    generation({"num_beams": 1, "top_p": 0.9, "top_k": 5, "use_cache": True, "repetition_penalty": 1.0})
    generation({"do_sample": True, "temperature": 1.0, "top_p": 1.0, "top_k": None})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"num_beams": 4}, "num_beams is not supported"),
        ({"do_sample": True, "temperature": 0.5, "top_p": 0.9}, "top_p is not supported"),
        ({"banned": 1}, "no argument banned"),
        ({"temperature": "hot"}, "temperature must be a number"),
        ({"temperature": -1}, "temperature must be a number"),
        ({"max_gen_toks": 0}, "max_gen_toks must be a whole number above 0"),
        ({"until": 3}, "until must be a text"),
        ({"gen_length": 100}, "multiple of block_length=32, got 100"),
        ({"steps": 7}, "multiple of the number of blocks"),
    ],
)
def test_a_wrong_generation_argument_is_explained(given, message):
    with pytest.raises(ConfigError, match=message):
        generation(given)

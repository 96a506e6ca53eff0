import pytest

import weft.errors as errors


def test_every_error_is_a_weft_error_and_a_built_in_error():
    family = [
        value
        for value in vars(errors).values()
        if isinstance(value, type) and value.__module__ == errors.__name__
    ]
    assert all(issubclass(member, errors.WeftError) for member in family)
    specific = [member for member in family if member is not errors.WeftError]
    assert len(specific) == 9
    assert all(issubclass(member, (ValueError, RuntimeError)) and member.__doc__ for member in specific)


@errors.explain_arguments(errors.SamplingError, {"steps": "num_steps"})
def draw(model, prompts, *, num_steps, seed=0):
    """Draw."""
    return model, prompts, num_steps, seed


def test_explained_arguments_reach_the_function():
    assert draw("m", "p", num_steps=1) == draw(prompts="p", model="m", num_steps=1, seed=0)
    assert (draw.__name__, draw.__doc__) == ("draw", "Draw.")


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ("mp", {"steps": 1}, r"draw has no argument 'steps' \(here it is num_steps\)"),
        ("mp", {"sed": 1}, r"draw has no argument 'sed' \(here it is seed\)"),
        ("mp", {"top_p": 1}, r"no argument 'top_p' \(there are model, prompts, num_steps, seed\)"),
        ("mp", {"steps": 1, "top_p": 1}, "no argument 'steps' .*, and no 'top_p'"),
        ("mp", {}, "draw must be called with model, prompts, num_steps; missing: num_steps"),
        ("m", {"num_steps": 1}, "missing: prompts"),
        ("mpx", {"num_steps": 1}, "only model and prompts by position, got 3 arguments"),
        ("mp", {"num_steps": 1, "prompts": "p"}, "prompts once"),
    ],
    ids=str,
)
def test_arguments_that_a_function_does_not_take_are_explained(args, kwargs, message):
    with pytest.raises(errors.SamplingError, match=message):
        draw(*args, **kwargs)


class Drawer:
    @errors.explain_arguments(errors.TrainingError, {"tokenizer": "processing_class"})
    def __init__(self, model, *, processing_class=None):
        self.given = model, processing_class


def test_a_class_explains_its_arguments_without_self():
    assert Drawer("m", processing_class="p").given == ("m", "p")
    with pytest.raises(errors.TrainingError, match=r"^Drawer has no argument 'tokenizer' \(here it is proc"):
        Drawer("m", tokenizer="p")
    with pytest.raises(errors.TrainingError, match=r"^Drawer must be called with model; missing: model$"):
        Drawer()
    with pytest.raises(errors.TrainingError, match="only model by position, got 2 arguments"):
        Drawer("m", "p")


@pytest.mark.parametrize(
    ("module", "install"),
    [
        ("deepspeed.launcher", "'weft-dllm[deepspeed]'"),
        ("trackio", "'weft-dllm[trackers]'"),
        ("torch", "'weft-dllm'"),
    ],
)
def test_a_module_that_is_not_installed_is_named_with_its_extra(capsys, module, install):
    with pytest.raises(SystemExit, match="2"), errors.exit_on_error():
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)
    message = capsys.readouterr().err
    assert message.startswith(f"weft: error: this command needs the Python module {module.split('.')[0]!r}")
    assert message.endswith(f"python -m pip install {install}\n")


def test_a_missing_module_of_weft_is_not_explained_away():
    with pytest.raises(ModuleNotFoundError), errors.exit_on_error():
        raise ModuleNotFoundError("No module named 'weft.nothing'", name="weft.nothing")

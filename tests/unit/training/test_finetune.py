import pytest

from weft.config import Method, load_experiment
from weft.training.finetune import training_arguments


@pytest.mark.parametrize(
    ("own", "used"),
    [({}, (0.004, 0.5)), ({"learning_rate": 0.01}, (0.01, 0.5)), ({"max_grad_norm": 0.3}, (0.004, 0.3))],
)
def test_a_method_may_have_its_own_learning_rate_and_norm_of_clipping(own, used, tmp_path, monkeypatch):
    monkeypatch.setenv("DS_ACCELERATOR", "cpu")
    training = load_experiment("experiments/tiny.yaml").training.model_copy(
        update={"learning_rate": 0.004, "max_grad_norm": 0.5}
    )
    method = Method.model_validate({"preset": "weft"} | own)
    arguments = training_arguments(training, method, tmp_path, seed=1, num_processes=1)
    assert (arguments.learning_rate, arguments.max_grad_norm) == used
    assert arguments.deepspeed["gradient_clipping"] == used[1]

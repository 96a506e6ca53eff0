import pytest

from weft.config import Method, load_experiment
from weft.training.finetune import training_arguments


@pytest.mark.parametrize(("own", "used"), [(None, 0.004), (0.01, 0.01)])
def test_a_method_may_have_its_own_learning_rate(own, used, tmp_path, monkeypatch):
    monkeypatch.setenv("DS_ACCELERATOR", "cpu")
    training = load_experiment("experiments/tiny.yaml").training.model_copy(update={"learning_rate": 0.004})
    method = Method.model_validate({"preset": "weft", "learning_rate": own})
    arguments = training_arguments(training, method, tmp_path, seed=1, num_processes=1)
    assert arguments.learning_rate == used

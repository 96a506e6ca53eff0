import pytest
from transformers import TrainingArguments

from weft.config.methods import Method
from weft.errors import TrainingError
from weft.training.arguments import check_arguments, check_method_arguments


def make_arguments(out, **changes):
    return TrainingArguments(str(out), use_cpu=True, report_to=[], **changes)


def test_the_defaults_are_accepted(tmp_path):
    check_arguments(make_arguments(tmp_path))


@pytest.mark.parametrize(
    "changes",
    [
        {"label_smoothing_factor": 0.1},
        {"auto_find_batch_size": True},
        {"batch_eval_metrics": True},
        {"include_for_metrics": ["loss"]},
        {"train_sampling_strategy": "group_by_length"},
        {"push_to_hub": True},
        {"dataloader_drop_last": True},
        {"accelerator_config": {"split_batches": True}},
    ],
    ids=str,
)
def test_arguments_without_their_effect_are_refused(tmp_path, changes):
    name = next(iter(changes))
    with pytest.raises(TrainingError, match=f"{name} must be"):
        check_arguments(make_arguments(tmp_path, **changes))


def test_several_gpus_in_one_process_are_refused(tmp_path):
    arguments = make_arguments(tmp_path)
    assert arguments.n_gpu <= 1
    arguments._n_gpu = 2
    with pytest.raises(TrainingError, match="each process must have one GPU, got 2; start the script with"):
        check_arguments(arguments)


def test_fsdp_is_refused(tmp_path):
    arguments = make_arguments(tmp_path)
    arguments.fsdp = "full_shard"
    with pytest.raises(TrainingError, match="fsdp must not be set"):
        check_arguments(arguments)


def test_a_methods_own_learning_rate_must_be_that_of_the_arguments(tmp_path):
    method = Method.model_validate({"preset": "weft", "learning_rate": 0.01})
    check_method_arguments(make_arguments(tmp_path, learning_rate=0.01), method)
    with pytest.raises(
        TrainingError, match=r"got 0\.01 and 0\.02; set TrainingArguments\(learning_rate=0\.01\)"
    ):
        check_method_arguments(make_arguments(tmp_path, learning_rate=0.02), method)

"""Checks of the Trainer's arguments that would have another effect than their names say."""

from transformers import TrainingArguments

from weft.config.methods import Method
from weft.errors import TrainingError

WITHOUT_EFFECT: dict[str, tuple[object, ...]] = {
    "label_smoothing_factor": (0, 0.0),
    "train_sampling_strategy": ("random",),
    "batch_eval_metrics": (False,),
    "include_for_metrics": ([], ()),
    "auto_find_batch_size": (False,),
    "push_to_hub": (False,),
    "dataloader_drop_last": (False,),
}
"""Argument -> the values that are allowed, because the others have no effect here or a wrong one."""


def check_arguments(args: TrainingArguments) -> None:
    """Check the arguments of the Trainer.

    Args:
        args: the arguments.

    Raises:
        TrainingError: an argument is not supported by `DiffusionTrainer`.
    """
    for name, allowed in WITHOUT_EFFECT.items():
        value = getattr(args, name, allowed[0])
        if value not in allowed:
            raise TrainingError(f"{name} must be {allowed[0]!r} in DiffusionTrainer, got {value!r}")
    if getattr(args.accelerator_config, "split_batches", False):
        raise TrainingError(
            "accelerator_config must be without split_batches in DiffusionTrainer, got True; set "
            "per_device_train_batch_size to the examples of one process"
        )
    if args.fsdp:
        raise TrainingError(
            "fsdp must not be set in DiffusionTrainer, whose probe is not tried with it; shard with "
            "deepspeed (ZeRO) instead"
        )
    if getattr(args, "parallelism_config", None) is not None:
        raise TrainingError("parallelism_config must be None in DiffusionTrainer; split the batch only")
    if args.n_gpu > 1:
        raise TrainingError(
            f"each process must have one GPU, got {args.n_gpu}; start the script with accelerate launch "
            "--num_processes N, torchrun or deepspeed, or set CUDA_VISIBLE_DEVICES to one GPU"
        )


def check_method_arguments(args: TrainingArguments, method: Method) -> None:
    """Check that a method's own training settings are those of the Trainer.

    Args:
        args: the arguments.
        method: the method.

    Raises:
        TrainingError: they differ.
    """
    for name in ("learning_rate", "max_grad_norm"):
        its, given = getattr(method, name), getattr(args, name)
        if its is not None and its != given:
            raise TrainingError(
                f"the method's {name} must be that of the Trainer's arguments, got {its} and {given}; set "
                f"TrainingArguments({name}={its}), or leave it out of the method"
            )

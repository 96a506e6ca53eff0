"""The settings on which each step of the workflow depends.

Snakemake runs a job again if its settings change. A step therefore gets the values that change its
result, and no others.
"""

from collections.abc import Callable, Mapping

from pydantic_core import to_jsonable_python

from weft.config.experiment import Experiment, FineTuning
from weft.config.sources import ScratchModel

Wildcards = Mapping[str, str]

REPORT_STAGES = ("tables", "figures", "page")
REPORT_KEYS = (
    "name",
    "title",
    "caption",
    "scoring",
    "statistics",
    "contrast",
    "further_contrasts",
    "gradient_study",
    "methods",
    "benchmarks",
    "base_model",
    "seeds",
)
"""Keys of an experiment on which labels, order and comparisons of the report depend."""


def stage_settings(experiment: Experiment, stage: str, wildcards: Wildcards) -> object:
    """Return the values that change the result of a job.

    Args:
        experiment: the experiment.
        stage: name of the rule.
        wildcards: the job's wildcards.

    Returns:
        The values as JSON types.
    """
    if stage == "score":
        return {"scoring": wildcards["scoring"]}
    if stage in REPORT_STAGES:
        return _report_settings(experiment)
    if experiment.kind != "fine-tuning":
        raise ValueError(f"stage must be of an experiment that trains, got {stage!r} of {experiment.name!r}")
    return to_jsonable_python(TRAINING_STAGES[stage](experiment, wildcards))


def _report_settings(experiment: Experiment) -> object:
    dump = experiment.model_dump(mode="json")
    settings = {key: dump.get(key) for key in REPORT_KEYS}
    if experiment.approximation is not None:
        settings["approximation"] = experiment.approximation
    return settings


def _train_settings(experiment: FineTuning, wildcards: Wildcards) -> object:
    run = experiment.find_run(wildcards["run"])
    return {"training": experiment.training, "method": experiment.methods[run.method]}


def _prepare_settings(experiment: FineTuning, _: Wildcards) -> object:
    return {
        "max_length": experiment.training.max_length,
        "heldout_share": experiment.training.heldout_share,
        "example_layout": experiment.training.example_layout,
        "forbid_test_questions": experiment.forbid_test_questions,
    }


def _probe_settings(experiment: FineTuning, _: Wildcards) -> object:
    training = experiment.training
    return {
        "max_length": training.max_length,
        "micro_batch_size": training.micro_batch_size,
        "dtype": training.dtype,
    }


def _gradient_settings(experiment: FineTuning, _: Wildcards) -> object:
    training = experiment.training
    return {
        "study": experiment.gradient_study,
        "methods": experiment.methods,
        "target_modules": None if training.lora is None else training.lora.target_modules,
        "max_length": training.max_length,
        "t_min": training.t_min,
    }


def _pretrain_settings(experiment: FineTuning, _: Wildcards) -> object:
    return experiment.base_model.recipe if isinstance(experiment.base_model, ScratchModel) else None


TRAINING_STAGES: dict[str, Callable[[FineTuning, Wildcards], object]] = {
    "questions": lambda experiment, wildcards: experiment.benchmarks[wildcards["benchmark"]],
    "examples": lambda experiment, wildcards: experiment.datasets[wildcards["dataset"]],
    "prepare": _prepare_settings,
    "pretrain": _pretrain_settings,
    "base": lambda experiment, _: experiment.base_model,
    "train": _train_settings,
    "probe": _probe_settings,
    "gradients": _gradient_settings,
    "sample": lambda experiment, _: experiment.sampling.decisive(),
    "trace": lambda experiment, _: {
        "sampling": experiment.sampling.decisive(),
        "caption": experiment.caption,
    },
}

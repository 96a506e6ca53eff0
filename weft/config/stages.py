"""The settings on which each step of the workflow depends.

Snakemake runs a job again if its settings change. A step therefore gets the values that change its
result, and no others.
"""

from collections.abc import Callable, Mapping

from pydantic_core import to_jsonable_python

from weft.config.experiment import Evaluation, Experiment, FineTuning, Sampled, StoredGenerations
from weft.config.section import Section

Wildcards = Mapping[str, str]
REPORT_KEYS = (
    "name", "title", "caption", "scoring", "statistics", "contrast", "further_contrasts", "gradient_study",
    "methods", "benchmarks", "base_model", "seeds",
)  # fmt: skip
"""Keys of an experiment on which the labels, the order and the comparisons of the tables depend."""
EVALUATION_KEYS = ("models", "contrasts")
"""Further such keys, which only an evaluation has."""


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
    if stage == "page":  # it shows all settings
        return experiment.model_dump(mode="json")
    if stage in ("tables", "figures"):
        return _report_settings(experiment)
    if not isinstance(experiment, StoredGenerations) and stage in SAMPLING_STAGES:
        return to_jsonable_python(SAMPLING_STAGES[stage](experiment, wildcards))
    if isinstance(experiment, Evaluation) and stage == "model":
        return to_jsonable_python(experiment.models[wildcards["model"]])
    if not isinstance(experiment, FineTuning):
        raise ValueError(f"stage must be of an experiment that trains, got {stage!r} of {experiment.name!r}")
    return to_jsonable_python(TRAINING_STAGES[stage](experiment, wildcards))


def _report_settings(experiment: Experiment) -> object:
    dump = experiment.model_dump(mode="json")
    settings = {key: dump.get(key) for key in REPORT_KEYS}
    settings |= {key: dump[key] for key in EVALUATION_KEYS if key in dump}
    if experiment.approximation is not None:
        settings["approximation"] = experiment.approximation
    return settings


def _train_settings(experiment: FineTuning, wildcards: Wildcards) -> object:
    method = experiment.methods[experiment.find_run(wildcards["run"]).method]
    training = method.adapt(experiment.training).model_dump(mode="json", exclude={"save_every"})
    settings: dict[str, object] = {"training": training, "method": method}
    if experiment.learning_curve is not None:
        settings["snapshots"] = experiment.learning_curve.snapshot_settings()
    return settings


def _gradient_settings(experiment: FineTuning, _: Wildcards) -> object:
    lora = experiment.training.lora
    return {
        "study": experiment.gradient_study,
        "methods": {
            name: method.model_dump(exclude={"learning_rate", "max_grad_norm"})
            for name, method in experiment.methods.items()
        },
        "target_modules": None if lora is None else lora.target_modules,
        **_select(experiment.training, "max_length", "t_min"),
    }


def _validation_settings(experiment: FineTuning, wildcards: Wildcards) -> object:
    source = experiment.benchmarks[wildcards["benchmark"]].source
    curve = experiment.learning_curve
    return None if curve is None else {"source": source, **_select(curve, "num_examples", "seed")}


def _special_tokens(experiment: Sampled) -> dict[str, object]:
    """Return the treatment of special tokens; nothing for ``error``, under which it changes no result."""
    is_default = experiment.special_tokens == "error"
    return {} if is_default else _select(experiment, "special_tokens")


def _too_long(experiment: FineTuning) -> dict[str, object]:
    """Return what is done with too long examples; nothing for ``error``, under which it changes no result."""
    return {} if experiment.too_long == "error" else _select(experiment, "too_long")


def _select(section: Section, *keys: str) -> dict[str, object]:
    return {key: getattr(section, key) for key in keys}


SAMPLING_STAGES: dict[str, Callable[[Sampled, Wildcards], object]] = {
    "questions": lambda experiment, wildcards: experiment.benchmarks[wildcards["benchmark"]],
    "sample": lambda experiment, _: {**experiment.sampling.decisive(), **_special_tokens(experiment)},
    "trace": lambda experiment, _: {
        "sampling": experiment.sampling.decisive(),
        **_special_tokens(experiment),
        "caption": experiment.caption,
    },
}
"""Stages of all experiments whose answers are sampled."""
TRAINING_STAGES: dict[str, Callable[[FineTuning, Wildcards], object]] = {
    "examples": lambda experiment, wildcards: experiment.datasets[wildcards["dataset"]],
    "prepare": lambda experiment, _: {
        **_select(experiment.training, "max_length", "heldout_share", "example_layout"),
        **_special_tokens(experiment),
        **_too_long(experiment),
    },
    "check": lambda experiment, _: {
        **_select(experiment, "forbid_test_questions"),
        **_special_tokens(experiment),
        **_select(experiment.sampling, "prefill"),
        "longest_answer": max(experiment.gen_lengths),
    },
    "pretrain": lambda experiment, _: getattr(experiment.base_model, "recipe", None),
    "base": lambda experiment, _: experiment.base_model,
    "train": _train_settings,
    "probe": lambda experiment, _: _select(experiment.training, "max_length", "micro_batch_size", "dtype"),
    "gradients": _gradient_settings,
    "validation": _validation_settings,
    "curve": lambda experiment, _: {
        "sampling": experiment.sampling.decisive(),
        **_special_tokens(experiment),
        "scoring": experiment.scoring[0],
    },
}
"""Stages of experiments that train models."""

"""Which values a step of the workflow depends on, so that a change re-runs it and nothing else."""

from collections.abc import Callable, Mapping
from typing import Any

from weft.config.experiment import Experiment, FineTuning

Whole = dict[str, Any]
Wildcards = Mapping[str, str]


def stage_settings(experiment: Experiment, stage: str, wildcards: Wildcards) -> Whole:
    """Pick the values that change the result of one job.

    Args:
        experiment: the checked experiment.
        stage: name of the rule.
        wildcards: the job's wildcards.

    Returns:
        The values as JSON types.
    """
    whole = experiment.model_dump(mode="json")
    if stage == "train":
        assert isinstance(experiment, FineTuning), "only fine-tuning experiments have training rules"
        method = {run.run_id: run for run in experiment.runs}[wildcards["run"]].method
        return {"training": whole["training"], "method": whole["methods"][method]}
    if stage == "sample":
        assert isinstance(experiment, FineTuning), "only fine-tuning experiments have sampling rules"
        return experiment.sampling.decisive()
    if stage == "trace":
        assert isinstance(experiment, FineTuning), "only fine-tuning experiments have traces"
        return {"sampling": experiment.sampling.decisive(), "caption": experiment.caption}
    values = STAGES[stage](whole, wildcards)
    if stage in SHOWN and experiment.approximation is not None:
        values["approximation"] = experiment.approximation
    return values


def _pick(*keys: str, section: str | None = None) -> Callable[[Whole, Wildcards], Whole]:
    return lambda whole, _: {key: (whole[section] if section else whole).get(key) for key in keys}


REPORTED = (
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
"""Keys that labels, order or comparisons of the report depend on."""
SHOWN = ("tables", "figures", "page")
"""Stages whose results have captions."""

STAGES: dict[str, Callable[[Whole, Wildcards], Whole]] = {
    "questions": lambda whole, wildcards: whole["benchmarks"][wildcards["benchmark"]],
    "examples": lambda whole, wildcards: whole["datasets"][wildcards["dataset"]],
    "prepare": lambda whole, _: {
        "max_length": whole["training"]["max_length"],
        "heldout_share": whole["training"]["heldout_share"],
        "example_layout": whole["training"]["example_layout"],
        "forbid_test_questions": whole["forbid_test_questions"],
    },
    "pretrain": lambda whole, _: whole["base_model"]["recipe"],
    "base": lambda whole, _: whole["base_model"],
    "probe": _pick("max_length", "micro_batch_size", "dtype", section="training"),
    "gradients": lambda whole, _: {
        "study": whole["gradient_study"],
        "methods": whole["methods"],
        "target_modules": (whole["training"]["lora"] or {}).get("target_modules"),
        "max_length": whole["training"]["max_length"],
        "t_min": whole["training"]["t_min"],
    },
    "score": lambda whole, wildcards: {"scoring": wildcards["scoring"]},
    "tables": _pick(*REPORTED),
    "figures": _pick(*REPORTED),
    "page": _pick(*REPORTED),
}

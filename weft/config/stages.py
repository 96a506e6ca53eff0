"""Which values a step of the workflow depends on, so that a change re-runs it and nothing else."""

from collections.abc import Mapping
from typing import Any

from weft.config.experiment import FineTuning, StoredGenerations, list_runs


def stage_settings(
    experiment: FineTuning | StoredGenerations, stage: str, wildcards: Mapping[str, str]
) -> dict[str, Any]:
    """Pick the values that change the result of one job.

    Args:
        experiment: the checked experiment.
        stage: name of the rule.
        wildcards: the job's wildcards.

    Returns:
        The values as JSON types.
    """
    whole = experiment.model_dump(mode="json")
    if stage in ("tables", "figures", "page"):
        return {key: whole.get(key) for key in ("title", "caption", "rules", "statistics", "contrast")}
    if stage == "score":
        return {"rules": whole["rules"]}
    if stage == "questions":
        return dict(whole["benchmarks"][wildcards["benchmark"]])
    if stage == "examples":
        return dict(whole["datasets"][wildcards["dataset"]])
    if stage == "prepare":
        lengths = {key: whole["training"][key] for key in ("max_length", "heldout_share")}
        return lengths | {"forbid_test_questions": whole["forbid_test_questions"]}
    if stage == "base":
        return {key: value for key, value in whole["base_model"].items() if key != "recipe"}
    if stage == "pretrain":
        return dict(whole["base_model"]["recipe"])
    if stage == "probe":
        return {key: whole["training"][key] for key in ("max_length", "micro_batch_size", "dtype")}
    if stage == "train":
        method = {run.run_id: run for run in list_runs(experiment)}[wildcards["run"]].method  # type: ignore[arg-type]
        return {"training": whole["training"], "method": whole["methods"][method]}
    if stage == "sample":
        unused = {"gen_lengths"}
        return {key: value for key, value in whole["sampling"].items() if key not in unused}
    raise AssertionError(f"no such stage: {stage}")


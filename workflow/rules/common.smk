# The checked experiment, and what the rules ask of it.

import json
import re
import shlex
from pathlib import Path

from snakemake.exceptions import WorkflowError

from weft.config import (
    BASE_RUN,
    FineTuning,
    load_experiment,
    resolve_settings,
)
from weft.errors import WeftError
from weft.config.published import find_generations
from weft.config.stages import stage_settings
from weft.provenance import source_digest
from weft.report.outputs import (
    figure_files,
    gradient_file,
    has_ablations,
    has_gradients,
    table_files,
    trace_file,
)

try:
    SETTINGS = resolve_settings(
        config,
        default=Path(workflow.source_path("../../config.yaml")),
        overlays=[Path(file) for file in workflow.overwrite_configfiles or []],
    )
    EXPERIMENT = load_experiment(SETTINGS.experiment)
except WeftError as error:
    raise WorkflowError(str(error)) from None

FINE_TUNING = isinstance(EXPERIMENT, FineTuning)
RUNS = {run.run_id: run for run in EXPERIMENT.runs}
SHARD = "results/{experiment}/shards/{run}/{benchmark}/{gen_length}.{shard}of{shards}"
OFFLINE = " ".join(f"--offline {shlex.quote(folder)}" for folder in SETTINGS.offline)


wildcard_constraints:
    experiment=re.escape(EXPERIMENT.name),
    run="|".join(map(re.escape, RUNS)),
    dataset="|".join(map(re.escape, EXPERIMENT.dataset_names)) or "none",
    benchmark="|".join(map(re.escape, EXPERIMENT.benchmark_names)),
    gen_length=r"\d+",
    shard=r"\d+",
    shards=r"\d+",
    scoring="|".join(EXPERIMENT.scoring),


def experiment_files(*stages):
    """List what the stages of this experiment produce."""
    files = {
        "data": ["data/questions/{benchmark}.jsonl", "data/prepared/{dataset}"],
        "pretrained": ["pretrained"],
        "models": ["runs/{trained}"],
        "exports": ["exports/{trained}"],
        "samples": ["samples/{run}/{benchmark}/{gen_length}.jsonl"],
        "scores": ["scores/{scoring}/{run}/{benchmark}/{gen_length}.jsonl"],
        "tables": [f"tables/{file}" for file in table_files(EXPERIMENT)],
        "figures": [f"figures/{file}" for file in figure_files(EXPERIMENT)],
        "traces": [f"report/{trace_file(run)}" for run in EXPERIMENT.traced_runs],
        "report": ["report/index.html"],
    }
    return [
        path
        for stage in stages
        for pattern in files[stage]
        for path in expand(
            f"results/{{experiment}}/{pattern}",
            experiment=EXPERIMENT.name,
            benchmark=EXPERIMENT.benchmark_names,
            dataset=EXPERIMENT.dataset_names,
            run=list(RUNS),
            trained=[run.run_id for run in EXPERIMENT.trained_runs],
            gen_length=EXPERIMENT.gen_lengths,
            scoring=EXPERIMENT.scoring,
        )
    ]


def of_datasets(pattern, is_wanted=True):
    """List the files of a pattern, one per training set; none if they are not wanted."""
    return expand(
        f"results/{{experiment}}/{pattern}",
        dataset=EXPERIMENT.dataset_names if is_wanted else [],
        allow_missing=True,
    )


def of_shards(pattern):
    """List the files of a pattern, one per job that shares the answers of a cell."""
    count = SETTINGS.sample_shards
    return expand(pattern, shard=range(1, count + 1), shards=count, allow_missing=True)


def custom_files(source):
    """List the files of one's own data, model or benchmark, so that a change in them is noticed."""
    if getattr(source, "path", None) is None:
        return []
    path = Path(source.path)
    return (
        sorted(map(str, [*path.glob("*.json"), *path.glob("*.safetensors")]))
        if path.is_dir()
        else str(path)
    )


def custom_benchmark(wildcards):
    """List the file of an own benchmark, which brings questions and rule."""
    return (
        custom_files(EXPERIMENT.benchmarks[wildcards.benchmark]) if FINE_TUNING else []
    )


def settings_of(stage):
    """Make a params function: the values, and nothing else, on which a job of the stage depends."""
    return lambda wildcards: json.dumps(
        stage_settings(EXPERIMENT, stage, dict(wildcards.items()))
    )


def generation_files(wildcards):
    """List the files to score."""
    if FINE_TUNING:
        return [
            f"results/{wildcards.experiment}/samples/{wildcards.run}/{wildcards.benchmark}/{wildcards.gen_length}.jsonl"
        ]
    try:
        return find_generations(
            EXPERIMENT.generations,
            wildcards.benchmark,
            int(wildcards.gen_length),
            SETTINGS.offline,
        )
    except WeftError as error:
        raise WorkflowError(str(error)) from None

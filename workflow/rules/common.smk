# The experiment, the names of its files, and helper functions of the rules.

import json
import re
import shlex
import shutil
from importlib import import_module
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

from weft.benchmarks.question_text import questions_text
from weft.config import BASE_RUN, load_experiment, resolve_settings
from weft.config.places import (
    CHECKOUT,
    find_path,
    require_writable_records,
    run_jobs_from_checkout,
)
from weft.config.remarks import list_remarks
from weft.config.stages import stage_settings
from weft.data.context import check_before_jobs
from weft.data.hub import model_files
from weft.data.offline import find_generations
from weft.data.tasks.examples import digest_generators
from weft.edits import notice_edits
from weft.errors import WeftError
from weft.layout import FIGURE_FORMATS, ResultLayout, provenance_file
from weft.plan import (
    JobResources,
    StatusChecks,
    check_cluster,
    describe_material,
    keep_jobs_without_answer,
    list_memory_warnings,
    read_cluster,
)
from weft.provenance import (
    CODE_OF_RESULTS,
    digest,
    explain_unknown_commit,
    file_sha256,
    sha256_once,
    source_digest,
)
from weft.report.deviations import DEVIATIONS_FILE
from weft.report.outputs import list_figures, list_tables, main_table, table_formats
from weft.training.kept import PRETRAINING_CODE

if re.search("[{}]", str(CHECKOUT)):
    raise WorkflowError(
        "the path of the checkout must not contain braces, which Snakemake takes for wildcards, got "
        f"{CHECKOUT}; rename the folder, or move the checkout"
    )

try:
    if workflow.is_main_process:  # the jobs read this file as well
        require_writable_records(Path.cwd())
    run_jobs_from_checkout()
    SETTINGS = resolve_settings(
        config,
        default=Path(workflow.source_path("../../config.yaml")),
        overlays=[Path(file) for file in workflow.overwrite_configfiles or []],
    )
    EXPERIMENT = load_experiment(SETTINGS.experiment)
    check_before_jobs(
        EXPERIMENT,
        num_processes=SETTINGS.train_processes,
        offline=SETTINGS.offline,
        placed=ResultLayout.of(EXPERIMENT.name).base,
    )
except (WeftError, OSError) as error:
    raise WorkflowError(str(error)) from None

MATERIAL = describe_material(EXPERIMENT, offline=SETTINGS.offline)

if workflow.is_main_process:
    if remark := explain_unknown_commit():
        logger.warning(remark)

    for remark in list_remarks(EXPERIMENT, Path(SETTINGS.experiment)):
        logger.warning(remark)

    for warning in list_memory_warnings(EXPERIMENT, MATERIAL, SETTINGS):
        logger.warning(warning)

IS_SAMPLED = EXPERIMENT.is_sampled
IS_TRAINED = bool(EXPERIMENT.trained_runs)
RESULTS = ResultLayout.of(EXPERIMENT.name)


def untracked(value):
    """Return a params function for a value that changes no result, such as a path or a device.

    Snakemake runs a job again if a value of its params has changed, except values that derive from threads.
    It also takes braces in a text, but not in the result of a function, for wildcards.
    """

    def params(wildcards, threads):
        return value

    return params


def is_remote():
    """Return whether an executor sends jobs to other machines, also in a dry run of such an executor."""
    if not workflow.is_main_process:
        return False
    # In a dry run the executor is known only by the threads that Snakemake sets for remote ones.
    is_planned = workflow.dryrun and workflow.execution_settings.use_threads
    return workflow.non_local_exec or is_planned


def gpus(processes):
    """Return a resource function for the number of GPUs of a job, which checks ``device`` as well."""

    def count(wildcards):
        try:
            is_planned = workflow.dryrun or not workflow.is_main_process
            return SETTINGS.gpus(processes, is_remote=is_remote(), is_dry=is_planned)
        except WeftError as error:
            raise WorkflowError(str(error)) from None

    return count


def prepare_slurm():
    """Prepare a run on Slurm so that Snakemake notices the end of its jobs, and return warnings.

    Settings of the cluster or of the profile that would not let it notice them are an error.
    """
    plugin = workflow.executor_plugin
    if plugin is None or plugin.name != "slurm":
        return []
    keep_jobs_without_answer(import_module("snakemake_executor_plugin_slurm"))
    cluster = read_cluster()
    if cluster is None:
        return []
    settings = workflow.executor_settings
    checks = StatusChecks(
        command=settings.status_command,
        first_check_s=settings.init_seconds_before_status_checks,
        has_sacct=shutil.which("sacct") is not None,
        is_requeued=settings.requeue,
    )
    try:
        return list(check_cluster(cluster, checks))
    except WeftError as error:
        raise WorkflowError(str(error)) from None


onstart:
    for warning in prepare_slurm():
        logger.warning(warning)


def launch_of(wildcards, resources):
    """Return the command that starts a training once on each of its nodes; nothing for one machine."""
    if not resources.get("mpi"):
        return ""
    gpus_per_node = ranks_per_node(resources) if SETTINGS.device == "cuda" else 0
    options = f"--gpus-per-node={gpus_per_node}" if gpus_per_node else ""
    return (
        f"{resources.mpi} --nodes={resources.nodes} --ntasks-per-node=1 {options} "
        f"--cpus-per-task={resources._cores} --kill-on-bad-exit=1"
    )


def nodes_of(wildcards, resources):
    """Return the option of a training on several nodes."""
    return f"--nodes {resources.nodes}" if resources.get("mpi") else ""


def ranks_of(wildcards, resources):
    """Return the number of ranks on each node."""
    return ranks_per_node(resources)


def ranks_per_node(resources):
    """Return the number of ranks on each node, which must be the same on all."""
    nodes = resources.nodes if resources.get("mpi") else 1
    if resources.processes % nodes:
        raise WorkflowError(
            f"train_processes must be a multiple of the {nodes} nodes of a training, got "
            f"{resources.processes}; change one of them"
        )
    return resources.processes // nodes


experiment_file = untracked(SETTINGS.experiment)
offline_options = untracked(
    " ".join(f"--offline {shlex.quote(folder)}" for folder in SETTINGS.offline)
)
device = untracked(SETTINGS.device)


JOB_RESOURCES = JobResources(EXPERIMENT, MATERIAL.material, SETTINGS)


def memory_of(stage):
    """Return a resources function for the memory of a job; a repeated attempt requests more."""

    def memory(wildcards, attempt):
        return JOB_RESOURCES.mem_mb(stage, name_of(wildcards), attempt=attempt)

    return memory


def minutes_of(stage):
    """Return a resources function for the time of a job."""

    def minutes(wildcards):
        return JOB_RESOURCES.runtime(stage, name_of(wildcards))

    return minutes


def name_of(wildcards):
    """Return the run or the training set of a job that computes with a model."""
    return wildcards.get("run") or wildcards.dataset


# Wildcards of a file with a run's answers to a benchmark at a length.
CELL = ("{run}", "{benchmark}", "{gen_length}")
CELL_NAME = "{run}.{benchmark}.{gen_length}"


def any_of(names):
    """Return a regular expression for one of the names."""
    return "|".join(map(re.escape, names)) or "none"


wildcard_constraints:
    run=any_of(EXPERIMENT.run_ids),
    dataset=any_of(EXPERIMENT.dataset_names),
    model=any_of(EXPERIMENT.model_names),
    benchmark=any_of(EXPERIMENT.benchmark_names),
    scoring=any_of(EXPERIMENT.scoring),
    gen_length=r"\d+",
    shard=r"\d+",
    shards=r"\d+",


QUESTIONS = [RESULTS.questions(name) for name in EXPERIMENT.benchmark_names]
VALIDATION = [RESULTS.validation(name) for name in EXPERIMENT.curve_benchmarks]
PREPARED = [RESULTS.prepared(name) for name in EXPERIMENT.dataset_names]
CHECKS = [RESULTS.check(name) for name in EXPERIMENT.dataset_names if QUESTIONS]
UNCHECKED = [
    name
    for name in EXPERIMENT.dataset_names
    if QUESTIONS and not RESULTS.first_check(name).exists()
]
MODELS = [RESULTS.run(run.run_id) for run in EXPERIMENT.trained_runs]
PLACED = [RESULTS.model(name) for name in EXPERIMENT.model_names]
BASE_MODEL = getattr(EXPERIMENT, "base_model", None)
EXPORTS = [RESULTS.export(run.run_id) for run in EXPERIMENT.trained_runs]
CELLS = [
    (run, benchmark, gen_length)
    for run in EXPERIMENT.run_ids
    for benchmark in EXPERIMENT.benchmark_names
    for gen_length in EXPERIMENT.gen_lengths
]
SCORES = [RESULTS.scores(name, *cell) for name in EXPERIMENT.scoring for cell in CELLS]
PROBES = [RESULTS.probe(name) for name in EXPERIMENT.dataset_names]
GRADIENTS = (
    [RESULTS.gradients(name) for name in EXPERIMENT.dataset_names]
    if EXPERIMENT.has_gradient_study
    else []
)
TABLES = [
    RESULTS.table(name, ending)
    for name in list_tables(EXPERIMENT)
    for ending in table_formats(name)
]
FIGURES = [
    RESULTS.figure(name, ending)
    for name in list_figures(EXPERIMENT)
    for ending in FIGURE_FORMATS
]
CURVES = (
    [RESULTS.curve(run) for run in EXPERIMENT.run_ids]
    if EXPERIMENT.curve_benchmarks
    else []
)
FOLDERS = [RESULTS.base, RESULTS.pretrained, *PREPARED, *MODELS, *PLACED] + [
    RESULTS.model_base(name) for name in EXPERIMENT.model_names
]

if workflow.is_main_process:
    for folder in FOLDERS:
        try:
            edited = notice_edits(folder)
        except WeftError as error:
            raise WorkflowError(str(error)) from None
        if edited:
            logger.warning(
                f"{folder}: {', '.join(edited[:3])} was changed since the folder was made; "
                "the jobs that read the folder run again"
            )
TRACES = [RESULTS.trace(run.run_id) for run in EXPERIMENT.traced_runs]


def base_of(wildcards):
    """Return the checkpoint that gives a run its tokenizer and base weights."""
    if IS_TRAINED:
        return RESULTS.base
    return base_of_adapter(wildcards.run) or RESULTS.model(wildcards.run)


def base_of_adapter(model):
    """Return the checkpoint on which a model of an evaluation is based; nothing for a complete checkpoint."""
    base = EXPERIMENT.models[model].base
    if base is None:
        return []
    return RESULTS.model(base) if isinstance(base, str) else RESULTS.model_base(model)


def adapter_of(wildcards):
    """Return what a run adds to its base: the result of its training, or an adapter; nothing for a base."""
    if not EXPERIMENT.is_finetuned(EXPERIMENT.find_run(wildcards.run)):
        return []
    return RESULTS.run(wildcards.run) if IS_TRAINED else RESULTS.model(wildcards.run)


def prepared_of(wildcards):
    """Return the tokenised training examples of a run."""
    return RESULTS.prepared(EXPERIMENT.find_run(wildcards.run).dataset)


def check_of(wildcards, name):
    """Return the file of a run's training set by its name; nothing for the base model or without questions."""
    dataset = EXPERIMENT.find_run(wildcards.run).dataset
    return name(dataset) if dataset is not None and QUESTIONS else []


def cells_of_run(name):
    """Return the files of a run for all benchmarks and lengths, given their name with wildcards."""
    return expand(
        name,
        benchmark=EXPERIMENT.benchmark_names,
        gen_length=EXPERIMENT.gen_lengths,
        allow_missing=True,
    )


def shards_of(name):
    """Return the files of all jobs that share the answers of a cell."""
    count = SETTINGS.sample_shards
    return expand(name, shard=range(1, count + 1), shards=count, allow_missing=True)


def custom_files(source):
    """Return the user's files of a source, so that Snakemake detects changes in them."""
    return [file for file in files_of(source) if not re.search("[{}]", str(file))]


def files_of(source):
    """Return all of the user's files of a source."""
    if getattr(source, "path", None) is None:
        return []
    if isinstance(source.path, list):
        return [
            file for path in source.path for file in training_files(find_path(path))
        ]
    path = find_path(source.path)
    return model_files(path) if path.is_dir() else [path]


def training_files(path):
    """Return a file with training data, or the files in a folder with training data."""
    if not path.is_dir():
        return [path]
    files = (file for file in path.rglob("*") if file.is_file())
    return sorted(file for file in files if not file.name.startswith("."))


def sources_of(stage, wildcards):
    """Return the sources whose files a job reads."""
    if stage == "examples":
        return [EXPERIMENT.datasets[wildcards.dataset]]
    if stage == "base":
        return [BASE_MODEL]
    if stage == "model":
        return [
            EXPERIMENT.models[wildcards.model],
            EXPERIMENT.models[wildcards.model].base,
        ]
    return EXPERIMENT.benchmarks.values() if stage == "score" and IS_SAMPLED else []


def digest_files(sources):
    """Return a digest of the user's files of sources; an empty text if there are none.

    Snakemake notices newer files only, and a file may be replaced by an older one. Files with braces in their
    paths cannot be inputs of a rule at all. Size and time stand for the content of model weights, which are
    too large to be read here.
    """
    states = []
    for source in sources:
        listed = custom_files(source)
        for file in files_of(source):
            if file.is_file():
                states.append([file.name, state_of(file)])
            elif file not in listed:
                raise WorkflowError(
                    f"expected a file at {file}, got none; correct its path"
                )
    return digest(states) if states else ""


def state_of(file):
    """Return what a digest knows of a file; its time in seconds, because archives keep no fractions."""
    if file.suffix == ".safetensors":
        status = file.stat()
        return [status.st_size, int(status.st_mtime)]
    return sha256_once(file)


def digest_texts():
    """Return, for each custom benchmark, a digest of what its questions depend on in its Python file."""
    try:
        return {
            name: digest(questions_text(find_path(source.path)))
            for name, source in EXPERIMENT.benchmarks.items()
            if source.source == "custom"
        }
    except WeftError as error:
        raise WorkflowError(str(error)) from None


QUESTION_TEXTS = digest_texts() if IS_SAMPLED else {}


def custom_benchmarks():
    """Return the Python files of all custom benchmarks, which contain questions and scorer."""
    sources = EXPERIMENT.benchmarks.values() if IS_SAMPLED else []
    return [file for source in sources for file in custom_files(source)]


def generations_of_run(wildcards):
    """Return all generations to score: those of a run, or published files."""
    if IS_SAMPLED:
        return expand(cells_of_run(RESULTS.samples(*CELL)), run=wildcards.run)
    return published_generations()


def answers_of_experiment(wildcards):
    """Return the answers of all runs, or published files."""
    if IS_SAMPLED:
        return [RESULTS.samples(*cell) for cell in CELLS]
    return published_generations()


def published_generations():
    """Return the published files."""
    try:
        return [
            file
            for benchmark in EXPERIMENT.benchmark_names
            for gen_length in EXPERIMENT.gen_lengths
            for file in find_generations(
                EXPERIMENT.generations, benchmark, gen_length, SETTINGS.offline
            )
        ]
    except WeftError as error:
        raise WorkflowError(str(error)) from None


def settings_of(stage):
    """Return a params function for the values on which a job of the stage depends, as JSON.

    The keys are sorted, so that a change of their order does not run the job again.
    """

    def settings(wildcards):
        values = stage_settings(EXPERIMENT, stage, dict(wildcards.items()))
        files = digest_files(sources_of(stage, wildcards))
        return json.dumps(values, sort_keys=True) + files

    return settings


def generators_of(source):
    """Return a digest of the generators if a source is generated, so that other problems run the job again."""
    return digest_generators() if source.source == "generated" else None


def options(name, files):
    """Return a command line that gives an option once for each file."""
    return " ".join(f"{name} {shlex.quote(str(file))}" for file in files)


def marked(files, ending, kind):
    """Mark the files with an ending for the report of Snakemake, and leave the others as they are."""
    options = {"category": f"{kind}s", "caption": f"../report/{kind.lower()}.rst"}
    label = kind.lower()
    return [
        (
            file
            if file.suffix != ending
            else report(file, labels={label: file.stem.replace("_", " ")}, **options)
        )
        for file in files
    ]

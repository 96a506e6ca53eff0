"""Names of the files that this room reads and writes; light, for the Snakefile."""

from weft.config import Experiment, FineTuning, Run, StoredGenerations
from weft.config.sources import GeneratedBenchmark, HubModel, ScratchModel

AnyExperiment = Experiment

PAPER_MODEL = "LLaDA-8B-Instruct"
"""The paper's base model; only numbers of this model may stand beside the paper's."""
TABLE_FORMATS = ("csv", "md", "tex")
FIGURE_FORMATS = ("png", "pdf")
PAGE_FILE = "index.html"


def list_headlines(experiment: AnyExperiment) -> dict[str, str]:
    """List the headline tables, one per set of rules: name to rules, the experiment's first rules first."""
    first, *further = map(str, experiment.scoring)
    return {"headline": first} | {f"headline_{rules}": rules for rules in further}


def list_tables(experiment: AnyExperiment) -> list[str]:
    """List the tables of an experiment, without file endings, in the order in which they are read."""
    headlines = list(list_headlines(experiment))
    if isinstance(experiment, StoredGenerations):
        return [*headlines, "rules", "answers", "scores"]
    published = ["published"] if is_paper(experiment) else []
    costs = ["costs"] if has_ablations(experiment) else []
    gradients = ["gradients"] if has_gradients(experiment) else []
    measured = [*gradients, "ratios"]
    return [*headlines, *published, "contrasts", *costs, "answers", *measured, "methods", "scores"]


def list_figures(experiment: AnyExperiment) -> list[str]:
    """List the figures of an experiment, without file endings."""
    if isinstance(experiment, StoredGenerations):
        return ["accuracy"]
    contrasts = ["contrasts"] if has_ablations(experiment) else []
    gradients = ["gradient_share", "gradient_variance"] if has_gradients(experiment) else []
    return ["accuracy", *contrasts, "training_loss", "token_entropy", "ratios", *gradients, "time_per_step"]


def has_ablations(experiment: AnyExperiment) -> bool:
    """Say whether more than two methods are compared in pairs."""
    return isinstance(experiment, FineTuning) and len(experiment.contrasts) > 1


def has_gradients(experiment: AnyExperiment) -> bool:
    """Say whether gradients are studied."""
    return getattr(experiment, "gradient_study", None) is not None


def gradient_file(dataset: str) -> str:
    """Name the file of a data set's gradient study, relative to the experiment's results folder."""
    return f"gradients/{dataset}.parquet"


def table_files(experiment: AnyExperiment) -> list[str]:
    """List the files that `weft.report.tables.make_tables` writes, relative to its folder."""
    return [f"{name}.{ending}" for name in list_tables(experiment) for ending in TABLE_FORMATS]


def figure_files(experiment: AnyExperiment) -> list[str]:
    """List the files that `weft.report.figures.make_figures` writes, relative to its folder."""
    return [f"{name}.{ending}" for name in list_figures(experiment) for ending in FIGURE_FORMATS]


def score_files(experiment: AnyExperiment) -> list[str]:
    """List the score files of an experiment, relative to its results folder, in the tables' order."""
    return [
        score_file(rules, run_id, benchmark, length)
        for rules in experiment.scoring
        for run_id in experiment.run_ids
        for benchmark in experiment.benchmark_names
        for length in experiment.gen_lengths
    ]


def score_file(rules: str, run_id: str, benchmark: str, gen_length: int) -> str:
    """Name a score file, relative to the experiment's results folder."""
    return f"scores/{rules}/{run_id}/{benchmark}/{gen_length}.jsonl"


def trace_file(run: Run) -> str:
    """Name the page with a run's answers step by step, relative to the report page."""
    return f"traces/{run.run_id}.html"


def is_paper(experiment: AnyExperiment) -> bool:
    """Say whether the experiment's numbers may stand beside the paper's.

    It must be the one named ``paper``, its base model must be the paper's and its questions published
    ones: a model trained from scratch never qualifies, whatever the experiment is called.
    """
    if not isinstance(experiment, FineTuning) or experiment.name != "paper":
        return False
    if any(isinstance(source, GeneratedBenchmark) for source in experiment.benchmarks.values()):
        return False
    source = experiment.base_model
    if isinstance(source, HubModel):
        return source.repo.rsplit("/", 1)[-1] == PAPER_MODEL
    return not isinstance(source, ScratchModel)

"""The tables and figures that an experiment has.

The Snakefile imports this module, so it must not import heavy libraries.
"""

from weft.config import Experiment, FineTuning
from weft.config.sources import HubModel, ScratchModel

PAPER_MODEL = "LLaDA-8B-Instruct"
"""Base model of the paper; only results of this model are compared with those of the paper."""


def list_headlines(experiment: Experiment) -> dict[str, str]:
    """Return the name of the headline table of each scoring; that of the first is ``headline``."""
    first, *further = experiment.scoring
    return {"headline": str(first)} | {f"headline_{scoring}": str(scoring) for scoring in further}


def list_tables(experiment: Experiment) -> list[str]:
    """Return the names of the tables, in the order in which the page shows them."""
    headlines = list(list_headlines(experiment))
    if not experiment.trained_runs:
        return [*headlines, "rules", "answers", "scores"]
    published = ["published"] if is_paper(experiment) else []
    costs = ["costs"] if has_ablations(experiment) else []
    gradients = ["gradients"] if experiment.has_gradient_study else []
    curves = ["learning_curves", "learning_speed"] if experiment.curve_benchmarks else []
    return [
        *headlines, *published, "gains", "contrasts", "seeds", *curves, *costs, "answers", *gradients,
        "ratios", "methods", "scores",
    ]  # fmt: skip


def list_figures(experiment: Experiment) -> list[str]:
    """Return the names of the figures, in the order in which the page shows them."""
    if not experiment.trained_runs:
        return ["accuracy"]
    contrasts = ["contrasts"] if has_ablations(experiment) else []
    gradients = ["gradient_share", "gradient_variance"] if experiment.has_gradient_study else []
    curves = ["learning_curves"] if experiment.curve_benchmarks else []
    return [
        "accuracy", *contrasts, *curves, "training_loss", "token_entropy", "ratios", *gradients,
        "time_per_step",
    ]  # fmt: skip


def has_ablations(experiment: Experiment) -> bool:
    """Return True if the experiment has contrasts beyond those of every experiment."""
    return isinstance(experiment, FineTuning) and bool(experiment.further_contrasts)


def is_paper(experiment: Experiment) -> bool:
    """Return True if the results of the experiment can be compared with those of the paper.

    The experiment must have the name ``paper``, the base model of the paper and published questions.
    """
    if not isinstance(experiment, FineTuning) or experiment.name != "paper":
        return False
    if any(experiment.is_generated(benchmark) for benchmark in experiment.benchmark_names):
        return False
    source = experiment.base_model
    if isinstance(source, HubModel):
        return source.repo.rsplit("/", 1)[-1] == PAPER_MODEL
    return not isinstance(source, ScratchModel)

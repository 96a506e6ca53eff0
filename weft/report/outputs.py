"""The tables and figures that an experiment has.

The Snakefile imports this module, so it must not import heavy libraries.
"""

from weft.config import Experiment, FineTuning
from weft.layout import TABLE_FORMATS
from weft.report.counterparts import has_published_numbers

PAPER_TABLE = "table1"
"""Name of the table in the form of the paper's Table 1; the only table that is written as LaTeX, too."""


def list_headlines(experiment: Experiment) -> dict[str, str]:
    """Return the name of the headline table of each scoring; that of the first is ``headline``."""
    if not experiment.benchmark_names:
        return {}
    first, *further = experiment.applied_scorings
    return {"headline": first} | {f"headline_{scoring}": scoring for scoring in further}


def list_tables(experiment: Experiment) -> list[str]:
    """Return the names of the tables, in the order in which the page shows them."""
    headlines = list(list_headlines(experiment))
    if not experiment.is_sampled:
        agreement = ["agreement"] if "d1" in experiment.scoring else []
        return [*headlines, *agreement, "rules", "answers", "unscorable", "scores"]
    published = ["published"] if has_published_numbers(experiment) else []
    contrasts = ["contrasts"] if experiment.comparisons else []
    if not isinstance(experiment, FineTuning):
        return [*headlines, *published, *contrasts, "answers", "unscorable", "methods", "scores"]
    gradients = ["gradients"] if experiment.has_gradient_study else []
    if not experiment.benchmark_names:
        return ["costs", *gradients, "ratios", "words"]
    curves = ["learning_curves", "learning_speed"] if experiment.curve_benchmarks else []
    seeds = ["seeds"] if experiment.gain_control else []
    return [
        PAPER_TABLE, *headlines, *published, "gains", *contrasts, *seeds, *curves, "costs", "answers",
        *gradients, "ratios", "words", "methods", "scores",
    ]  # fmt: skip


def main_table(experiment: Experiment) -> str:
    """Return the name of the table that the workflow prints: the first headline, or the costs."""
    return next(iter(list_headlines(experiment)), "costs")


def table_formats(name: str) -> tuple[str, ...]:
    """Return the endings of the files of a table; only the paper's table is also written as LaTeX."""
    return (*TABLE_FORMATS, "tex") if name == PAPER_TABLE else TABLE_FORMATS


def list_figures(experiment: Experiment) -> list[str]:
    """Return the names of the figures, in the order in which the page shows them."""
    lengths = ["accuracy_by_length"] if len(experiment.gen_lengths) > 1 else []
    contrasts = ["contrasts"] if has_ablations(experiment) else []
    if not experiment.trained_runs:
        return ["accuracy", *lengths, *contrasts]
    gradients = ["gradient_share", "gradient_variance"] if experiment.has_gradient_study else []
    curves = ["learning_curves"] if experiment.curve_benchmarks else []
    scored = ["forest", "accuracy", *lengths, *contrasts, *curves] if experiment.benchmark_names else []
    return [
        *scored, "training_loss", "token_entropy", "entropy_words", "word_cloud", "ratios", *gradients,
        "time_per_step",
    ]  # fmt: skip


def has_ablations(experiment: Experiment) -> bool:
    """Return True if there are comparisons beyond the main contrast and those with the base model.

    All comparisons of an evaluation count, because it has no forest plot.
    """
    if isinstance(experiment, FineTuning):
        return bool(experiment.benchmark_names and experiment.further_contrasts)
    return bool(experiment.comparisons)

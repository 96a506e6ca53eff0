"""All figures of an experiment, each as PNG and PDF. The same results give the same bytes."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from weft.config import Experiment
from weft.report.accuracy_by_length_figure import draw_accuracy_by_length
from weft.report.accuracy_figure import draw_accuracy
from weft.report.contrast_figure import draw_contrasts
from weft.report.drawing import save_figure
from weft.report.forest_figure import draw_forest
from weft.report.gradient_figures import draw_gradient_share, draw_gradient_variance
from weft.report.learning_curve_figure import draw_learning_curves
from weft.report.outputs import list_figures
from weft.report.ratio_figure import draw_ratios
from weft.report.results import Results
from weft.report.training_figures import draw_time_per_step, draw_token_entropy, draw_training_loss
from weft.report.word_figures import draw_entropy_words, draw_word_cloud


def write_figures(experiment: Experiment, results: Results, out: Path) -> None:
    """Draw the figures of an experiment and write them into a folder."""
    for name in list_figures(experiment):
        save_figure(FIGURES[name](experiment, results), out / name)


FIGURES: Mapping[str, Callable[[Any, Results], Figure]] = {
    "forest": draw_forest,
    "accuracy": draw_accuracy,
    "accuracy_by_length": draw_accuracy_by_length,
    "contrasts": draw_contrasts,
    "learning_curves": draw_learning_curves,
    "training_loss": draw_training_loss,
    "token_entropy": draw_token_entropy,
    "entropy_words": draw_entropy_words,
    "word_cloud": draw_word_cloud,
    "ratios": draw_ratios,
    "gradient_share": draw_gradient_share,
    "gradient_variance": draw_gradient_variance,
    "time_per_step": draw_time_per_step,
}
"""Name of a figure -> function that draws it."""

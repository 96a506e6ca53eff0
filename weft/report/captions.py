"""Titles and captions of the figures, which stand in the figures themselves and on the page."""

from collections.abc import Callable, Mapping

from weft.config import Experiment, FineTuning
from weft.report.labels import UNITS, level_text
from weft.report.results import Results

MIN_OCCURRENCES = 20
"""Number of answer tokens that a word must have to be ranked by its entropy."""
SHOWN_SHARE = 0.999
"""Share of the answer tokens whose ratios lie within the histogram."""
TITLES = {
    "accuracy": "Accuracy",
    "contrasts": "Differences of accuracy",
    "training_loss": "Training loss",
    "token_entropy": "Token entropy",
    "ratios": "Masking-rate ratios",
    "gradient_share": "Origin of the gradient",
    "gradient_variance": "Noise of the gradient",
    "time_per_step": "Time per optimiser step",
}
"""Name of a figure -> its title."""


def figure_caption(experiment: Experiment, results: Results, name: str) -> str:
    """Return the caption of a figure: what it shows, of how many, and the kind of its intervals.

    Args:
        experiment: the experiment.
        results: its results.
        name: one of `weft.report.outputs.list_figures`.

    Returns:
        Whole sentences.
    """
    return _CAPTIONS[name](experiment, results)


def _accuracy(experiment: Experiment, results: Results) -> str:
    level = level_text(experiment.statistics.confidence)
    sizes = sorted({len(file.scores) for file in results.scores})
    questions = " to ".join(map(str, dict.fromkeys((sizes[0], sizes[-1]))))
    if isinstance(experiment, FineTuning):
        num_seeds = len(experiment.seeds)
        return (
            f"The figure shows the accuracy on {questions} questions per benchmark. Large points are means "
            f"over training seeds (n = {num_seeds}), bars are {level} bootstrap intervals over questions and "
            "seeds, and small points are single seeds. The interval of a single run is over questions only, "
            "by Wilson's method if each answer is correct or wrong."
        )
    units = [f"{unit} by {scoring}" for (_, scoring), unit in UNITS.items() if scoring in experiment.scoring]
    return (
        f"The figure shows the accuracy of stored answers to {questions} questions per benchmark. Bars are "
        f"{level} intervals over questions, by Wilson's method or, for partial credit, by the bootstrap. "
        f"Diamonds are published numbers. For Sudoku the accuracy counts {', '.join(units)}."
    )


def _contrasts(experiment: Experiment, results: Results) -> str:
    return (
        "The figure shows the accuracy of a method minus that of the control in the heading above it, with "
        f"the same training data and questions. Bars are {level_text(experiment.statistics.confidence)} "
        "intervals from a paired bootstrap over questions and training seeds, not corrected for the number "
        f"of contrasts (n = {len(experiment.contrasts)}). A hollow point marks an interval that holds zero."
    )


def _training_loss(experiment: Experiment, results: Results) -> str:
    caption = (
        "The figure shows the loss of each optimiser step. Thin lines are single training seeds, thick lines "
        "are their mean; both are smoothed by a centred running mean over a tenth of the steps."
    )
    if len({method.divisor for method in getattr(experiment, "methods", {}).values()}) > 1:
        caption += (
            " The methods divide the summed loss by different counts, so that the scales of the panels "
            "cannot be compared."
        )
    return caption


def _token_entropy(experiment: Experiment, results: Results) -> str:
    return (
        "The figure shows the entropy of each answer token under the base model when the whole answer is "
        f"masked. Words are ranked by the mean over their tokens, if they have at least {MIN_OCCURRENCES}."
    )


def _ratios(experiment: Experiment, results: Results) -> str:
    return (
        "The figure shows the ratio r = √H / mean √H of the entropy H of each answer token under the base "
        "model when the whole answer is masked. The mean is over the answer tokens of the example, or over "
        "these and its padding. A token with ratio r is masked with probability r/(1 + r) on average. At "
        f"most {100 * (1 - SHOWN_SHARE):.1f} % of a distribution lie beyond the right end."
    )


def _gradient_share(experiment: Experiment, results: Results) -> str:
    return (
        "The figure shows shares of the loss weight and of the mean gradient that come from five groups of "
        "answer tokens of equal size, ordered by their entropy under the base model; group 1 has the lowest. "
        "Padding makes up the rest to 100 %. The share of the gradient is its projection on the whole; bars "
        f"are 95 % jackknife intervals over {_num_draws(results)} draws of times and masks."
    )


def _gradient_variance(experiment: Experiment, results: Results) -> str:
    return (
        "The figure shows the relative variance E|g − E g|² / |E g|² of the gradient g of one optimiser step "
        f"before training. Bars are 95 % jackknife intervals over {_num_draws(results)} draws of times and "
        "masks. The dashed line is the control. A smaller value means less noise."
    )


def _time_per_step(experiment: Experiment, results: Results) -> str:
    kinds = sorted({f"{timing.num_processes} × {timing.device}" for timing in results.timings.values()})
    return (
        "The figure shows the wall time of an optimiser step. Bars are medians over runs of the median step "
        "of each run, dots are single runs. Other jobs may have shared the machine. Processes × device: "
        f"{', '.join(kinds)}."
    )


def _num_draws(results: Results) -> str:
    counts = {int(count) for frame in results.gradients.values() for count in frame["num_draws"]}
    return " to ".join(map(str, sorted({min(counts), max(counts)})))


_CAPTIONS: Mapping[str, Callable[[Experiment, Results], str]] = {
    "accuracy": _accuracy,
    "contrasts": _contrasts,
    "training_loss": _training_loss,
    "token_entropy": _token_entropy,
    "ratios": _ratios,
    "gradient_share": _gradient_share,
    "gradient_variance": _gradient_variance,
    "time_per_step": _time_per_step,
}

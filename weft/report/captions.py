"""Titles and captions of the figures, which are shown in the figures and on the page."""

import math
from collections.abc import Iterable, Mapping

from weft.config import Experiment, FineTuning
from weft.report.counterparts import has_published_numbers, is_contrast_of_the_paper
from weft.report.labels import UNITS, custom_note, level_text, method_label
from weft.report.published_numbers import PAPER_MODEL
from weft.report.results import Results
from weft.report.words import NUM_IN_CLOUD, WORD, WordRanking
from weft.stats import POWER

SHOWN_SHARE = 0.999
"""Minimum share of the answer tokens whose ratios lie within the histogram."""
WITH_CUSTOM = ("accuracy", "contrasts")
"""Figures that show custom benchmarks."""
MOST_CURVES = 4
"""Largest number of methods whose learning curves are all in colour and with a band."""
TITLES = {
    "accuracy": "Accuracy",
    "forest": "Differences and gains",
    "accuracy_by_length": "Accuracy by length",
    "contrasts": "Differences of accuracy",
    "learning_curves": "Learning curves",
    "training_loss": "Training loss",
    "token_entropy": "Token entropy",
    "entropy_words": "Words with high and low entropy",
    "word_cloud": "Clouds of words with high and low entropy",
    "ratios": "Masking-rate ratios",
    "gradient_share": "Origin of the gradient",
    "gradient_variance": "Noise of the gradient",
    "time_per_step": "Time per optimiser step",
}
"""Name of a figure -> its title."""


CAPTIONS = {
    "accuracy": (
        "The figure shows the accuracy on {questions} questions per benchmark. Large points are means over "
        "{num_seeds} training seeds, bars are {level} intervals over {covered}, and small points are single "
        "seeds. The interval of a single run is over questions only."
    ),
    "single_accuracy": (
        "The figure shows the accuracy of a single training run of each method on {questions} questions per "
        "benchmark. Bars are {level} intervals over questions."
    ),
    "model_accuracy": (
        "The figure shows the accuracy of each model on {questions} questions per benchmark. Bars are "
        "{level} intervals over questions."
    ),
    "stored_accuracy": (
        "The figure shows the accuracy of stored answers to {questions} questions per benchmark. Bars are "
        "{level} intervals by Wilson's method; they allow for the share of each benchmark's questions that "
        "is answered here. Diamonds are published accuracies on all questions. For Sudoku the accuracy "
        "counts {units}."
    ),
    "forest": (
        "The figure shows the accuracy of {treatment} minus that of {control} on the left, where each panel "
        "has its own scale, and the gains of both over the base model on the right. Bars are {level} "
        "intervals over {covered}, not corrected for the number of comparisons.{markers}{effects}{band}"
    ),
    "gains": (
        "The figure shows the gain in accuracy over the base model. Bars are {level} intervals over "
        "{covered}, not corrected for the number of comparisons.{markers}{band}"
    ),
    "accuracy_by_length": (
        "The figure shows the accuracy on {questions} questions per benchmark by the length of the answers, "
        "in tokens. Bars are {level} intervals over {covered}. {published}"
    ),
    "contrasts": (
        "The figure shows the accuracy of a method minus that of the control in the heading above it, with "
        "the same training data and questions. Bars are {level} intervals over {covered}, not corrected "
        "for the number of comparisons. A filled point marks an average that differs from zero after Holm's "
        "correction; single benchmarks are not tested."
    ),
    "model_contrasts": (
        "The figure shows the accuracy of a model minus that of the control in the heading above it, on the "
        "same questions. Bars are {level} intervals over questions, not corrected for the number of "
        "comparisons. A filled point marks an average, or the only benchmark, that differs from zero after "
        "Holm's correction."
    ),
    "learning_curves": (
        "The figure shows the accuracy ({first_scoring} scoring) on {validation_questions} validation "
        "questions per benchmark during training; none of them is a test question. Lines are means over "
        "the training seeds, bands are the sample standard deviation around them."
    ),
    "training_loss": (
        "The figure shows the loss of each optimiser step. Thin lines are single training seeds, thick lines "
        "are their mean; both are smoothed by a centred running mean over a tenth of the steps."
    ),
    "token_entropy": (
        "The figure shows the entropy of each answer token under the base model when the whole answer is "
        "masked."
    ),
    "entropy_words": (
        "The figure shows the words of the training answers with the highest and the lowest mean entropy "
        "under the base model when the whole answer is masked, and how often they occur (n). Words are "
        "formed from tokens, regardless of case and without tags, formulas, numbers and single letters; the "
        "entropy of an occurrence is the mean over its tokens. {ranked}"
    ),
    "word_cloud": (
        "The figure shows up to {num_in_cloud} words of the training answers with the highest mean entropy "
        "under the base model when the whole answer is masked (left, bold), and as many with the lowest "
        "(right). Larger words lie farther from the median of the ranked words; positions have no meaning. "
        "{ranked}"
    ),
    "ratios": (
        "The figure shows the ratio r = √H / mean √H of the entropy H of each answer token under the base "
        "model when the whole answer is masked. The mean is over the answer tokens of the example, or over "
        "these and its padding. A token with ratio r is masked with probability r/(1 + r) on average. At "
        f"most {100 * (1 - SHOWN_SHARE):.1f} % of a distribution lie beyond the right end."
    ),
    "gradient_share": (
        "The figure shows shares of the loss weight and of the mean gradient that come from five groups of "
        "answer tokens of equal size, ordered by their entropy under the base model; group 1 has the lowest. "
        "Padding makes up the rest to 100 %. The share of the gradient is its projection on the whole; bars "
        "are 95 % jackknife intervals over {num_draws} draws of times and masks."
    ),
    "gradient_variance": (
        "The figure shows the relative variance E|g − E g|² / |E g|² of the gradient g of one optimiser step "
        "before training. Bars are 95 % jackknife intervals over {num_draws} draws of times and masks. The "
        "dashed line is the control. A smaller value means less noise."
    ),
    "time_per_step": (
        "The figure shows the wall time of an optimiser step. Bars are medians over runs of the median step "
        "of each run, dots are single runs. Timings were taken on a machine that other jobs "
        "may have shared. Processes × device: {devices}."
    ),
}
PUBLISHED = "Open diamonds are the accuracies that d1 published for the same cells."
MARKERS = (
    " A filled marker is an average that differs from zero after Holm's correction; single benchmarks are "
    "not tested."
)
EFFECTS = f" The orange box is the range of the paper's effects on average, for {PAPER_MODEL}."
NOT_FINITE = " Gaps and crosses mark steps whose loss is not finite."
BAND = (
    " Differences within the grey band would have been detected with a probability of less than {power:g} %."
)
WORD_FIGURES = ("entropy_words", "word_cloud")
DIVISORS = (
    " The methods divide the summed loss by different counts, so that the scales of the panels cannot be "
    "compared."
)


OTHER_CURVES = (
    " The methods of the main contrast are in colour; the thin grey lines without bands are the {num_others} "
    "other methods."
)


def figure_caption(experiment: Experiment, results: Results, name: str) -> str:
    """Return the caption of a figure in whole sentences, with its counts and the kind of its intervals.

    Args:
        experiment: the experiment.
        results: its results.
        name: one of `weft.report.outputs.list_figures`.

    Returns:
        The caption.
    """
    units = [
        f"{unit} under {scoring} scoring"
        for (_, scoring), unit in UNITS.items()
        if scoring in experiment.scoring
    ]
    timings = results.timings.values()
    num_seeds = len({run.seed for run in experiment.trained_runs})
    methods = getattr(experiment, "methods", {})
    treatment, control = map(method_label, experiment.main_contrast or ("", ""))
    is_of_paper = isinstance(experiment, FineTuning) and is_contrast_of_the_paper(experiment)
    kind = name
    if name == "accuracy" and num_seeds < 2:
        unseeded = "model_accuracy" if experiment.is_sampled else "stored_accuracy"
        kind = "single_accuracy" if num_seeds else unseeded
    if name == "forest" and isinstance(experiment, FineTuning) and experiment.gain_control is None:
        kind = "gains"
    if name == "contrasts" and not num_seeds:
        kind = "model_contrasts"
    caption: str = CAPTIONS[kind].format(
        questions=_range(len(file.columns) for file in results.scores),
        num_seeds=num_seeds,
        level=level_text(experiment.statistics.confidence),
        published=PUBLISHED if not experiment.is_sampled or has_published_numbers(experiment) else "",
        treatment=treatment,
        control=control,
        band=BAND.format(power=100 * POWER) if num_seeds > 1 else "",
        markers=MARKERS if num_seeds > 1 else "",
        effects=EFFECTS if is_of_paper else "",
        units=" and ".join(units),
        covered="questions and training seeds" if num_seeds > 1 else "questions",
        num_draws=_range(int(count) for frame in results.gradients.values() for count in frame["num_draws"]),
        first_scoring=experiment.scoring[0],
        validation_questions=_range(
            point.num_questions for curve in results.curves.values() for point in curve
        ),
        ranked=_ranked_words(results.word_rankings) if name in WORD_FIGURES else "",
        num_in_cloud=NUM_IN_CLOUD,
        devices=", ".join(sorted({f"{timing.num_processes} × {timing.device}" for timing in timings})),
    )
    if name == "training_loss" and len({method.divisor for method in methods.values()}) > 1:
        caption += DIVISORS
    losses = [step.loss for log in results.logs.values() for step in log]
    if name == "training_loss" and not all(map(math.isfinite, losses)):
        caption += NOT_FINITE
    if experiment.custom_benchmarks and name in WITH_CUSTOM:
        caption += f" {custom_note(experiment)}"
    if name == "learning_curves" and len(methods) > MOST_CURVES:
        num_main = len(methods.keys() & {*(experiment.main_contrast or ())})
        caption += OTHER_CURVES.format(num_others=len(methods) - num_main)
    return caption.strip()


def _ranked_words(rankings: Mapping[str, WordRanking]) -> str:
    """Return sentences on the number and on the minimum count of the ranked words of each data set."""
    counts = [
        f"{len(ranking.words):,} {'words' if ranking.kind == WORD else 'numbers and signs'} with at least "
        f"{ranking.least_count:,} occurrences in {dataset}"
        for dataset, ranking in rankings.items()
    ]
    has_symbols = any(ranking.kind != WORD for ranking in rankings.values())
    note = " Numbers and operation signs are ranked where no word is frequent." if has_symbols else ""
    return f"The ranking has {_join(counts)}.{note}"


def _join(parts: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))


def _range(counts: Iterable[int]) -> str:
    ordered = sorted(counts)
    return " to ".join(f"{count:,}" for count in dict.fromkeys([*ordered[:1], *ordered[-1:]]))
